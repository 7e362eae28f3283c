import { Schema, type Connection, type Model } from 'mongoose';
import { model } from '../platform/mongo.js';
import type { AccountRecord, AccountState } from './account.model.js';

/** What a moderator decides: it is theirs, it is not, or it pretends to be theirs. */
export type Decision = 'grant' | 'refuse' | 'fake';
/** What the signatures of a case come to. */
export type Outcome = 'granted' | 'refused' | 'fake';
/** Where a case stands; `revoked` is one that was granted and taken back later. */
export type CaseState = 'open' | 'granted' | 'refused' | 'revoked';

/** Who did something, when and why. */
interface Act {
  by: string;
  at: Date;
  reason: string;
}
/** A moderator's decision. It is never changed and never erased. */
export interface Signature extends Act {
  decision: Decision;
}

/**
 * How a claim was decided: that this account is this athlete's, who said so, who signed, what came
 * of it. One that was granted also tells of its revocation, so that it reads from beginning to end.
 * A refused or revoked account that is claimed again gets another case. Kept whole, never sharded.
 */
export interface CaseRecord {
  _id: string;
  account: string;
  /** Whose it is claimed to be. */
  athlete: string;
  submittedBy: string;
  submittedAt: Date;
  /** How many moderators must agree, as it was when the case was opened. */
  quorum: number;
  state: CaseState;
  /** No other case of this account was opened later. */
  latest: boolean;
  signatures: Signature[];
  /** What was decided, by the signature that made the quorum. */
  outcome: (Act & { as: Outcome }) | null;
  revocation: Act | null;
}

/** A case with the account it is about. */
export interface CaseFile extends Omit<CaseRecord, 'account'> {
  account: AccountRecord;
}

const act = { by: String, at: Date, reason: String };
const schema = new Schema<CaseRecord>({
  _id: String,
  account: String,
  athlete: String,
  submittedBy: String,
  submittedAt: Date,
  quorum: Number,
  state: String,
  latest: Boolean,
  signatures: [{ _id: false, ...act, decision: String }],
  outcome: new Schema({ ...act, as: String }, { _id: false }),
  revocation: new Schema(act, { _id: false }),
});
// At most one open case an account, whoever submits it at the same time.
schema.index({ account: 1 }, { unique: true, partialFilterExpression: { state: 'open' } });
schema.index({ state: 1, latest: 1, submittedAt: 1 });

/** The cases of a connection's database. */
export const caseModel = (connection: Connection): Model<CaseRecord> =>
  model(connection, 'Case', schema, 'cases');

/** The state of the account as this case leaves it. */
export function accountStateBy({
  state,
  account,
}: Pick<CaseFile, 'state' | 'account'>): AccountState {
  if (state === 'open') return 'candidate';
  return state === 'granted' ? account.state : state;
}
