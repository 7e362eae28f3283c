import type { Request, RequestHandler, Response } from 'express';
import { VillageError } from '../errors.js';

/**
 * How often the store is asked whether it is there, and for how long it may say nothing before it
 * counts as silent, in ms.
 */
const BEAT_MS = 500;
const SILENT_MS = 700;
/** Askings under way at once. */
const TOGETHER = 3;
/**
 * When a request of which the store has said nothing is answered by us, and how often it is looked
 * at after that. DESIGN 9 promises 2 s.
 */
const PATIENCE_MS = 1800;
const LOOK_MS = 200;

/**
 * Whether the store answers at all. The driver learns of a store that hangs only after seconds, and
 * a request that needs several reads waits for each: so what a request may wait in all is not the
 * driver's to say.
 */
export class Pulse {
  private timer: NodeJS.Timeout | null = null;
  private asking = 0;
  /** Since when nothing was answered, in ms of `now`; null while the store answers. */
  private since: number | null = null;

  /**
   * @param ping settles when the store has answered, rejects when it has not @param now a clock
   * that is never set back, in ms
   */
  constructor(
    private readonly ping: () => Promise<unknown>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Begins to listen; a process that is not asked anything by others need not. */
  start(): void {
    this.timer ??= setInterval(() => void this.beat(), BEAT_MS).unref();
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
  }

  /**
   * Asks the store once, beside at most two askings without an answer: one of many connections may
   * be dead while the store lives.
   */
  async beat(): Promise<void> {
    if (this.asking >= TOGETHER) return;
    this.asking += 1;
    this.since ??= this.now();
    try {
      await this.ping();
      this.since = null;
    } catch {
      // Still silent: since when is known.
    } finally {
      this.asking -= 1;
    }
  }

  /** The store was asked and has said nothing for a while. */
  get silent(): boolean {
    return this.since !== null && this.now() - this.since >= SILENT_MS;
  }
}

/**
 * Answers 503 for a request that has waited long while the store is silent. What the request does
 * goes on and may come true, as with any 503: asking again is safe. A request that waits for
 * something else, a network or a slow reader, is left alone.
 * @param refuse answers with an error; not express's `next`, which would leave nobody to hear what
 * the handler throws later
 * @param patience ms that a request may wait @param look ms between two looks after that
 */
export function answerInTime(
  pulse: Pick<Pulse, 'silent'>,
  refuse: (error: VillageError, req: Request, res: Response) => void,
  patience = PATIENCE_MS,
  look = LOOK_MS,
): RequestHandler {
  return (req, res, next) => {
    let timer = setTimeout(function late() {
      // What the store answered while this process was busy is heard first.
      setImmediate(() => {
        if (res.headersSent || res.closed) return;
        if (pulse.silent) refuse(new VillageError('unavailable', { seconds: 2 }), req, res);
        else timer = setTimeout(late, look);
      });
    }, patience);
    res.once('close', () => {
      clearTimeout(timer);
    });
    next();
  };
}
