import { Schema, type Connection, type Model } from 'mongoose';
import { model } from '../platform/mongo.js';
import type { Role } from '../platform/rights.js';

/** A personal API token, by the hash of its text. */
export interface TokenRecord {
  hash: string;
  name: string;
  scopes: string[];
  createdAt: Date;
}

/**
 * Anyone with an account on the hub. Shard key: `_id`, a random id that means nothing after
 * erasure.
 */
export interface FanRecord {
  _id: string;
  /** What the fan is called here, and all that anybody else sees of them. */
  handle: string;
  /**
   * What `handle` looks like (`nameKey`): only one fan may be called so. Absent on records that an
   * earlier hub wrote, until they are read through.
   */
  nameKey?: string;
  /** The hub chose `handle`, because the one before could not stay. */
  named?: 'given' | 'chosen';
  country: string;
  birthYear: number;
  language: string;
  roles: Role[];
  /** Grows at sign-out everywhere, ban and change of role: sessions of an older one are over. */
  version: number;
  /** Grows with whatever boards show of the fan. */
  revision: number;
  /**
   * The number of the last change in the count of all fans' changes; absent until the first one.
   */
  changed?: number;
  state: 'active' | 'banned';
  consent: { version: string; at: Date };
  demo: boolean;
  tokens: TokenRecord[];
  /**
   * Hashes of this fan's sessions that were ended by themselves, the last ones: nothing that still
   * holds a copy may answer for them.
   */
  ended?: string[];
  createdAt: Date;
}
const fan = new Schema<FanRecord>({
  _id: String,
  handle: String,
  nameKey: String,
  named: String,
  country: String,
  birthYear: Number,
  language: String,
  roles: [String],
  version: Number,
  revision: Number,
  changed: Number,
  state: String,
  consent: { version: String, at: Date },
  demo: Boolean,
  tokens: [{ _id: false, hash: String, name: String, scopes: [String], createdAt: Date }],
  ended: [String],
  createdAt: Date,
});
fan.index({ changed: 1 }, { sparse: true });
fan.index(
  { 'tokens.hash': 1 },
  { unique: true, partialFilterExpression: { 'tokens.hash': { $exists: true } } },
);
fan.index(
  { nameKey: 1 },
  { unique: true, partialFilterExpression: { nameKey: { $exists: true } } },
);
export const fanModel = (connection: Connection): Model<FanRecord> =>
  model(connection, 'Fan', fan, 'fans');

/** A fan's own account on a network: one a network, belongs to one fan only. Kept whole. */
export interface IdentityRecord {
  _id: string;
  fan: string;
  network: string;
  networkId: string;
  /** The public handle there; '' where people have none. */
  handle: string;
  /** Tokens, encrypted and bound to fan and network; null once the network has dropped them. */
  sealed: string | null;
  expiresAt: Date | null;
  scopes: string[];
  /**
   * Ids of further accounts there that this person speaks for, as the network said at their last
   * sign-in.
   */
  manages: string[];
  /** Random id of this link: entries that it backed name it. */
  link: string;
  linkedAt: Date;
  /**
   * When the network was last asked about all this fan's deeds; null until the first link was asked
   * about.
   */
  checkedAt: Date | null;
  /** When the network is to be asked next about all this fan's deeds. */
  askAt: Date;
}
/**
 * Whether the network has dropped the permission this fan gave: only signing in there again brings
 * it back.
 */
export const isLost = (identity: Pick<IdentityRecord, 'sealed'>): boolean =>
  identity.sealed === null;
const identity = new Schema<IdentityRecord>({
  _id: String,
  fan: String,
  network: String,
  networkId: String,
  handle: String,
  sealed: String,
  expiresAt: Date,
  scopes: [String],
  manages: [String],
  link: String,
  linkedAt: Date,
  checkedAt: Date,
  askAt: Date,
});
identity.index({ network: 1, networkId: 1 }, { unique: true });
identity.index({ fan: 1, network: 1 }, { unique: true });
identity.index({ askAt: 1 });
identity.index({ network: 1, manages: 1 });
export const identityModel = (connection: Connection): Model<IdentityRecord> =>
  model(connection, 'Identity', identity, 'identities');
