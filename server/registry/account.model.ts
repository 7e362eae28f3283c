import { Schema, type Connection, type Model } from 'mongoose';
import type { NetworkId, Profile } from '../networks/network.js';
import { model } from '../platform/mongo.js';

/**
 * What the registry holds of an account: claimed for an athlete and not decided, theirs, theirs
 * until it was to be shown again, theirs no more, or not theirs.
 */
export type AccountState = 'candidate' | 'verified' | 'lapsed' | 'revoked' | 'refused';
/** States in which an account is listed and earns. */
export const EARNS: readonly AccountState[] = ['verified'];
/** States in which an account may be claimed again, by a new case. */
export const CLAIMABLE: readonly AccountState[] = ['refused', 'revoked'];
/** States from which an account may be revoked. */
export const REVOCABLE: readonly AccountState[] = ['verified', 'lapsed'];

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

/**
 * What is known and verified of an account: one document an account, by the network's stable id.
 * How it came to that is told by its cases. Kept whole, never sharded.
 */
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
  /** Whose it is, or for whom it was last claimed. */
  athlete: string;
  state: AccountState;
  /**
   * Grows with every decision that changes whether the account earns; whoever gave under an older
   * one must ask again.
   */
  epoch: number;
  /** When it was last verified, and how many moderators signed for that. */
  since: Date | null;
  signers: number;
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
  /** The case that was opened last. */
  case: string;
  /**
   * The number of the last change that others must hear of, in the count of the registry's changes.
   */
  changed: number;
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
  since: Date,
  signers: Number,
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
  case: String,
  changed: Number,
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
schema.index({ state: 1 });
schema.index({ changed: 1 });

/** The accounts of a connection's database. */
export const accountModel = (connection: Connection): Model<AccountRecord> =>
  model(connection, 'Account', schema, 'accounts');

/** What a record keeps of a profile that the network told at this instant. */
export const keptProfile = (profile: Profile, at: Date): AccountRecord['profile'] => ({
  name: profile.name,
  about: profile.about,
  createdAt: profile.createdAt,
  followers: profile.followers,
  badge: profile.badge,
  fetchedAt: at,
});
