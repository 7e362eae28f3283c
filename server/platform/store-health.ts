import type { Request, RequestHandler, Response } from 'express';
import { VillageError } from '../errors.js';

/**
 * How often the store is asked whether it is there, and for how long it may leave that unanswered
 * before it counts as silent, in ms.
 */
const CHECK_MS = 500;
const SILENT_MS = 700;
/** How many checks may be without an answer at once. */
const MOST_OPEN = 3;
/**
 * How long a request may wait before it is answered for a silent store, and how often that is
 * looked at after that, in ms. DESIGN 9 promises 2 s.
 */
const PATIENCE_MS = 1800;
const LOOK_MS = 200;

/**
 * A health check of the store: whether it answers at all. The driver notices a store that hangs
 * only after seconds, and a request that needs several reads waits for each of them, so the
 * driver's time limits cannot bound what a request waits in all.
 */
export class StoreHealth {
  private timer: NodeJS.Timeout | null = null;
  private open = 0;
  /** Since when nothing was answered, in ms of `now`; null while the store answers. */
  private silentSince: number | null = null;

  /**
   * @param ping resolves when the store has answered @param now the time in ms, by a clock that is
   * never set back
   */
  constructor(
    private readonly ping: () => Promise<unknown>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Starts checking. Only a process that answers requests needs to. */
  start(): void {
    this.timer ??= setInterval(() => void this.check(), CHECK_MS).unref();
  }

  /** Stops checking. */
  stop(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
  }

  /**
   * Asks the store once. Up to three such questions may be open: a single connection may be dead
   * while the store lives.
   */
  async check(): Promise<void> {
    if (this.open >= MOST_OPEN) return;
    this.open += 1;
    this.silentSince ??= this.now();
    try {
      await this.ping();
      this.silentSince = null;
    } catch {
      // Still silent, since the instant that is noted.
    } finally {
      this.open -= 1;
    }
  }

  /** Whether the store was asked and has not answered for a while. */
  get isSilent(): boolean {
    return this.silentSince !== null && this.now() - this.silentSince >= SILENT_MS;
  }
}

/**
 * Answers 503 for a request that has waited long while the store is silent. Its work goes on and
 * may still come true, as with any 503; asking again is safe. A request that waits for something
 * else, such as a network or a slow reader, is left alone.
 * @param refuse answers with an error; express's `next` would not do, because an error that the
 * handler throws later would then reach nobody
 * @param patience ms that a request may wait @param look ms between two looks after that
 */
export function answerInTime(
  storeHealth: Pick<StoreHealth, 'isSilent'>,
  refuse: (error: VillageError, req: Request, res: Response) => void,
  patience = PATIENCE_MS,
  look = LOOK_MS,
): RequestHandler {
  return (req, res, next) => {
    let timer = setTimeout(function late() {
      // Answers of the store that arrived while this process was busy are read first.
      setImmediate(() => {
        if (res.headersSent || res.closed) return;
        if (storeHealth.isSilent) refuse(new VillageError('unavailable', { seconds: 2 }), req, res);
        else timer = setTimeout(late, look);
      });
    }, patience);
    res.once('close', () => {
      clearTimeout(timer);
    });
    next();
  };
}
