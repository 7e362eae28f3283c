import { Schema, type Connection, type Model } from 'mongoose';
import { model } from '../platform/mongo.js';

/** Whether somebody competes now, did once, or is qualified for an edition. */
export type AthleteStatus = 'active' | 'former' | 'qualified';

/**
 * A person of the directory. Public facts only. Kept whole (a few hundred thousand at most), not
 * sharded.
 */
export interface AthleteRecord {
  /** The first slug the person had: an id that never changes. */
  _id: string;
  /** The current slug first, then the old ones, which redirect for ever. */
  slugs: string[];
  /** The names those slugs were made from (`ana-diver` of `ana-diver-2`), to find a free number. */
  bases: string[];
  source: string;
  sourceId: string;
  name: string;
  /** The folded words of the name. */
  words: string[];
  sex: string;
  noc: string;
  country: string;
  disciplines: string[];
  games: string[];
  medals: { gold: number; silver: number; bronze: number };
  lastYear: number;
  status: AthleteStatus;
  /** Networks with a verified account: a copy that the registry keeps, for search. */
  networks: string[];
  /** Whoever objects is hidden, and stays hidden after a re-import. */
  hidden: boolean;
  /** An invented person of the demo. */
  demo: boolean;
  /** Digest of the imported row: an unchanged one is skipped. */
  digest: string;
  /** Revision of the directory at the last change. */
  revision: number;
}

const schema = new Schema<AthleteRecord>({
  _id: String,
  slugs: [String],
  bases: [String],
  source: String,
  sourceId: String,
  name: String,
  words: [String],
  sex: String,
  noc: String,
  country: String,
  disciplines: [String],
  games: [String],
  medals: { gold: Number, silver: Number, bronze: Number },
  lastYear: Number,
  status: String,
  networks: [String],
  hidden: Boolean,
  demo: Boolean,
  digest: String,
  revision: Number,
});
schema.index({ slugs: 1 }, { unique: true });
schema.index({ source: 1, sourceId: 1 }, { unique: true });
schema.index({ bases: 1 });
schema.index({ words: 1 });
schema.index({ networks: 1 });
schema.index({ revision: 1 });
schema.index({ hidden: 1 }, { partialFilterExpression: { hidden: true } });

/** The people of the directory. */
export const athleteModel = (connection: Connection): Model<AthleteRecord> =>
  model(connection, 'Athlete', schema, 'athletes');
