import { VillageError } from '../errors.js';
import type { Clock } from '../platform/clock.js';
import { isStoreAway } from '../platform/mongo.js';
import type { Command, Outcome } from './command.js';
import { earliest } from './instants.js';
import { jitter } from './jitter.js';
import { isSettled, type Submission } from './submission.js';

/** How long commands are tried before they are answered with 503 (LEDGER 2). */
const PATIENCE_MS = 2000;
/**
 * The fewest ms between the beginnings of two flushes. A flush costs four commands of the store
 * whatever it holds: at 500 awards a second, flushes as fast as they go spent nearly all of two
 * cores on them (p99 71 to 180 ms), at this pace p99 was 54 ms. A lone command never waits.
 */
const PACE_MS = 12;
const QUEUE_LIMIT = 20_000;
/** Submissions of one flush. */
const FLUSH_LIMIT = 400;

/** A fan whose insert may or may not be stored, and since when, in ms. */
export interface UnsureFan {
  fan: string;
  since: number;
}

/**
 * Gathers commands into flushes (LEDGER 2): one flush is in flight, and what arrives meanwhile is
 * the next. A flush gives outcomes to submissions; those it leaves open are flushed again, until
 * their patience ends.
 */
export class GroupCommit {
  private queue: Submission[] = [];
  /** Since when the oldest submission in flight has waited, in ms. */
  private oldestInFlight = Infinity;
  private lastBegun = -Infinity;
  private running: Promise<void> | null = null;

  constructor(
    private readonly clock: Clock,
    /** Gives outcomes to submissions, at most one a fan. Throws when the store does not answer. */
    private readonly flush: (submissions: Submission[], now: Date) => Promise<void>,
    /** Hears of fans with an insert of unknown fate, when nobody tries any more to learn it. */
    private readonly unsure: (fans: UnsureFan[]) => void,
  ) {}

  /**
   * Submits commands of one fan. Throws `busy` when the queue is full, `unavailable` when patience
   * ends, and whatever else fails a flush.
   */
  submit(fan: string, commands: Command[]): Promise<Outcome[]> {
    if (this.queue.length >= QUEUE_LIMIT)
      return Promise.reject(new VillageError('busy', { seconds: 2 }));
    return new Promise((resolve, reject) => {
      this.queue.push({
        fan,
        commands,
        since: this.clock.now().getTime(),
        until: performance.now() + PATIENCE_MS,
        outcomes: commands.map(() => null),
        attempts: commands.map(() => []),
        resolve,
        reject,
      });
      this.running ??= this.run();
    });
  }

  /**
   * Entries older than this instant (ms) need no more care from this process: each is acknowledged
   * and heard, or will never be sent.
   */
  get clearTo(): number {
    return earliest(
      this.queue.map(({ since }) => since),
      Math.min(this.oldestInFlight, this.clock.now().getTime()),
    );
  }

  /** Resolves when nothing is queued or in flight. */
  async idle(): Promise<void> {
    while (this.running) await this.running;
  }

  private async run(): Promise<void> {
    // What arrives in this turn of the event loop joins the first flush.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      while (this.queue.length > 0) {
        const wait = PACE_MS - (performance.now() - this.lastBegun);
        if (wait > 0.5) await new Promise((resolve) => setTimeout(resolve, wait));
        this.lastBegun = performance.now();
        await this.commit(this.takeNext());
      }
    } finally {
      this.oldestInFlight = Infinity;
      this.running = null;
    }
  }

  /**
   * Takes the submissions of the next flush out of the queue: first come, first served, one a fan.
   */
  private takeNext(): Submission[] {
    const taken: Submission[] = [];
    const left: Submission[] = [];
    const fans = new Set<string>();
    for (const submission of this.queue) {
      if (taken.length < FLUSH_LIMIT && !fans.has(submission.fan)) {
        fans.add(submission.fan);
        taken.push(submission);
      } else left.push(submission);
    }
    this.queue = left;
    return taken;
  }

  /**
   * Flushes submissions, answers those that are settled or out of patience, and queues the rest.
   */
  private async commit(submissions: Submission[]): Promise<void> {
    const begun = this.lastBegun;
    const now = this.clock.now();
    // If the clock was set back while they waited, what is written now bears the earlier instant.
    for (const submission of submissions)
      submission.since = Math.min(submission.since, now.getTime());
    this.oldestInFlight = earliest(submissions.map(({ since }) => since));
    try {
      await this.flush(submissions, now);
    } catch (error) {
      if (!isStoreAway(error)) {
        this.unsure(submissions.map(({ fan, since }) => ({ fan, since })));
        for (const { reject } of submissions) reject(error);
        return;
      }
      // Without an answer nothing is known; what was stored is recognised when deeds are read
      // again.
      if (submissions.some(({ until }) => until > begun)) await jitter();
    }
    const again: Submission[] = [];
    for (const submission of submissions) {
      if (isSettled(submission)) submission.resolve(submission.outcomes as Outcome[]);
      else if (submission.until < begun) this.giveUp(submission);
      else again.push(submission);
    }
    this.queue.unshift(...again);
  }

  private giveUp({ fan, since, attempts, reject }: Submission): void {
    if (attempts.some((sent) => sent.length > 0)) this.unsure([{ fan, since }]);
    reject(new VillageError('unavailable', { seconds: 2 }));
  }
}
