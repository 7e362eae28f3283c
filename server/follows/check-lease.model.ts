import { Schema, type Connection, type Model } from 'mongoose';
import { model } from '../platform/mongo.js';

/** The right to check one fan on one network, and how far the last check came. */
export interface CheckLeaseRecord {
  /** Fan and network. */
  _id: string;
  /** Null while nobody checks. */
  holder: string | null;
  /** Grows at each renewal: a sign of life that no clock can spoil. */
  beat: number;
  /**
   * Grows with each check: what one heard is older than what a later one heard, whatever the clocks
   * said.
   */
  round: number;
  askedAt: Date;
  until: Date;
  done: number;
  total: number;
  awarded: number;
  /**
   * The accounts of a short check, for whoever finds that it ended half-way; null for a long one.
   */
  about: string[] | null;
  /** A check that ended half-way is made again already. */
  chased: boolean;
}
/** Who holds a lease, as far as taking and renewing it need to know. */
export type Holding = Pick<CheckLeaseRecord, '_id' | 'holder' | 'beat' | 'round'>;

const schema = new Schema<CheckLeaseRecord>({
  _id: String,
  holder: String,
  beat: Number,
  round: Number,
  askedAt: Date,
  until: Date,
  done: Number,
  total: Number,
  awarded: Number,
  about: [String],
  chased: Boolean,
});
schema.index({ holder: 1 });

/** The leases of a connection. */
export const checkLeaseModel = (connection: Connection): Model<CheckLeaseRecord> =>
  model(connection, 'CheckLease', schema, 'check_leases');
