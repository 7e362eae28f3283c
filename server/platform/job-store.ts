import { MongoJobRepository } from '@agendajs/mongo-backend';
import { toJobId, type JobId, type JobParameters } from 'agenda';
import { Types, type Connection, type Model } from 'mongoose';
import type { Clock } from './clock.js';
import { randomId } from './ids.js';
import { jobModel, type Following, type JobRecord } from './job.model.js';
import { insertAll, isDuplicate } from './mongo.js';

/** Runs a job once more, later, with another payload if given. */
export interface Again {
  at: Date;
  payload?: unknown;
}
/** One payload from two of the same name, neither of which was done. */
export type Merge = (before: never, after: never) => unknown;
/** A job this process has taken. */
export interface Hand {
  record: JobRecord;
  leaving: AbortController;
  again: Again | null;
}
/** What the store must know of a kind. */
export interface KindRules {
  concurrency: number;
  attempts: number;
  merge: Merge;
}
/** A job that was seen to be due. */
type Due = Pick<JobRecord, '_id' | 'nextRunAt'>;
/** How many are looked up at once, and how long what was seen is good, in ms. */
const AHEAD = 50;
const FRESH_MS = 1000;
/** How long a job belongs to the worker that took it, unless it says that it still lives, in ms. */
export const LEASE_MS = 60_000;
const RENEW_MS = 20_000;
/** A clock that goes back by more than this, in ms, was set. */
const STEP_MS = 5000;
/** To Agenda a lock never ends: leases and time limits are ours. */
const FOR_EVER = new Date(8.64e15);
/** Nobody holds it. */
const LEFT = { holder: null, lockedAt: null };
const FREE = { ...LEFT, following: null };
const asked = (name: string, key: string, { data, at, priority }: Following): JobRecord => ({
  _id: new Types.ObjectId(),
  name,
  type: 'normal',
  data,
  priority,
  nextRunAt: at,
  lastRunAt: null,
  failedAt: null,
  failReason: null,
  key,
  takes: 0,
  attempts: 0,
  revision: 1,
  ...FREE,
});
const earlier = (a: Date, b: Date): Date => (a < b ? a : b);

/**
 * Agenda's jobs in MongoDB. Four of its steps are ours, because those of `MongoJobRepository` 4.0.3
 * lose work when a worker dies or is slow: saving a unique job again unlocks the one that runs and
 * replaces its payload; a state is saved by whoever lost the job too; what was asked for while a
 * job runs is overwritten at its end; a lock ends by the worker's clock alone. Here a job that is
 * held is due again when its lease ends, so that one condition finds both, and every change names
 * the take (or the revision) it is based on.
 */
export class JobStore extends MongoJobRepository {
  private readonly records: Model<JobRecord>;
  private readonly process = randomId();
  private readonly hands = new Map<string, Hand>();
  private readonly due = new Map<string, { at: number; jobs: Due[] }>();
  private readonly turns = new Map<string, Promise<unknown>>();
  private waiters: (() => void)[] = [];
  /** When it was at the last look. */
  private looked = -Infinity;
  private renewal: NodeJS.Timeout | null = null;
  private taking = 0;
  /** No further job is taken. */
  leaving = false;
  /** How many were taken, and how many of those are over. */
  taken = 0;
  over = 0;

  constructor(
    connection: Connection,
    private readonly clock: Clock,
    private readonly rules: (kind: string) => KindRules,
  ) {
    if (!connection.db) throw new Error('the store is closed');
    super({ mongo: connection.db, db: { collection: 'jobs' }, ensureIndex: false });
    this.records = jobModel(connection);
  }

  /**
   * Asks for a job. One of that name which waits takes up the payload, and comes at the earlier
   * time and the higher priority; behind one that runs, another run follows; one that had failed
   * for good is tried anew.
   */
  async ask(kind: string, key: string, { data, at, priority }: Following): Promise<void> {
    const { merge } = this.rules(kind);
    for (;;) {
      try {
        await this.records.create(asked(kind, key, { data, at, priority }));
        return;
      } catch (error) {
        if (!isDuplicate(error)) throw error;
      }
      const now = await this.records.findOne({ name: kind, key }).lean<JobRecord>();
      if (!now) continue;
      const before: Following | null =
        now.holder === null
          ? { data: now.data, at: now.nextRunAt ?? at, priority: now.priority }
          : now.following;
      const wanted: Following = before
        ? {
            data: merge(before.data as never, data as never),
            at: earlier(before.at, at),
            priority: Math.max(before.priority, priority),
          }
        : { data, at, priority };
      const change =
        now.holder === null
          ? {
              data: wanted.data,
              nextRunAt: wanted.at,
              priority: wanted.priority,
              ...(now.nextRunAt ? {} : { attempts: 0 }),
            }
          : { following: wanted };
      const { _id, holder, revision } = now;
      if (
        (
          await this.records.updateOne(
            { _id, holder, revision },
            { $set: change, $inc: { revision: 1 } },
          )
        ).matchedCount === 1
      )
        return;
    }
  }

  /** Asks for many jobs of a kind in one round trip. */
  async askMany(kind: string, wanted: ({ key: string } & Following)[]): Promise<void> {
    const refused = await insertAll(
      this.records,
      wanted.map(({ key, ...one }) => asked(kind, key, one)),
      false,
    );
    for (const at of refused) {
      const { key, ...one } = wanted[at] as (typeof wanted)[number];
      await this.ask(kind, key, one);
    }
  }

  /**
   * Takes the next job of a kind: the highest priority first, then the longest due. Called by
   * Agenda, which may look twice at once: the looks of a kind go one behind the other, so that the
   * second does not take what the first had left for later.
   */
  override getNextJobToRun(kind: string): Promise<JobParameters | undefined> {
    const turn = (this.turns.get(kind) ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.takeNext(kind));
    this.turns.set(kind, turn);
    return turn;
  }

  private async takeNext(kind: string): Promise<JobParameters | undefined> {
    const inHand = [...this.hands.values()].filter((one) => one.record.name === kind).length;
    if (inHand >= this.rules(kind).concurrency) return undefined;
    this.taking += 1;
    try {
      for (let unlucky = false; ;) {
        const next = await this.next(kind, unlucky);
        if (!next || this.leaving) return undefined;
        const record = await this.take(next);
        unlucky = !record;
        if (!record) continue;
        const { _id, attempts, following } = record;
        if (this.leaving) await this.putBack([record]);
        // Whoever had it before died each time: it may be the job that kills them.
        else if (attempts > this.rules(kind).attempts)
          await this.giveBack(record, {
            nextRunAt: null,
            failedAt: this.clock.now(),
            failReason: 'the worker died each time',
          });
        else {
          // What was asked for while a worker that died had it is part of this run.
          if (following)
            record.data = this.rules(kind).merge(record.data as never, following.data as never);
          const id = toJobId(_id.toHexString());
          this.hold(id, record);
          const { data, priority } = record;
          return {
            _id: id,
            name: kind,
            type: 'normal',
            data,
            priority,
            nextRunAt: new Date(),
            lockedAt: FOR_EVER,
            failCount: attempts - 1,
          };
        }
      }
    } finally {
      this.taking -= 1;
      this.look();
    }
  }

  /**
   * A job of a kind that is due. Fifty are looked up at once, because a store may sort all that are
   * due to find the first of them; they are good for a second, or until more is added. Who found
   * another one quicker goes on somewhere else in the list.
   */
  private async next(kind: string, elsewhere: boolean): Promise<Due | null> {
    let list = this.due.get(kind);
    if (!list || list.jobs.length === 0 || performance.now() - list.at > FRESH_MS) {
      list = { at: performance.now(), jobs: [] };
      this.due.set(kind, list);
      await this.heedClock();
      list.jobs = await this.records
        .find({ name: kind, nextRunAt: { $lte: this.clock.now() } }, { nextRunAt: 1 })
        .sort({ priority: -1, nextRunAt: 1 })
        .limit(AHEAD)
        .lean<Due[]>();
    }
    return (
      list.jobs.splice(elsewhere ? Math.floor(Math.random() * list.jobs.length) : 0, 1)[0] ?? null
    );
  }

  /**
   * A clock that was set back by an hour would let all that waits wait an hour longer: it comes now
   * instead (RELIABILITY F16).
   */
  private async heedClock(): Promise<void> {
    const now = this.clock.now();
    if (now.getTime() < this.looked - STEP_MS)
      await this.records.updateMany(
        { holder: null, nextRunAt: { $gt: now } },
        { $set: { nextRunAt: now }, $inc: { revision: 1 } },
      );
    this.looked = now.getTime();
  }

  /** More of a kind was added, perhaps of a higher priority. */
  forget(kind: string): void {
    this.due.delete(kind);
  }

  /** Takes a job if it still is as it was seen, by its id alone: that is quick in every store. */
  private async take({ _id, nextRunAt }: Due): Promise<JobRecord | null> {
    const now = this.clock.now();
    const until = new Date(now.getTime() + LEASE_MS);
    const taken = await this.records.updateOne(
      { _id, nextRunAt },
      {
        $set: { holder: this.process, lockedAt: now, lastRunAt: now, nextRunAt: until },
        $inc: { takes: 1, attempts: 1 },
      },
    );
    return taken.matchedCount === 1
      ? this.records.findOne({ _id, holder: this.process }).lean<JobRecord>()
      : null;
  }

  /** Agenda says what became of a job; while it runs there is nothing to store. */
  override async saveJobState(job: JobParameters): Promise<void> {
    const hand = this.hands.get(String(job._id));
    if (!hand || job.lockedAt) return;
    const { record, again } = hand;
    try {
      if (job.failCount === record.attempts) {
        // Agenda counts on the machine's clock, the hub on its own.
        const wait = job.nextRunAt ? job.nextRunAt.getTime() - Date.now() : null;
        const nextRunAt = wait === null ? null : new Date(this.clock.now().getTime() + wait);
        await this.giveBack(record, {
          nextRunAt,
          failedAt: this.clock.now(),
          failReason: job.failReason ?? null,
        });
      } else if (again) {
        const { at: nextRunAt, payload: data = record.data } = again;
        await this.giveBack({ ...record, data }, { nextRunAt, failReason: null, attempts: 0 });
      } else await this.finish(record);
    } finally {
      this.hands.delete(String(job._id));
      this.over += 1;
      this.look();
    }
  }

  /** A job is done: it is gone, or what was asked for meanwhile is next. */
  private async finish(record: JobRecord): Promise<void> {
    const mine = this.mine(record);
    for (let { revision } = record; ;) {
      if ((await this.records.deleteOne({ ...mine, revision })).deletedCount === 1) return;
      const now = await this.records.findOne(mine).lean<JobRecord>();
      if (!now?.following) return;
      ({ revision } = now);
      const { data, at: nextRunAt, priority } = now.following;
      const set = { data, nextRunAt, priority, attempts: 0, failReason: null, ...FREE };
      if (
        (await this.records.updateOne({ ...mine, revision }, { $set: set, $inc: { revision: 1 } }))
          .matchedCount === 1
      )
        return;
    }
  }

  /**
   * A job is to be done again, or was given up (`nextRunAt` null); what was asked for meanwhile is
   * part of that.
   */
  private async giveBack(
    record: JobRecord,
    change: Pick<JobRecord, 'nextRunAt'> & Partial<JobRecord>,
  ): Promise<void> {
    const mine = this.mine(record);
    for (;;) {
      const now = await this.records.findOne(mine).lean<JobRecord>();
      if (!now) return;
      const { revision } = now;
      // One that was there when the job was taken was part of this run.
      const more = revision === record.revision ? null : now.following;
      const joined = more && {
        data: this.rules(now.name).merge(record.data as never, more.data as never),
        nextRunAt: change.nextRunAt ? earlier(change.nextRunAt, more.at) : more.at,
        priority: Math.max(more.priority, now.priority),
      };
      const set = { data: record.data, ...change, ...joined, ...FREE };
      if (
        (await this.records.updateOne({ ...mine, revision }, { $set: set, $inc: { revision: 1 } }))
          .matchedCount === 1
      )
        return;
    }
  }

  private mine({ _id, takes }: Pick<JobRecord, '_id' | 'takes'>): {
    _id: JobRecord['_id'];
    holder: string;
    takes: number;
  } {
    return { _id, holder: this.process, takes };
  }

  /** Agenda took one more than it may run. */
  override async unlockJob(job: JobParameters): Promise<void> {
    await this.unlockJobs(job._id ? [job._id] : []);
  }

  /**
   * Agenda ends with these in hand that it has not begun. Never throws: their leases end by
   * themselves.
   */
  override async unlockJobs(ids: (JobId | string)[]): Promise<void> {
    await this.handBack(ids.map(String));
  }

  /**
   * Hands jobs of this process back (all, if none are named): another takes them at once. Never
   * throws.
   */
  async handBack(ids: string[] = [...this.hands.keys()]): Promise<void> {
    const back = ids.flatMap((id) => this.hands.get(id) ?? []);
    for (const id of ids) this.hands.delete(id);
    await this.putBack(back.map((one) => one.record)).catch(() => undefined);
    for (const one of back) one.leaving.abort(new Error('the worker leaves'));
    this.look();
  }

  private async putBack(records: Pick<JobRecord, '_id' | 'takes'>[]): Promise<void> {
    await Promise.all(
      records.map(({ _id, takes }) =>
        this.records.updateOne(this.mine({ _id, takes }), {
          $set: { nextRunAt: this.clock.now(), ...LEFT },
          $inc: { attempts: -1, revision: 1 },
        }),
      ),
    );
  }

  /** The job of this id in this process' hands. */
  hand(id: string): Hand | undefined {
    return this.hands.get(id);
  }

  /** Resolves when this process has nothing in hand and takes nothing. */
  async idle(): Promise<void> {
    if (this.busy()) await new Promise<void>((resolve) => this.waiters.push(resolve));
  }

  private hold(id: string, record: JobRecord): void {
    this.hands.set(id, { record, leaving: new AbortController(), again: null });
    this.taken += 1;
    this.renewal ??= setInterval(() => void this.renew().catch(() => undefined), RENEW_MS);
  }

  /**
   * Says that the jobs in hand are still alive, and no others: one whose taking or end the store
   * never told us of bears our name too, and must be free when its lease ends, however long we are
   * busy.
   */
  async renew(): Promise<void> {
    const held = [...this.hands.values()].map(({ record }) => record._id);
    const until = new Date(this.clock.now().getTime() + LEASE_MS);
    await this.records.updateMany(
      { _id: { $in: held }, holder: this.process },
      { $set: { nextRunAt: until } },
    );
  }

  private busy(): boolean {
    return this.hands.size > 0 || this.taking > 0;
  }

  private look(): void {
    if (this.busy()) return;
    if (this.renewal) clearInterval(this.renewal);
    this.renewal = null;
    for (const resolve of this.waiters.splice(0)) resolve();
  }
}
