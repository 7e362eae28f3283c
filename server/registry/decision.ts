import type { ClientSession } from 'mongoose';
import { VillageError } from '../errors.js';
import { inTransaction } from '../platform/transaction.js';
import { EARNS, type AccountRecord, type Warning } from './account.model.js';
import {
  accountStateBy,
  type CaseFile,
  type CaseRecord,
  type CaseState,
  type Outcome,
  type Signature,
} from './case.model.js';
import type { RegistryParts } from './parts.js';
import { requireModerator, type Actor } from './policy.js';
import { countGrants, lastDecisions, outcomeOf } from './quorum.js';

const CASE_STATES: Record<Outcome, CaseState> = {
  granted: 'granted',
  refused: 'refused',
  fake: 'refused',
};

/**
 * Signs a case, and decides it when as many moderators agree as its quorum asks: the account is
 * verified, or refused. The signature, what becomes of the account and the line of the log are
 * written together. A moderator may sign otherwise than before while the case is open; the last
 * signature of each counts. Throws `already_decided` when another was faster, or the moderator has
 * signed just so.
 */
export async function decide(
  parts: RegistryParts,
  actor: Actor,
  id: string,
  { decision, reason }: Pick<Signature, 'decision' | 'reason'>,
): Promise<CaseFile> {
  requireModerator(actor);
  const { account } = await parts.cases.require(id);
  // Before it may earn: nobody earns for their own account.
  if (decision === 'grant')
    await parts.owners.find(account._id, account.network, account.accountId);
  const signature = { by: actor.id, at: parts.clock.now(), decision, reason };
  const changed = await parts.changes.mark('registry');
  const outcome = await inTransaction(parts.connection, (session) =>
    sign(parts, id, { signature, changed }, session),
  );
  if (outcome) await parts.tell(account);
  if (outcome === 'granted') await showNetworks(parts, account.athlete);
  return parts.cases.require(id);
}

/** Writes a signature and all that follows from it; answers what was decided by it, if anything. */
async function sign(
  parts: RegistryParts,
  id: string,
  { signature, changed }: { signature: Signature; changed: number },
  session: ClientSession,
): Promise<Outcome | null> {
  const before = await parts.cases.require(id, session);
  if (
    before.state !== 'open' ||
    lastDecisions(before.signatures).get(signature.by) === signature.decision
  )
    throw new VillageError('already_decided', { state: accountStateBy(before) });
  const outcome = outcomeOf([...before.signatures, signature], before.quorum);
  await addSignature(parts, before, { signature, outcome }, session);
  if (outcome) await settleAccount(parts, before, { signature, outcome, changed }, session);
  const { by, decision, reason } = signature;
  await parts.audit.add(
    {
      by,
      act: decision === 'grant' ? 'account.granted' : 'account.refused',
      on: `account:${before.account._id}`,
      reason,
      before: { state: 'candidate' },
      after: { state: outcome ? accountStateAfter(outcome) : 'candidate', case: id },
    },
    session,
  );
  return outcome;
}

const accountStateAfter = (outcome: Outcome) => (outcome === 'granted' ? 'verified' : 'refused');

async function addSignature(
  { records }: RegistryParts,
  before: CaseFile,
  { signature, outcome }: { signature: Signature; outcome: Outcome | null },
  session: ClientSession,
): Promise<void> {
  const { by, at, reason } = signature;
  const decided = outcome && {
    state: CASE_STATES[outcome],
    outcome: { as: outcome, by, at, reason } satisfies CaseRecord['outcome'],
  };
  const { matchedCount } = await records.updateOne(
    {
      _id: before._id,
      state: 'open',
      [`signatures.${before.signatures.length}`]: { $exists: false },
    },
    { $push: { signatures: signature }, ...(decided ? { $set: decided } : {}) },
    { session },
  );
  if (matchedCount === 0) throw new VillageError('already_decided', { state: 'candidate' });
}

async function settleAccount(
  { accounts }: RegistryParts,
  before: CaseFile,
  { signature, outcome, changed }: { signature: Signature; outcome: Outcome; changed: number },
  session: ClientSession,
): Promise<void> {
  const { at, reason } = signature;
  const warning: Warning | null =
    outcome === 'fake' ? { as: 'fake', athlete: before.athlete, reason, at } : null;
  const isGranted = outcome === 'granted';
  const signers = countGrants([...before.signatures, signature]);
  await accounts.updateOne(
    { _id: before.account._id },
    {
      $set: {
        state: accountStateAfter(outcome),
        warning,
        changed,
        ...(isGranted ? { since: at, signers } : {}),
      },
      ...(isGranted ? { $inc: { epoch: 1 } } : {}),
    },
    { session },
  );
}

/** Tells the directory on which networks an athlete has verified accounts now. */
export async function showNetworks(
  { accounts, athletes }: RegistryParts,
  athlete: string,
): Promise<void> {
  const verified = await accounts
    .find({ athlete, state: { $in: EARNS } }, { network: 1 })
    .lean<Pick<AccountRecord, 'network'>[]>();
  await athletes.setNetworks(athlete, [...new Set(verified.map(({ network }) => network))]);
}
