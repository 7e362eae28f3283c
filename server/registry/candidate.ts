import type { Profile } from '../networks/network.js';
import { randomId } from '../platform/ids.js';
import type { AccountRecord } from './account.model.js';
import { seen } from './handles.js';
import { skeleton } from '../platform/skeleton.js';

const QUORUM = 1;

/**
 * What a submission sets of an account, whether it is new or was refused or revoked before: a claim
 * that it is this athlete's.
 */
export const claimOf = (
  profile: Profile,
  handleKey: string,
  athlete: string,
  by: string,
  at: Date,
) => ({
  handle: profile.handle,
  handleKey,
  gone: false,
  skeleton: skeleton(profile.handle),
  athlete,
  state: 'candidate' as const,
  signatures: [],
  quorum: QUORUM,
  since: null,
  decidedAt: null,
  reason: null,
  profile: seen(profile, at),
  submittedBy: by,
  submittedAt: at,
});

/** The record of an account that was never submitted before. */
export const newAccount = (profile: Profile, claim: ReturnType<typeof claimOf>): AccountRecord => ({
  _id: randomId(),
  network: profile.network,
  accountId: profile.id,
  ...claim,
  former: [],
  epoch: 0,
  warning: null,
  owners: [],
});
