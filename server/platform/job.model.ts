import { Schema, type Connection, type Model, type Types } from 'mongoose';
import { model } from './mongo.js';

/** What was asked for while a job of that name ran: it is done next. */
export interface Following {
  data: unknown;
  at: Date;
  priority: number;
}
/**
 * A piece of work that outlasts a crash, in the form Agenda stores its jobs (`name` is its kind),
 * with what makes it ours below. At most one of a kind and `key` exists. The shard key is `name`.
 */
export interface JobRecord {
  _id: Types.ObjectId;
  name: string;
  type: 'normal';
  data: unknown;
  priority: number;
  /**
   * From when it may be taken. While a worker holds it: when its lease ends. Null: it failed too
   * often and waits for somebody of the staff.
   */
  nextRunAt: Date | null;
  lockedAt: Date | null;
  lastRunAt: Date | null;
  failedAt: Date | null;
  failReason: string | null;
  /** Which one of its kind this is. */
  key: string;
  /** Which process has it in hand. */
  holder: string | null;
  /**
   * Grows each time it is taken, and is never set back: a holder that lost it to the next one
   * changes nothing more.
   */
  takes: number;
  /** How often it was begun since it last ended well, workers that died with it included. */
  attempts: number;
  /** Grows with what is asked of it: whoever ends it knows whether more was asked meanwhile. */
  revision: number;
  following: Following | null;
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
export const jobModel = (connection: Connection): Model<JobRecord> =>
  model(connection, 'Job', schema, 'jobs');
