import { Schema, type Connection, type Model } from 'mongoose';
import type { NetworkId } from '../networks/network.js';
import { model } from '../platform/mongo.js';

export type AccountState = 'candidate' | 'verified' | 'lapsed' | 'revoked' | 'refused';
/** States in which an account is listed and earns. */
export const EARNS: readonly AccountState[] = ['verified'];
export interface Signature {
  by: string;
  at: Date;
  reason: string;
}

/** Whose account it is: one document an account, by the network's stable id. Kept whole. */
export interface AccountRecord {
  _id: string;
  network: NetworkId;
  accountId: string;
  handle: string;
  handleKey: string;
  skeleton: string;
  url: string;
  athlete: string;
  state: AccountState;
  /** Grows with every decision that changes whether the account earns; whoever gave under an older one must ask again. */
  epoch: number;
  /** Who agreed so far, and how many must. */
  signatures: Signature[];
  quorum: number;
  since: Date | null;
  decidedAt: Date | null;
  reason: string | null;
  /** Refused because it pretends to be somebody. */
  fake: boolean;
  profile: { name: string; about: string; createdAt: Date | null; followers: number | null; badge: string | null; fetchedAt: Date };
  submittedBy: string;
  submittedAt: Date;
}
const schema = new Schema<AccountRecord>({
  _id: String,
  network: String,
  accountId: String,
  handle: String,
  handleKey: String,
  skeleton: String,
  url: String,
  athlete: String,
  state: String,
  epoch: Number,
  signatures: [{ _id: false, by: String, at: Date, reason: String }],
  quorum: Number,
  since: Date,
  decidedAt: Date,
  reason: String,
  fake: Boolean,
  profile: { name: String, about: String, createdAt: Date, followers: Number, badge: String, fetchedAt: Date },
  submittedBy: String,
  submittedAt: Date,
});
schema.index({ network: 1, accountId: 1 }, { unique: true });
schema.index({ network: 1, handleKey: 1 });
schema.index({ skeleton: 1, state: 1 });
schema.index({ athlete: 1, state: 1 });
schema.index({ state: 1, submittedAt: 1 });

export const accountModel = (connection: Connection): Model<AccountRecord> => model(connection, 'Account', schema, 'accounts');
