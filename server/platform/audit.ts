import { Schema, type ClientSession, type Connection, type Model, Types } from 'mongoose';
import type { Clock } from './clock.js';
import { model } from './mongo.js';

/**
 * One line of the audit log (ASVS 16.2): who did what to whom, when, with what before and after.
 */
export interface AuditRecord {
  _id: Types.ObjectId;
  at: Date;
  by: string;
  act: string;
  on: string;
  reason: string | null;
  before: unknown;
  after: unknown;
  request: string | null;
}
/** What is told of an act; the log adds the instant. */
export interface AuditLine {
  by: string;
  act: string;
  on: string;
  reason?: string | null;
  before?: unknown;
  after?: unknown;
  request?: string | null;
}
const schema = new Schema<AuditRecord>({
  at: Date,
  by: String,
  act: String,
  on: String,
  reason: String,
  before: Schema.Types.Mixed,
  after: Schema.Types.Mixed,
  request: String,
});
schema.index({ on: 1, at: -1 });
schema.index({ at: -1 });

/** A line of the log was to be changed or removed: a fault of ours, never an answer. */
export class LogIsFinal extends Error {
  constructor() {
    super('the audit log is added to, and never changed');
    this.name = 'LogIsFinal';
  }
}
const refuse = (): never => {
  throw new LogIsFinal();
};
// Every way that a model has to touch what is stored (ASVS 16.4.2); `insertMany` and a new
// document's `save` are the ways to add.
schema.pre(
  ['updateOne', 'updateMany', 'findOneAndUpdate', 'replaceOne', 'findOneAndReplace'],
  refuse,
);
schema.pre(['deleteOne', 'deleteMany', 'findOneAndDelete'], refuse);
schema.pre(['updateOne', 'deleteOne'], { document: true, query: false }, refuse);
schema.pre('bulkWrite', refuse);
schema.pre('save', function () {
  if (!this.isNew) refuse();
});

/** Append-only: lines are added and read; the model itself refuses every change and removal. */
export class Audit {
  private readonly records: Model<AuditRecord>;

  constructor(
    connection: Connection,
    private readonly clock: Clock,
  ) {
    this.records = model(connection, 'Audit', schema, 'audit');
  }

  /**
   * Adds a line. With a session it is written in its transaction: what was done and the line that
   * tells of it are stored together or not at all.
   */
  async add(line: AuditLine, session?: ClientSession): Promise<void> {
    const record: Omit<AuditRecord, '_id'> = {
      reason: null,
      before: null,
      after: null,
      request: null,
      ...line,
      at: this.clock.now(),
    };
    await this.records.create([record], session ? { session } : {});
  }

  /** The lines about one thing, newest first. */
  async about(on: string, limit = 50): Promise<AuditRecord[]> {
    return this.records.find({ on }).sort({ at: -1, _id: -1 }).limit(limit).lean();
  }
}
