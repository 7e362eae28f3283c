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
  /** What `handle` looks like (`nameKey`): only a single fan may be called so. */
  nameKey: string;
  /** Whether the hub gave `handle`, or the fan chose it. */
  named: 'given' | 'chosen';
  country: string;
  birthYear: number;
  language: string;
  roles: Role[];
  /** Grows at sign-out everywhere, ban and change of role; sessions of a lower version are over. */
  version: number;
  /** Grows with whatever boards show of the fan. */
  revision: number;
  /** The number of the last change, in the count of all fans' changes; absent until the first. */
  changed?: number;
  state: 'active' | 'banned';
  consent: { version: string; at: Date };
  demo: boolean;
  tokens: TokenRecord[];
  /**
   * Hashes of the sessions of this fan that were ended one by one, the last ones. Whoever still
   * holds a copy of such a session must not let it in.
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
fan.index({ nameKey: 1 }, { unique: true });
/** The fans of the hub. */
export const fanModel = (connection: Connection): Model<FanRecord> =>
  model(connection, 'Fan', fan, 'fans');

/**
 * A fan's own account on a network. A fan has one a network, and shares it with nobody. Kept whole.
 */
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
  /** Random id of this link, which the entries that it backed name. */
  link: string;
  linkedAt: Date;
  /** When the network was last asked about all this fan's deeds; null until the first time. */
  checkedAt: Date | null;
  /** When the network is to be asked next about all this fan's deeds. */
  askAt: Date;
}
/**
 * Whether the network has dropped the permission this fan gave. Only signing in there again brings
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
/** Fans' own accounts on networks. */
export const identityModel = (connection: Connection): Model<IdentityRecord> =>
  model(connection, 'Identity', identity, 'identities');
