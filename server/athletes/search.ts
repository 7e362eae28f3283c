import { Worker } from 'node:worker_threads';
import type { Log } from '../platform/logs.js';
import type { SearchAnswer, SearchQuery } from './search-document.js';
import type { SearchNews, SearchSetup, SearchReply, SearchRequest } from './search-messages.js';
import { within } from '../platform/clock.js';

/** An index that has not read the store for so long is asked only when the store is away. */
const STALE_MS = 30_000;
/** How long a thread that died rests before it is started again. */
const RESTART_MS = 1000;
/** How long a thread may take to end by itself. */
const CLOSE_MS = 2000;

/** How the search thread is. */
export interface SearchState {
  ready: boolean;
  /** Since it last read what has changed in the store; null when it has not yet. */
  ageMs: number | null;
  /** Reads of the store that have failed in a row since. */
  failures: number;
  athletes: number;
}

/**
 * The door to the search thread. A thread that dies is started again; until it is ready the caller
 * asks MongoDB.
 */
export class Search {
  /** Whether the index answers. */
  ready = false;

  private worker: Worker | null = null;
  private readonly waiting = new Map<
    number,
    { resolve: (answer: SearchAnswer | null) => void; reject: (error: Error) => void }
  >();
  private lastId = 0;
  private stopped = false;
  private whenReady: (() => void)[] = [];
  private lookedAt: number | null = null;
  private loadedAt = 0;
  private size = 0;
  private failures = 0;

  constructor(
    private readonly setup: SearchSetup,
    private readonly log: Log,
  ) {}

  /** Starts the thread. */
  start(): void {
    // Loaders of TypeScript do not reach into threads: from sources the built thread is used.
    const file = new URL(
      import.meta.url.endsWith('.ts')
        ? '../../build/server/athletes/search.worker.js'
        : './search.worker.js',
      import.meta.url,
    );
    const worker = new Worker(file, {
      workerData: this.setup,
      resourceLimits: { maxOldGenerationSizeMb: 1024 },
    });
    this.worker = worker;
    worker.on('message', (message: SearchNews | SearchReply) => {
      if (message.kind === 'reply') this.settle(message);
      else this.hear(message);
    });
    worker.on('error', (error) => {
      this.log.error({ err: error }, 'search: the thread died');
    });
    worker.on('exit', () => {
      this.onExit();
    });
    worker.unref();
  }

  private settle(reply: SearchReply): void {
    const request = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if ('error' in reply) request?.reject(new Error(reply.error));
    else request?.resolve(reply.answer);
  }

  private hear(news: SearchNews): void {
    if (news.kind === 'failed') {
      this.failures = news.failures;
      return;
    }
    this.size = news.size;
    const now = performance.now();
    if (news.kind === 'looked') {
      this.lookedAt = now - news.tookMs;
      this.failures = 0;
    } else this.loadedAt = now;
    if (this.ready) return;
    this.ready = true;
    this.log.info({ athletes: news.size, revision: news.revision }, 'search: ready');
    for (const tell of this.whenReady.splice(0)) tell();
  }

  private onExit(): void {
    this.ready = false;
    this.lookedAt = null;
    for (const request of this.waiting.values())
      request.reject(new Error('the search thread ended'));
    this.waiting.clear();
    if (this.stopped) return;
    setTimeout(() => {
      if (!this.stopped) this.start();
    }, RESTART_MS).unref();
  }

  /** How the thread is, for readiness and metrics. */
  state(): SearchState {
    return {
      ready: this.ready,
      ageMs: this.lookedAt === null ? null : Math.round(performance.now() - this.lookedAt),
      failures: this.failures,
      athletes: this.size,
    };
  }

  /**
   * Whether the index answers, and knows the store as it was at most half a minute ago. Where it
   * has not read the store yet, its file counts.
   */
  get fresh(): boolean {
    return this.ready && performance.now() - (this.lookedAt ?? this.loadedAt) <= STALE_MS;
  }

  private ask(
    message: { kind: 'search'; query: SearchQuery } | { kind: 'look' },
  ): Promise<SearchAnswer | null> {
    return new Promise((resolve, reject) => {
      if (!this.worker) {
        reject(new Error('no search thread'));
        return;
      }
      this.lastId += 1;
      this.waiting.set(this.lastId, { resolve, reject });
      this.worker.postMessage({ id: this.lastId, ...message } satisfies SearchRequest);
    });
  }

  /** Asks the index. Throws while there is no thread, or when it could not answer. */
  async search(query: SearchQuery): Promise<SearchAnswer> {
    const answer = await this.ask({ kind: 'search', query });
    if (!answer) throw new Error('no answer');
    return answer;
  }

  /** Makes the thread read now what has changed in the store; called on news. */
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

  /** Ends the thread for good; one that does not end by itself within two seconds is killed. */
  async stop(): Promise<void> {
    this.stopped = true;
    const worker = this.worker;
    this.worker = null;
    if (!worker) return;
    const gone = new Promise<true>((resolve) => {
      worker.once('exit', () => {
        resolve(true);
      });
    });
    worker.ref();
    worker.postMessage({ id: 0, kind: 'close' } satisfies SearchRequest);
    if ((await within(gone, CLOSE_MS)) === null) await worker.terminate();
  }
}
