import { VillageError } from '../errors.js';
import { inTransaction } from '../platform/transaction.js';
import type { CaseFile } from './case.model.js';
import type { RegistryParts } from './parts.js';
import { requireModerator, type Actor } from './policy.js';

/**
 * A moderator records that a fan (an id, or `network:handle`) owns the account of a case, or does
 * not: who owns an account of an athlete earns nothing by any of theirs. What a network itself said
 * stays. Throws `fan_not_found`.
 */
export async function setOwner(
  parts: RegistryParts,
  actor: Actor,
  id: string,
  { fan: name, owns }: { fan: string; owns: boolean },
): Promise<CaseFile> {
  requireModerator(actor);
  const { account } = await parts.cases.require(id);
  const fan = await parts.fans.resolve(name);
  if (!fan) throw new VillageError('fan_not_found');
  await inTransaction(parts.connection, async (session) => {
    const owner = { account: account._id, fan: fan._id, owns, by: actor.id };
    if (!(await parts.owners.record(owner, session))) return;
    await parts.audit.add(
      {
        by: actor.id,
        act: owns ? 'account.owner' : 'account.not_owner',
        on: `account:${account._id}`,
        after: { fan: fan._id },
      },
      session,
    );
  });
  return parts.cases.require(id);
}
