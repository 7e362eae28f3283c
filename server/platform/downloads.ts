import { pipeline } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import { VillageError } from '../errors.js';

/**
 * How many downloads a fan, an address (behind which there may be many people) and all together may
 * have at once, and for how long a reader may take nothing, in ms.
 */
export interface DownloadLimits {
  fan: number;
  address: number;
  all: number;
  idleMs: number;
}
/** Whom a download is for. */
export type Recipient = { fan: string } | { address: string };

/**
 * A player holds one or two requests open, a page that was reloaded a few times some more. Each
 * holds at most a chunk of 256 KB while its reader takes nothing, so that all of them cost a
 * process at most 100 MB. A reader who takes no chunk in 30 s is not playing, or has paused:
 * browsers ask for the rest by a range when they go on.
 */
const LIMITS: DownloadLimits = { fan: 6, address: 60, all: 400, idleMs: 30_000 };

/**
 * The large answers on their way to readers: limited in number for each reader and for the process,
 * and ended where nobody reads.
 */
export class Downloads {
  /** The downloads of each reader, the oldest first. */
  private readonly byReader = new Map<string, Set<AbortController>>();
  private count = 0;

  constructor(private readonly limits: DownloadLimits = LIMITS) {}

  /** How many downloads are under way in this process. */
  get open(): number {
    return this.count;
  }

  /**
   * Takes a place for an answer, of which nothing may have been sent yet. A reader who has too many
   * loses the oldest, which nobody watches any more. Throws `busy` when the process has no place
   * left.
   */
  begin(to: Recipient): Download {
    const [who, most] =
      'fan' in to
        ? [`fan ${to.fan}`, this.limits.fan]
        : [`address ${to.address}`, this.limits.address];
    const own = this.byReader.get(who) ?? new Set();
    const [oldest] = own;
    if (oldest && own.size >= most) this.end(who, oldest);
    else if (this.count >= this.limits.all) throw new VillageError('busy', { seconds: 5 });
    const ended = new AbortController();
    this.byReader.set(who, own.add(ended));
    this.count += 1;
    return new Download(ended, this.limits.idleMs, () => {
      this.leave(who, ended);
    });
  }

  private end(who: string, download: AbortController): void {
    this.leave(who, download);
    download.abort();
  }

  private leave(who: string, download: AbortController): void {
    const own = this.byReader.get(who);
    if (!own?.delete(download)) return;
    this.count -= 1;
    if (own.size === 0) this.byReader.delete(who);
  }
}

/** A large answer on its way. */
export class Download {
  constructor(
    private readonly ended: AbortController,
    private readonly idleMs: number,
    private readonly leave: () => void,
  ) {}

  /**
   * Sends `source` as fast as it is taken and no faster: a chunk is read when the one before it has
   * left. Resolves when all is sent, or when the download was ended because its reader left, took
   * nothing for too long or has too many others. Throws what `source` throws; if that is before the
   * first chunk, `to` is untouched, and can still be given another answer.
   */
  async send(source: AsyncIterable<Uint8Array>, to: Writable): Promise<void> {
    const { signal } = this.ended;
    const idle = setTimeout(() => {
      this.ended.abort();
    }, this.idleMs);
    const chunks = source[Symbol.asyncIterator]();
    signal.addEventListener('abort', () => to.destroy(), { once: true });
    try {
      const first = await chunks.next();
      // While the first chunk was read the reader left, or another answer was given.
      if (to.destroyed || to.writableEnded) return;
      await pipeline(async function* taken() {
        if (first.done) return;
        yield first.value;
        for await (const chunk of { [Symbol.asyncIterator]: () => chunks }) {
          idle.refresh();
          yield chunk;
        }
      }, to);
    } catch (error) {
      // A reader who seeks or leaves, or whom we ended, is no fault.
      if (!signal.aborted && (error as { code?: string }).code !== 'ERR_STREAM_PREMATURE_CLOSE')
        throw error;
    } finally {
      clearTimeout(idle);
      // The source is told here if the download ended before its first chunk left.
      chunks.return?.().catch(() => undefined);
      this.leave();
    }
  }
}
