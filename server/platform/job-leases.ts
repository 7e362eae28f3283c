import type { Model, Types } from 'mongoose';
import type { Clock } from './clock.js';
import type { DueJob } from './due-jobs.js';
import { randomId } from './ids.js';
import { mergeRequests, type JobRecord, type Merge } from './job.model.js';

/** How long a job belongs to the worker that took it, unless the worker renews its lease, in ms. */
const LEASE_MS = 60_000;

/** A job that this process took, by the take. */
type Taken = Pick<JobRecord, '_id' | 'takes'>;

/** The fields of a job that nobody holds. */
const RELEASED = { holder: null, lockedAt: null };
/** The same, where what was asked for meanwhile has been taken into the job. */
const FREE = { ...RELEASED, following: null };

/**
 * The leases by which this process holds jobs in the store. While a job is held it is due again
 * when its lease ends, so that one condition finds free jobs and those whose worker died. Every
 * change names the take (and the revision) it is based on: whoever lost a job changes nothing.
 */
export class JobLeases {
  private readonly process = randomId();

  constructor(
    private readonly records: Model<JobRecord>,
    private readonly clock: Clock,
    private readonly mergeOf: (kind: string) => Merge,
  ) {}

  /**
   * Takes a job if it still is as it was seen; null when somebody else was quicker. It is asked for
   * by its id alone, which is quick in every store.
   */
  async take({ _id, nextRunAt }: DueJob): Promise<JobRecord | null> {
    const now = this.clock.now();
    const { matchedCount } = await this.records.updateOne(
      { _id, nextRunAt },
      {
        $set: { holder: this.process, lockedAt: now, lastRunAt: now, nextRunAt: this.leaseEnd() },
        $inc: { takes: 1, attempts: 1 },
      },
    );
    return matchedCount === 1
      ? this.records.findOne({ _id, holder: this.process }).lean<JobRecord>()
      : null;
  }

  /**
   * Renews the leases of these jobs, and of no others: one whose taking or end the store never told
   * us of bears our name too, and must come free when its lease ends, however long we are busy.
   */
  async renew(ids: Types.ObjectId[]): Promise<void> {
    await this.records.updateMany(
      { _id: { $in: ids }, holder: this.process },
      { $set: { nextRunAt: this.leaseEnd() } },
    );
  }

  /** Ends a job that is done: it is removed, or what was asked for meanwhile is next. */
  async finish(job: JobRecord): Promise<void> {
    const held = this.held(job);
    for (let { revision } = job; ;) {
      const { deletedCount } = await this.records.deleteOne({ ...held, revision });
      if (deletedCount === 1) return;
      const present = await this.records.findOne(held).lean<JobRecord>();
      if (!present?.following) return;
      ({ revision } = present);
      const { data, at: nextRunAt, priority } = present.following;
      const change = { data, nextRunAt, priority, attempts: 0, failReason: null, ...FREE };
      if (await this.change({ ...held, revision }, change)) return;
    }
  }

  /**
   * Ends a job that is to be done again, or was given up (`nextRunAt` null). What was asked for
   * since it was taken becomes part of it, and makes it due in any case.
   */
  async giveBack(
    job: JobRecord,
    change: Pick<JobRecord, 'nextRunAt'> & Partial<JobRecord>,
  ): Promise<void> {
    const held = this.held(job);
    for (;;) {
      const present = await this.records.findOne(held).lean<JobRecord>();
      if (!present) return;
      const { revision, following, name, priority } = present;
      const merged: Partial<JobRecord> = {};
      // What was there when the job was taken was part of this run already.
      if (following && revision !== job.revision) {
        const again = { data: job.data, at: change.nextRunAt ?? following.at, priority };
        const request = mergeRequests(this.mergeOf(name), again, following);
        merged.data = request.data;
        merged.nextRunAt = request.at;
        merged.priority = request.priority;
      }
      const fields = { data: job.data, ...change, ...merged, ...FREE };
      if (await this.change({ ...held, revision }, fields)) return;
    }
  }

  /** Puts jobs back that were taken and not carried out; the attempt does not count. */
  async putBack(jobs: Taken[]): Promise<void> {
    await Promise.all(
      jobs.map((job) =>
        this.records.updateOne(this.held(job), {
          $set: { nextRunAt: this.clock.now(), ...RELEASED },
          $inc: { attempts: -1, revision: 1 },
        }),
      ),
    );
  }

  private leaseEnd(): Date {
    return new Date(this.clock.now().getTime() + LEASE_MS);
  }

  /** Finds the job only while this process holds it by that very take. */
  private held({ _id, takes }: Taken): Taken & { holder: string } {
    return { _id, holder: this.process, takes };
  }

  private async change(filter: object, fields: Partial<JobRecord>): Promise<boolean> {
    const { matchedCount } = await this.records.updateOne(filter, {
      $set: fields,
      $inc: { revision: 1 },
    });
    return matchedCount === 1;
  }
}
