import { MongoJobRepository } from '@agendajs/mongo-backend';
import { toJobId, type JobId, type JobParameters } from 'agenda';
import type { Connection } from 'mongoose';
import type { Clock } from './clock.js';
import { DueJobs } from './due-jobs.js';
import { JobLeases } from './job-leases.js';
import { JobRequests } from './job-requests.js';
import { jobModel, type JobRecord, type JobRequest, type Merge } from './job.model.js';

/** What a handler answers to be run again: when, and with which payload if not the same. */
export interface RunAgain {
  at: Date;
  payload?: unknown;
}
/** A job in the hands of this process. */
export interface JobInHand {
  record: JobRecord;
  /** Aborted when the process leaves. */
  leaving: AbortController;
  again: RunAgain | null;
}
/** What the store must know of a kind of job. */
export interface KindRules {
  concurrency: number;
  attempts: number;
  merge: Merge;
}

/** How often the leases of the jobs in hand are renewed, in ms. */
const RENEW_MS = 20_000;
/** To Agenda a lock never ends: leases and time limits are ours. */
const FOR_EVER = new Date(8.64e15);

/**
 * Agenda's jobs in MongoDB. Four of its steps are ours, because those of `MongoJobRepository` 4.0.3
 * lose work when a worker dies or is slow: saving a unique job again unlocks the one that runs and
 * replaces its payload (`JobRequests`); what is asked for while a job runs is overwritten at its
 * end, and the state of a job is saved also by a worker that lost it (`JobLeases`); a lock ends by
 * the worker's clock alone (`DueJobs`).
 */
export class JobStore extends MongoJobRepository {
  private readonly requests: JobRequests;
  private readonly due: DueJobs;
  private readonly leases: JobLeases;
  private readonly hands = new Map<string, JobInHand>();
  /** The last look for a job of each kind. */
  private readonly looks = new Map<string, Promise<unknown>>();
  private idleWaiters: (() => void)[] = [];
  private renewal: NodeJS.Timeout | null = null;
  private looksUnderWay = 0;
  /** Set by a process that leaves: no further job is taken. */
  isLeaving = false;
  /** How many jobs were taken in all, and how many of them have ended. */
  taken = 0;
  ended = 0;

  constructor(
    connection: Connection,
    private readonly clock: Clock,
    private readonly rules: (kind: string) => KindRules,
  ) {
    if (!connection.db) throw new Error('the store is closed');
    super({ mongo: connection.db, db: { collection: 'jobs' }, ensureIndex: false });
    const records = jobModel(connection);
    const mergeOf = (kind: string): Merge => rules(kind).merge;
    this.requests = new JobRequests(records, mergeOf);
    this.due = new DueJobs(records, clock);
    this.leases = new JobLeases(records, clock, mergeOf);
  }

  /** Asks for a job; see `JobRequests.add`. */
  add(kind: string, key: string, request: JobRequest): Promise<void> {
    return this.requests.add(kind, key, request);
  }

  /** Asks for many jobs of a kind in one round trip. */
  addMany(kind: string, requests: ({ key: string } & JobRequest)[]): Promise<void> {
    return this.requests.addMany(kind, requests);
  }

  /** Looks in the store at the next look: jobs of this kind were added. */
  heedAdded(kind: string): void {
    this.due.forget(kind);
  }

  /**
   * Takes the next job of a kind for Agenda, which may look twice at once: the looks of a kind go
   * one behind the other, so that the second does not take what the first left for later.
   */
  override getNextJobToRun(kind: string): Promise<JobParameters | undefined> {
    const look = (this.looks.get(kind) ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.takeNext(kind));
    this.looks.set(kind, look);
    return look;
  }

  private async takeNext(kind: string): Promise<JobParameters | undefined> {
    const inHand = [...this.hands.values()].filter(({ record }) => record.name === kind).length;
    if (inHand >= this.rules(kind).concurrency) return undefined;
    this.looksUnderWay += 1;
    try {
      for (let isOvertaken = false; ;) {
        const seen = await this.due.next(kind, isOvertaken);
        if (!seen || this.isLeaving) return undefined;
        const record = await this.leases.take(seen);
        isOvertaken = !record;
        if (record && (await this.mayRun(record))) return this.takeInHand(record);
      }
    } finally {
      this.looksUnderWay -= 1;
      this.checkIdle();
    }
  }

  /** Whether a job that was taken may be run; else it is put back, or given up. */
  private async mayRun(record: JobRecord): Promise<boolean> {
    if (this.isLeaving) {
      await this.leases.putBack([record]);
      return false;
    }
    if (record.attempts <= this.rules(record.name).attempts) return true;
    // Whoever had it before died each time: it may be the job that kills them.
    await this.leases.giveBack(record, {
      nextRunAt: null,
      failedAt: this.clock.now(),
      failReason: 'the worker died each time',
    });
    return false;
  }

  private takeInHand(record: JobRecord): JobParameters {
    const { _id, name, attempts, following, priority } = record;
    // What was asked for while a worker that died had it is part of this run.
    if (following)
      record.data = this.rules(name).merge(record.data as never, following.data as never);
    const id = toJobId(_id.toHexString());
    this.hands.set(id, { record, leaving: new AbortController(), again: null });
    this.taken += 1;
    this.renewal ??= setInterval(() => void this.renew().catch(() => undefined), RENEW_MS);
    return {
      _id: id,
      name,
      type: 'normal',
      data: record.data,
      priority,
      nextRunAt: new Date(),
      lockedAt: FOR_EVER,
      failCount: attempts - 1,
    };
  }

  /** Stores how a job ended, as Agenda tells it; while a job runs there is nothing to store. */
  override async saveJobState(job: JobParameters): Promise<void> {
    const id = String(job._id);
    const hand = this.hands.get(id);
    if (!hand || job.lockedAt) return;
    try {
      await this.storeEnd(hand, job);
    } finally {
      this.hands.delete(id);
      this.ended += 1;
      this.checkIdle();
    }
  }

  private async storeEnd({ record, again }: JobInHand, job: JobParameters): Promise<void> {
    const hasFailed = job.failCount === record.attempts;
    if (hasFailed) {
      // Agenda counts on the machine's clock, the hub on its own.
      const wait = job.nextRunAt ? job.nextRunAt.getTime() - Date.now() : null;
      await this.leases.giveBack(record, {
        nextRunAt: wait === null ? null : new Date(this.clock.now().getTime() + wait),
        failedAt: this.clock.now(),
        failReason: job.failReason ?? null,
      });
    } else if (again) {
      const { at: nextRunAt, payload: data = record.data } = again;
      await this.leases.giveBack({ ...record, data }, { nextRunAt, failReason: null, attempts: 0 });
    } else await this.leases.finish(record);
  }

  /** Called by Agenda when it took a job more than it may run. Never throws. */
  override async unlockJob(job: JobParameters): Promise<void> {
    await this.unlockJobs(job._id ? [job._id] : []);
  }

  /** Called by Agenda when it stops before it has begun these. Never throws. */
  override async unlockJobs(ids: (JobId | string)[]): Promise<void> {
    await this.handBack(ids.map(String));
  }

  /**
   * Hands jobs of this process back (all of them if none are named): another takes them at once.
   * Never throws: what the store does not hear of comes free when its lease ends.
   */
  async handBack(ids: string[] = [...this.hands.keys()]): Promise<void> {
    const hands = ids.flatMap((id) => this.hands.get(id) ?? []);
    for (const id of ids) this.hands.delete(id);
    await this.leases.putBack(hands.map(({ record }) => record)).catch(() => undefined);
    for (const { leaving } of hands) leaving.abort(new Error('the worker leaves'));
    this.checkIdle();
  }

  /** The job of this id, if this process has it in hand. */
  hand(id: string): JobInHand | undefined {
    return this.hands.get(id);
  }

  /** Resolves when this process has no job in hand and takes none. */
  async idle(): Promise<void> {
    if (this.isBusy()) await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  /** Renews the leases of all jobs in hand. */
  async renew(): Promise<void> {
    await this.leases.renew([...this.hands.values()].map(({ record }) => record._id));
  }

  private isBusy(): boolean {
    return this.hands.size > 0 || this.looksUnderWay > 0;
  }

  private checkIdle(): void {
    if (this.isBusy()) return;
    if (this.renewal) clearInterval(this.renewal);
    this.renewal = null;
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }
}
