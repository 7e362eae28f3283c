import { Schema, type Connection, type Model, type Types } from 'mongoose';
import { model } from './mongo.js';

/** What is asked of a job: its payload, from when it may run, and how urgent it is. */
export interface JobRequest {
  data: unknown;
  at: Date;
  priority: number;
}

/**
 * A piece of work that outlasts a crash, in the form in which Agenda stores its jobs (`name` is the
 * kind); the fields after `failReason` are ours. There is at most one of a kind and `key`. The
 * shard key is `name`.
 */
export interface JobRecord {
  _id: Types.ObjectId;
  name: string;
  type: 'normal';
  data: unknown;
  priority: number;
  /**
   * From when it may be taken; while a worker holds it, when that worker's lease ends. Null for a
   * job that failed too often and waits for somebody of the staff.
   */
  nextRunAt: Date | null;
  lockedAt: Date | null;
  lastRunAt: Date | null;
  failedAt: Date | null;
  failReason: string | null;
  /** Which job of its kind this is. */
  key: string;
  /** The process that holds it. */
  holder: string | null;
  /**
   * Grows each time the job is taken and is never set back, so that a holder who lost it to another
   * changes nothing more.
   */
  takes: number;
  /** How often it was begun since it last ended well, by workers that died with it too. */
  attempts: number;
  /** Grows with every request, so that whoever ends the job knows whether more was asked of it. */
  revision: number;
  /** What was asked for while it ran: that is done next. */
  following: JobRequest | null;
}

const schema = new Schema<JobRecord>({
  name: String,
  type: String,
  data: Schema.Types.Mixed,
  priority: Number,
  nextRunAt: Date,
  lockedAt: Date,
  lastRunAt: Date,
  failedAt: Date,
  failReason: String,
  key: String,
  holder: String,
  takes: Number,
  attempts: Number,
  revision: Number,
  following: Schema.Types.Mixed,
});
schema.index({ name: 1, key: 1 }, { unique: true });
schema.index({ name: 1, nextRunAt: 1 });
schema.index({ holder: 1 });

/** The collection of jobs. */
export const jobModel = (connection: Connection): Model<JobRecord> =>
  model(connection, 'Job', schema, 'jobs');

/** Makes one payload from two of the same job, of which the earlier one was not carried out. */
export type Merge = (earlier: never, later: never) => unknown;

/** Two requests for the same job as one: at the earlier time and with the higher priority. */
export const mergeRequests = (
  merge: Merge,
  earlier: JobRequest,
  later: JobRequest,
): JobRequest => ({
  data: merge(earlier.data as never, later.data as never),
  at: earlier.at < later.at ? earlier.at : later.at,
  priority: Math.max(earlier.priority, later.priority),
});
