import { Queue, Worker } from 'bullmq';
import { Schema, type Connection, type Model } from 'mongoose';
import { within, type Clock } from './clock.js';
import { randomId } from './ids.js';
import type { Log } from './logs.js';
import { isDuplicate, model } from './mongo.js';
import type { RedisClients } from './redis.js';

/** A piece of work that outlasts a crash. `_id` names it: asked for twice while it waits, it is done once. */
export interface JobRecord {
  _id: string;
  kind: string;
  payload: unknown;
  state: 'waiting' | 'running';
  runAt: Date;
  until: Date;
  holder: string | null;
  attempts: number;
  error: string | null;
}
const schema = new Schema<JobRecord>({
  _id: String,
  kind: String,
  payload: Schema.Types.Mixed,
  state: String,
  runAt: Date,
  until: Date,
  holder: String,
  attempts: Number,
  error: String,
});
schema.index({ runAt: 1, until: 1 });

/** Runs a job once more, later, with another payload if given. */
export interface Again {
  at: Date;
  payload?: unknown;
}
/** What does a kind of job; the payload is what `add` was given, so its doer knows its shape. */
export type Handler = (payload: never) => Promise<Again | null>;
const LEASE_MS = 60_000;
const RENEW_MS = 20_000;
const POLL_MS = 2000;
/** How long one who leaves waits for the job in hand, in ms. */
const LEAVE_MS = 5000;

/**
 * Jobs are documents in MongoDB; BullMQ only wakes the worker (DESIGN 5), so a lost Redis delays and loses nothing. A handler may be
 * run twice (a killed worker's job is taken over when its lease ends) and must bear it; it may answer when to run next. The lease is
 * renewed for as long as the handler runs.
 */
export class Jobs {
  private readonly records: Model<JobRecord>;
  private readonly handlers = new Map<string, Handler>();
  private queue: Queue | null = null;
  private waker: Worker | null = null;
  private timer: NodeJS.Timeout | null = null;
  private draining: Promise<number> | null = null;
  private again = false;
  private leaving = false;
  private inHand: Pick<JobRecord, '_id' | 'holder'> | null = null;

  constructor(
    connection: Connection,
    private readonly redis: RedisClients,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    this.records = model(connection, 'Job', schema, 'jobs');
  }

  /** Says who does a kind of job. */
  handle(kind: string, handler: Handler): void {
    this.handlers.set(kind, handler);
  }

  /** Asks for a job; one of the same name that still waits is left as it is. */
  async add(kind: string, name: string, payload: unknown, runAt = this.clock.now()): Promise<string> {
    const _id = `${kind}:${name}`;
    try {
      await this.records.create({ _id, kind, payload, state: 'waiting', runAt, until: new Date(0), holder: null, attempts: 0, error: null });
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
    this.wake();
    return _id;
  }

  private wake(): void {
    if (!this.queue) {
      this.queue = new Queue('wake', {
        connection: this.redis.commands,
        prefix: `${this.redis.prefix}bull`,
        defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
      });
      this.queue.on('error', () => undefined);
    }
    this.queue.add('wake', {}).catch(() => undefined);
  }

  /** Starts to work: woken by BullMQ, and by a slow poll should nobody wake. */
  start(): void {
    this.waker = new Worker(
      'wake',
      async () => {
        await this.drain();
      },
      { connection: this.redis.blocking(), prefix: `${this.redis.prefix}bull` },
    );
    this.waker.on('error', () => undefined);
    const poll = (): void => {
      this.timer = setTimeout(() => {
        void this.drain()
          .catch(() => 0)
          .finally(() => {
            if (!this.leaving) poll();
          });
      }, POLL_MS);
    };
    poll();
  }

  /** Takes no further job, and hands back the one in hand if it is not done within five seconds: another takes it over at once. */
  async stop(): Promise<void> {
    this.leaving = true;
    if (this.timer) clearTimeout(this.timer);
    await this.waker?.close(true).catch(() => undefined);
    await this.queue?.close().catch(() => undefined);
    if (!this.draining) return;
    await within(this.draining, LEAVE_MS).catch(() => 0);
    if (this.inHand) await this.records.updateOne(this.inHand, { $set: { until: new Date(0) } }).catch(() => undefined);
  }

  /** Does every job that is due now; answers how many. */
  drain(): Promise<number> {
    this.again = true;
    this.draining ??= this.work().finally(() => {
      this.draining = null;
    });
    return this.draining;
  }

  private async work(): Promise<number> {
    let done = 0;
    while (this.again && !this.leaving) {
      this.again = false;
      for (;;) {
        const job = this.leaving ? null : await this.claim();
        if (!job) break;
        await this.run(job);
        done += 1;
      }
    }
    return done;
  }

  private async claim(): Promise<JobRecord | null> {
    const now = this.clock.now();
    return this.records
      .findOneAndUpdate(
        { kind: { $in: [...this.handlers.keys()] }, runAt: { $lte: now }, until: { $lte: now } },
        { $set: { state: 'running', holder: randomId(), until: new Date(now.getTime() + LEASE_MS) }, $inc: { attempts: 1 } },
        { sort: { runAt: 1 }, returnDocument: 'after' },
      )
      .lean();
  }

  private async run(job: JobRecord): Promise<void> {
    const mine = { _id: job._id, holder: job.holder };
    this.inHand = mine;
    const renewal = setInterval(() => {
      this.records.updateOne(mine, { $set: { until: new Date(this.clock.now().getTime() + LEASE_MS) } }).catch(() => undefined);
    }, RENEW_MS);
    try {
      const next = await this.handlers.get(job.kind)?.(job.payload as never);
      if (next) {
        const { at: runAt, payload = job.payload } = next;
        await this.records.updateOne(mine, { $set: { state: 'waiting', holder: null, runAt, payload, until: new Date(0), attempts: 0, error: null } });
      } else await this.records.deleteOne(mine);
    } catch (error) {
      this.log.warn({ err: error, job: job._id, attempts: job.attempts }, 'jobs: a job failed and will be tried again');
      const wait = Math.min(3_600_000, 1000 * 2 ** Math.min(job.attempts, 12)) * (0.75 + Math.random() / 2);
      await this.records
        .updateOne(mine, {
          $set: { state: 'waiting', holder: null, until: new Date(0), runAt: new Date(this.clock.now().getTime() + wait), error: String(error) },
        })
        .catch(() => undefined);
    } finally {
      clearInterval(renewal);
      this.inHand = null;
    }
  }
}
