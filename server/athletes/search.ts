import { Worker } from 'node:worker_threads';
import type { Log } from '../platform/logs.js';
import type { SearchAnswer, SearchQuery } from './search-index.js';

interface Reply {
  id?: number;
  /** The index was read from its file. */
  loaded?: boolean;
  /** What had changed in the store was read; `took` ms ago it was asked. */
  looked?: boolean;
  took?: number;
  /** So many looks in a row have failed. */
  failed?: number;
  revision?: number;
  size?: number;
  answer?: SearchAnswer;
  error?: string;
}

/**
 * An index that has not asked the store for so long is asked only when the store itself does not
 * answer.
 */
const STALE_MS = 30_000;

/**
 * The door to the search thread; a thread that dies is started again, and until it is ready the
 * caller asks MongoDB.
 */
export class Search {
  private worker: Worker | null = null;
  private readonly waiting = new Map<
    number,
    { resolve: (reply: Reply) => void; reject: (error: Error) => void }
  >();
  private number = 0;
  private stopped = false;
  private whenReady: (() => void)[] = [];
  private lookedAt: number | null = null;
  private loadedAt = 0;
  private size = 0;
  private failures = 0;
  ready = false;

  constructor(
    private readonly where: { uri: string; name: string; folder: string },
    private readonly log: Log,
  ) {}

  start(): void {
    // Loaders of TypeScript do not reach into threads: from sources the built thread is used.
    const file = new URL(
      import.meta.url.endsWith('.ts')
        ? '../../build/server/athletes/search.worker.js'
        : './search.worker.js',
      import.meta.url,
    );
    const worker = new Worker(file, {
      workerData: this.where,
      resourceLimits: { maxOldGenerationSizeMb: 1024 },
    });
    this.worker = worker;
    worker.on('message', (reply: Reply) => {
      if (reply.failed !== undefined) {
        this.failures = reply.failed;
        return;
      }
      if (reply.loaded || reply.looked) {
        this.heard(reply);
        return;
      }
      const one = this.waiting.get(reply.id ?? -1);
      this.waiting.delete(reply.id ?? -1);
      if (reply.error) one?.reject(new Error(reply.error));
      else one?.resolve(reply);
    });
    worker.on('error', (error) => {
      this.log.error({ err: error }, 'search: the thread died');
    });
    worker.on('exit', () => {
      this.ready = false;
      this.lookedAt = null;
      for (const one of this.waiting.values()) one.reject(new Error('the search thread ended'));
      this.waiting.clear();
      if (!this.stopped)
        setTimeout(() => {
          if (!this.stopped) this.start();
        }, 1000).unref();
    });
    worker.unref();
  }

  private heard({ looked, took = 0, size = 0, revision }: Reply): void {
    this.size = size;
    const now = performance.now();
    if (looked) {
      this.lookedAt = now - took;
      this.failures = 0;
    } else this.loadedAt = now;
    if (this.ready) return;
    this.ready = true;
    this.log.info({ athletes: size, revision }, 'search: ready');
    for (const tell of this.whenReady.splice(0)) tell();
  }

  /**
   * How the thread is: `ageMs` since the store was last asked what has changed, null when that has
   * not been yet; `failures` in a row since.
   */
  state(): { ready: boolean; ageMs: number | null; failures: number; athletes: number } {
    return {
      ready: this.ready,
      ageMs: this.lookedAt === null ? null : Math.round(performance.now() - this.lookedAt),
      failures: this.failures,
      athletes: this.size,
    };
  }

  /**
   * Whether the index answers, and as the store was at most half a minute ago (since its file was
   * read, where it has not asked yet).
   */
  get fresh(): boolean {
    return this.ready && performance.now() - (this.lookedAt ?? this.loadedAt) <= STALE_MS;
  }

  private ask(message: object): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (!this.worker) {
        reject(new Error('no search thread'));
        return;
      }
      this.number += 1;
      this.waiting.set(this.number, { resolve, reject });
      this.worker.postMessage({ id: this.number, ...message });
    });
  }

  async search(query: SearchQuery): Promise<SearchAnswer> {
    const { answer } = await this.ask({ kind: 'search', query });
    if (!answer) throw new Error('no answer');
    return answer;
  }

  /** Reads what has changed since; called on news. */
  async look(): Promise<void> {
    if (this.worker) await this.ask({ kind: 'look' });
  }

  /** Resolves when the index answers. */
  untilReady(): Promise<void> {
    return this.ready
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.whenReady.push(resolve);
        });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    const worker = this.worker;
    this.worker = null;
    if (!worker) return;
    const gone = new Promise((resolve) => {
      worker.once('exit', resolve);
    });
    worker.ref();
    worker.postMessage({ id: 0, kind: 'close' });
    const timer = setTimeout(() => {
      void worker.terminate();
    }, 2000);
    await gone;
    clearTimeout(timer);
  }
}
