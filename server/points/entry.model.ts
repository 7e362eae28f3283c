import { Schema, type Connection, type Model } from 'mongoose';
import { model } from '../platform/mongo.js';
import type { Entry } from './entry.js';

/**
 * Shard key: `fan`. The fields are described in `entry.ts`. Entries are written through the bare
 * collection (`entry-writer.ts`): the schema is here for reading and for its indexes.
 */
const schema = new Schema<Entry>({
  v: Number,
  fan: String,
  seq: Number,
  deed: String,
  turn: Number,
  delta: Number,
  after: Schema.Types.Mixed,
  account: String,
  on: String,
  athlete: String,
  disciplines: [String],
  season: String,
  earnedAt: Date,
  rule: Number,
  card: String,
  cause: String,
  act: String,
  link: String,
  evidence: String,
  askedAt: Date,
  at: Date,
  prev: String,
  hash: String,
});
schema.index({ fan: 1, seq: 1 }, { unique: true });
schema.index({ fan: 1, deed: 1, turn: 1 }, { unique: true });
schema.index({ deed: 1, fan: 1 });
schema.index({ at: 1 });

/** The entries of all fans, on this connection. */
export const entryModel = (connection: Connection): Model<Entry> =>
  model(connection, 'Entry', schema, 'entries');
