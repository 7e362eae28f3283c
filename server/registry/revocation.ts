import type { ClientSession } from 'mongoose';
import { VillageError } from '../errors.js';
import { inTransaction } from '../platform/transaction.js';
import { REVOCABLE } from './account.model.js';
import { accountStateBy, type CaseFile } from './case.model.js';
import { showNetworks } from './decision.js';
import type { RegistryParts } from './parts.js';
import { requireModerator, type Actor } from './policy.js';

interface Revocation {
  by: string;
  at: Date;
  reason: string;
}

/**
 * Takes a verified account off the list: its epoch rises, so nothing new is given from that
 * instant. It is recorded on the case that granted, beside the signatures, with the line of the log
 * in one transaction. Throws `already_decided` for an account that is not verified by this case.
 */
export async function revoke(
  parts: RegistryParts,
  actor: Actor,
  id: string,
  reason: string,
): Promise<CaseFile> {
  requireModerator(actor);
  const { account } = await parts.cases.require(id);
  const revocation = { by: actor.id, at: parts.clock.now(), reason };
  const changed = await parts.changes.mark('registry');
  await inTransaction(parts.connection, (session) =>
    takeBack(parts, id, { revocation, changed }, session),
  );
  await parts.tell(account);
  await showNetworks(parts, account.athlete);
  return parts.cases.require(id);
}

async function takeBack(
  parts: RegistryParts,
  id: string,
  { revocation, changed }: { revocation: Revocation; changed: number },
  session: ClientSession,
): Promise<void> {
  const before = await parts.cases.require(id, session);
  const { account } = before;
  const { by, at, reason } = revocation;
  const { matchedCount } = await parts.records.updateOne(
    { _id: id, state: 'granted' },
    { $set: { state: 'revoked', revocation } },
    { session },
  );
  if (matchedCount === 0 || !REVOCABLE.includes(account.state))
    throw new VillageError('already_decided', { state: accountStateBy(before) });
  const warning = { as: 'revoked' as const, athlete: account.athlete, reason, at };
  await parts.accounts.updateOne(
    { _id: account._id },
    { $set: { state: 'revoked', warning, changed }, $inc: { epoch: 1 } },
    { session },
  );
  await parts.audit.add(
    {
      by,
      act: 'account.revoked',
      on: `account:${account._id}`,
      reason,
      before: { state: account.state },
      after: { state: 'revoked', case: id },
    },
    session,
  );
}
