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
/**
 * A fan whose own account this is; `by` is `network` when they signed in with it (or with one that
 * speaks for it), else the moderator who recorded it.
 */
export interface Owner {
  fan: string;
  by: string;
}
/**
 * What the public is warned of, whatever the state, until somebody decides anew: that it pretends
 * to be this athlete, or is theirs no more.
 */
export interface Warning {
  as: 'fake' | 'revoked';
  athlete: string;
  reason: string;
  at: Date;
}

/** Whose account it is: one document an account, by the network's stable id. Kept whole. */
export interface AccountRecord {
  _id: string;
  network: NetworkId;
  accountId: string;
  /** As the network last said. */
  handle: string;
  /**
   * What its spellings share; at most one account bears it now, null for one that is known to have
   * lost it.
   */
  handleKey: string | null;
  /** Handles it bore and lost. */
  former: { handle: string; key: string; until: Date }[];
  /** The network does not know it any more. */
  gone: boolean;
  skeleton: string;
  athlete: string;
  state: AccountState;
  /**
   * Grows with every decision that changes whether the account earns; whoever gave under an older
   * one must ask again.
   */
  epoch: number;
  /** Who agreed so far, and how many must. */
  signatures: Signature[];
  quorum: number;
  since: Date | null;
  decidedAt: Date | null;
  reason: string | null;
  warning: Warning | null;
  owners: Owner[];
  profile: {
    name: string;
    about: string;
    createdAt: Date | null;
    followers: number | null;
    badge: string | null;
    fetchedAt: Date;
  };
  submittedBy: string;
  submittedAt: Date;
}
const warning = new Schema<Warning>(
  { as: String, athlete: String, reason: String, at: Date },
  { _id: false },
);
const schema = new Schema<AccountRecord>({
  _id: String,
  network: String,
  accountId: String,
  handle: String,
  handleKey: String,
  former: [{ _id: false, handle: String, key: String, until: Date }],
  gone: Boolean,
  skeleton: String,
  athlete: String,
  state: String,
  epoch: Number,
  signatures: [{ _id: false, by: String, at: Date, reason: String }],
  quorum: Number,
  since: Date,
  decidedAt: Date,
  reason: String,
  warning,
  owners: [{ _id: false, fan: String, by: String }],
  profile: {
    name: String,
    about: String,
    createdAt: Date,
    followers: Number,
    badge: String,
    fetchedAt: Date,
  },
  submittedBy: String,
  submittedAt: Date,
});
schema.index({ network: 1, accountId: 1 }, { unique: true });
schema.index(
  { network: 1, handleKey: 1 },
  { unique: true, partialFilterExpression: { handleKey: { $type: 'string' } } },
);
schema.index({ network: 1, 'former.key': 1 });
schema.index({ network: 1, 'profile.fetchedAt': 1 });
schema.index({ 'owners.fan': 1 });
schema.index({ skeleton: 1, state: 1 });
schema.index({ athlete: 1, state: 1 });
schema.index({ state: 1, submittedAt: 1 });

export const accountModel = (connection: Connection): Model<AccountRecord> =>
  model(connection, 'Account', schema, 'accounts');
