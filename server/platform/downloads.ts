import { pipeline } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import { VillageError } from '../errors.js';

/**
 * How much may be on its way at once to a fan, to an address (there may be many people behind it)
 * and to all, and how long somebody may take nothing, in ms.
 */
export interface DownloadLimits {
  fan: number;
  address: number;
  all: number;
  idleMs: number;
}
/** Who something is sent to. */
export type Recipient = { fan: string } | { address: string };

/**
 * A player holds one or two requests open, a page reloaded a few times some more. Each holds a
 * chunk of 256 KB at most while its reader takes nothing, so a process spends at most 100 MB on all
 * of them. Who takes no chunk in 30 s plays nothing, or has paused: browsers ask for the rest by a
 * range when they go on.
 */
const LIMITS: DownloadLimits = { fan: 6, address: 60, all: 400, idleMs: 30_000 };

/**
 * Large answers on their way to readers of every speed: bounded a reader and a process, and ended
 * where nobody reads.
 */
export class Downloads {
  /** Those of each reader, oldest first. */
  private readonly under = new Map<string, Set<AbortController>>();
  private count = 0;

  constructor(private readonly limits: DownloadLimits = LIMITS) {}

  /** How many are under way in this process. */
  get open(): number {
    return this.count;
  }

  /**
   * Takes a place for an answer. A reader who has too many loses the oldest: it is the one that
   * nobody watches any more. Throws `busy` when the process has no place left; to be called before
   * anything of the answer is sent.
   */
  begin(to: Recipient): Download {
    const [who, most] =
      'fan' in to
        ? [`fan ${to.fan}`, this.limits.fan]
        : [`address ${to.address}`, this.limits.address];
    const own = this.under.get(who) ?? new Set();
    const [oldest] = own;
    if (oldest && own.size >= most) this.end(who, oldest);
    else if (this.count >= this.limits.all) throw new VillageError('busy', { seconds: 5 });
    const ended = new AbortController();
    this.under.set(who, own.add(ended));
    this.count += 1;
    return new Download(ended, this.limits.idleMs, () => {
      this.leave(who, ended);
    });
  }

  private end(who: string, one: AbortController): void {
    this.leave(who, one);
    one.abort();
  }

  private leave(who: string, one: AbortController): void {
    const own = this.under.get(who);
    if (!own?.delete(one)) return;
    this.count -= 1;
    if (own.size === 0) this.under.delete(who);
  }
}

/** One answer on its way. */
export class Download {
  constructor(
    private readonly ended: AbortController,
    private readonly idleMs: number,
    private readonly leave: () => void,
  ) {}

  /**
   * Sends `source` as fast as it is taken, and no faster: the next chunk is read when the last one
   * has left. Resolves when all is sent, or when it was ended because its reader left, took nothing
   * for too long or asked for too much else. Throws what `source` throws; what it throws before its
   * first chunk leaves `to` untouched, so that there can still be another answer.
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
      // Its reader left, it was ended, or it was answered otherwise while the first chunk was read.
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
      // The viewer seeks or leaves, or we ended it: that is no fault.
      if (!signal.aborted && (error as { code?: string }).code !== 'ERR_STREAM_PREMATURE_CLOSE')
        throw error;
    } finally {
      clearTimeout(idle);
      // Ended before the first chunk left, nobody else tells the source.
      chunks.return?.().catch(() => undefined);
      this.leave();
    }
  }
}
