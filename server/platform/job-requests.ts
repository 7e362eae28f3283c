import { Types, type Model } from 'mongoose';
import { mergeRequests, type JobRecord, type JobRequest, type Merge } from './job.model.js';
import { insertAll, isDuplicate } from './mongo.js';

/** Takes requests for jobs: a new job, or more of one that is there. */
export class JobRequests {
  constructor(
    private readonly records: Model<JobRecord>,
    private readonly mergeOf: (kind: string) => Merge,
  ) {}

  /**
   * Asks for a job. One of the same key that waits takes the request in (see `mergeRequests`), also
   * one that had been given up, which is tried again; behind one that runs, another run follows.
   */
  async add(kind: string, key: string, request: JobRequest): Promise<void> {
    for (;;) {
      try {
        await this.records.create(newRecord(kind, key, request));
        return;
      } catch (error) {
        if (!isDuplicate(error)) throw error;
      }
      const present = await this.records.findOne({ name: kind, key }).lean<JobRecord>();
      if (present && (await this.addTo(present, request))) return;
    }
  }

  /** Asks for many jobs of a kind in one round trip, each as `add` does. */
  async addMany(kind: string, requests: ({ key: string } & JobRequest)[]): Promise<void> {
    const documents = requests.map(({ key, ...request }) => newRecord(kind, key, request));
    for (const index of await insertAll(this.records, documents, false)) {
      const { key, ...request } = requests[index] as (typeof requests)[number];
      await this.add(kind, key, request);
    }
  }

  /** Adds a request to a job as it was read; false when the job has changed since. */
  private async addTo(job: JobRecord, request: JobRequest): Promise<boolean> {
    const { _id, name, holder, revision } = job;
    const isHeld = holder !== null;
    const waiting: JobRequest | null = isHeld
      ? job.following
      : { data: job.data, at: job.nextRunAt ?? request.at, priority: job.priority };
    const merged = waiting ? mergeRequests(this.mergeOf(name), waiting, request) : request;
    const { data, at: nextRunAt, priority } = merged;
    const change = isHeld
      ? { following: merged }
      : { data, nextRunAt, priority, ...(job.nextRunAt ? {} : { attempts: 0 }) };
    const { matchedCount } = await this.records.updateOne(
      { _id, holder, revision },
      { $set: change, $inc: { revision: 1 } },
    );
    return matchedCount === 1;
  }
}

const newRecord = (name: string, key: string, { data, at, priority }: JobRequest): JobRecord => ({
  _id: new Types.ObjectId(),
  name,
  type: 'normal',
  data,
  priority,
  nextRunAt: at,
  lockedAt: null,
  lastRunAt: null,
  failedAt: null,
  failReason: null,
  key,
  holder: null,
  takes: 0,
  attempts: 0,
  revision: 1,
  following: null,
});
