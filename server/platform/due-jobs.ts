import type { Model } from 'mongoose';
import type { Clock } from './clock.js';
import type { JobRecord } from './job.model.js';

/** A job that was seen to be due. */
export type DueJob = Pick<JobRecord, '_id' | 'nextRunAt'>;

/** How many due jobs are read at once, and for how long what was read is good, in ms. */
const READ_AHEAD = 50;
const FRESH_MS = 1000;
/** A clock that goes back by more than this, in ms, was set. */
const STEP_MS = 5000;

/**
 * Finds jobs that are due. Fifty of a kind are read at once, because a store may sort all that are
 * due to find the first of them; they are good for a second, or until `forget` says that there are
 * more.
 */
export class DueJobs {
  private readonly seen = new Map<string, { readAt: number; jobs: DueJob[] }>();
  /** The time at the last read, by the hub's clock. */
  private lastTime = -Infinity;

  constructor(
    private readonly records: Model<JobRecord>,
    private readonly clock: Clock,
  ) {}

  /**
   * The next due job of a kind: the highest priority first, then the longest due; null if there is
   * none. With `elsewhere` any of those that were read: for whoever finds that another process is
   * quicker at the head of the list.
   */
  async next(kind: string, elsewhere: boolean): Promise<DueJob | null> {
    let list = this.seen.get(kind);
    if (!list || list.jobs.length === 0 || performance.now() - list.readAt > FRESH_MS) {
      list = { readAt: performance.now(), jobs: [] };
      this.seen.set(kind, list);
      await this.heedClock();
      list.jobs = await this.records
        .find({ name: kind, nextRunAt: { $lte: this.clock.now() } }, { nextRunAt: 1 })
        .sort({ priority: -1, nextRunAt: 1 })
        .limit(READ_AHEAD)
        .lean<DueJob[]>();
    }
    const index = elsewhere ? Math.floor(Math.random() * list.jobs.length) : 0;
    return list.jobs.splice(index, 1)[0] ?? null;
  }

  /** Forgets what was read of a kind: more was added, perhaps of a higher priority. */
  forget(kind: string): void {
    this.seen.delete(kind);
  }

  /**
   * Makes all that waits due if the clock was set back: else a step of an hour would let it wait an
   * hour longer (RELIABILITY F16).
   */
  private async heedClock(): Promise<void> {
    const now = this.clock.now();
    if (now.getTime() < this.lastTime - STEP_MS)
      await this.records.updateMany(
        { holder: null, nextRunAt: { $gt: now } },
        { $set: { nextRunAt: now }, $inc: { revision: 1 } },
      );
    this.lastTime = now.getTime();
  }
}
