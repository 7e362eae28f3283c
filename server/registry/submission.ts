import type { ClientSession } from 'mongoose';
import { VillageError } from '../errors.js';
import { NetworkError, type Profile } from '../networks/network.js';
import { randomId } from '../platform/ids.js';
import { isDuplicate } from '../platform/mongo.js';
import { skeleton } from '../platform/skeleton.js';
import { inTransaction } from '../platform/transaction.js';
import { CLAIMABLE, keptProfile, type AccountRecord } from './account.model.js';
import type { CaseFile, CaseRecord } from './case.model.js';
import type { RegistryParts } from './parts.js';
import { requireModerator, type Actor } from './policy.js';
import { readQuorum } from './quorum.js';

/** How often a claim is stored anew where others store the same account or handle meanwhile. */
const TRIES = 4;

interface Claim {
  profile: Profile;
  handleKey: string;
  athlete: string;
  by: string;
  at: Date;
  quorum: number;
  /** The number of this change in the count of the registry's changes. */
  changed: number;
}

/**
 * Opens a case: a moderator pastes an address or handle of any form; the network says which account
 * that is now. Throws `athlete_not_found`, `not_an_account` as bad input, `account_not_found`,
 * `account_taken` (with its case), `network_down`.
 */
export async function submit(
  parts: RegistryParts,
  actor: Actor,
  text: string,
  athleteSlug: string,
): Promise<CaseFile> {
  requireModerator(actor);
  const athlete = await parts.athletes.require(athleteSlug);
  const profile = await resolve(parts, text);
  const opened = await store(parts, {
    profile,
    handleKey: parts.networks.adapter(profile.network).handleKey(profile.handle),
    athlete: athlete._id,
    by: actor.id,
    at: parts.clock.now(),
    quorum: await readQuorum(parts.settings),
    changed: await parts.changes.mark('registry'),
  });
  await parts.owners.find(opened.account, profile.network, profile.id);
  await parts.tell({ network: profile.network, accountId: profile.id });
  return parts.cases.require(opened._id);
}

/** The account that an address or a handle names now, as its network tells it. */
async function resolve({ networks }: RegistryParts, text: string): Promise<Profile> {
  const found = networks.parse(text);
  if (!found || found.parsed === 'none')
    throw new VillageError(
      'bad_input',
      { field: 'account' },
      { issues: [{ path: 'account', issue: 'not_an_account' }] },
    );
  const { network, parsed } = found;
  const profile = await networks
    .adapter(network)
    .resolve(parsed)
    .catch((error: unknown) => {
      throw error instanceof NetworkError ? new VillageError('network_down', { network }) : error;
    });
  if (!profile) throw new VillageError('account_not_found', { account: text.slice(0, 100) });
  return profile;
}

async function store(parts: RegistryParts, claim: Claim): Promise<CaseRecord> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await inTransaction(parts.connection, (session) => openCase(parts, claim, session));
    } catch (error) {
      // Somebody else stored this account, or gave its handle to another, at the same time: looked
      // at again.
      if (!isDuplicate(error) || tries >= TRIES) throw error;
    }
  }
}

/**
 * Writes the claim to the account, a case for it and the line of the log. The handle is taken from
 * whoever else is on record with it.
 */
async function openCase(
  parts: RegistryParts,
  claim: Claim,
  session: ClientSession,
): Promise<CaseRecord> {
  const { network, id: accountId } = claim.profile;
  const { handleKey: key, at, changed } = claim;
  await parts.handles.take({ network, key, accountId, at, changed }, session);
  const opened = newCase(claim);
  const claimed = { ...claimedFacts(claim), case: opened._id, changed };
  const earlier = await reclaim(parts, claim.profile, claimed, session);
  if (earlier) opened.account = earlier._id;
  else
    await parts.accounts.create([{ ...newAccount(opened.account, claim), ...claimed }], {
      session,
    });
  await parts.records.create([opened], { session });
  const after = { network, accountId, athlete: claim.athlete, case: opened._id };
  const on = `account:${opened.account}`;
  await parts.audit.add({ by: claim.by, act: 'account.submitted', on, after }, session);
  return opened;
}

/**
 * Claims an account that was refused or revoked before; what the public was warned of stands until
 * it is decided. Answers null for one that nobody ever claimed; throws `account_taken`.
 */
async function reclaim(
  { accounts, records }: RegistryParts,
  profile: Profile,
  claimed: ReturnType<typeof claimedFacts> & Pick<AccountRecord, 'case' | 'changed'>,
  session: ClientSession,
): Promise<AccountRecord | null> {
  const which = { network: profile.network, accountId: profile.id };
  const earlier = await accounts
    .findOneAndUpdate({ ...which, state: { $in: CLAIMABLE } }, { $set: claimed }, { session })
    .lean<AccountRecord>();
  if (earlier) {
    await records.updateOne({ _id: earlier.case }, { $set: { latest: false } }, { session });
    return earlier;
  }
  const taken = await accounts.findOne(which).session(session).lean<AccountRecord>();
  if (taken)
    throw new VillageError('account_taken', { account: profile.handle }, { case: taken.case });
  return null;
}

/** What a claim sets of an account, whether it is new or was refused or revoked before. */
const claimedFacts = ({ profile, handleKey, athlete, at }: Claim) => ({
  handle: profile.handle,
  handleKey,
  gone: false,
  skeleton: skeleton(profile.handle),
  athlete,
  state: 'candidate' as const,
  since: null,
  signers: 0,
  profile: keptProfile(profile, at),
});

/** What an account has that was never claimed before. */
const newAccount = (id: string, { profile }: Claim) => ({
  _id: id,
  network: profile.network,
  accountId: profile.id,
  former: [],
  epoch: 0,
  warning: null,
  owners: [],
});

const newCase = ({ athlete, by, at, quorum }: Claim): CaseRecord => ({
  _id: randomId(),
  account: randomId(),
  athlete,
  submittedBy: by,
  submittedAt: at,
  quorum,
  state: 'open',
  latest: true,
  signatures: [],
  outcome: null,
  revocation: null,
});
