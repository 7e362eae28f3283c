import { Schema, type Connection, type Model, Types } from 'mongoose';
import type { Clock } from './clock.js';
import { model } from './mongo.js';

/** One line of the audit log (ASVS 16.2): who did what to whom, when, with what before and after. */
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

/** Append-only: this class can add and read, nothing here can change or remove a line. */
export class Audit {
  private readonly records: Model<AuditRecord>;

  constructor(
    connection: Connection,
    private readonly clock: Clock,
  ) {
    this.records = model(connection, 'Audit', schema, 'audit');
  }

  async add(line: { by: string; act: string; on: string; reason?: string | null; before?: unknown; after?: unknown; request?: string | null }): Promise<void> {
    await this.records.create({ reason: null, before: null, after: null, request: null, ...line, at: this.clock.now() });
  }

  /** Newest first. */
  async about(on: string, limit = 50): Promise<AuditRecord[]> {
    return this.records.find({ on }).sort({ at: -1, _id: -1 }).limit(limit).lean();
  }
}
