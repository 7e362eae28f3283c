import type { Settings } from '../platform/settings.js';
import type { Decision, Outcome, Signature } from './case.model.js';

/** How many moderators must agree, where nobody has set it. */
const DEFAULT_QUORUM = 1;

/**
 * How many moderators must agree on a case that is opened now (setting `registry.quorum`). What is
 * no whole number from 1 on counts as unset.
 */
export async function readQuorum(settings: Settings): Promise<number> {
  const set = await settings.get<unknown>('registry.quorum');
  return Number.isSafeInteger(set) && Number(set) >= 1 ? Number(set) : DEFAULT_QUORUM;
}

/** What each moderator has signed last: that counts, and nothing that they signed before it. */
export const lastDecisions = (
  signatures: readonly Pick<Signature, 'by' | 'decision'>[],
): Map<string, Decision> => new Map(signatures.map(({ by, decision }) => [by, decision]));

/** How many moderators agree that the account is the athlete's. */
export const countGrants = (signatures: readonly Pick<Signature, 'by' | 'decision'>[]): number =>
  [...lastDecisions(signatures).values()].filter((decision) => decision === 'grant').length;

/**
 * What these signatures come to: nothing yet until as many moderators agree as the quorum asks.
 * Where they disagree the case stays open, for the next moderator or until one signs otherwise.
 * Whoever calls it a fake agrees that it is refused; the public is warned of a fake only when a
 * quorum says so.
 */
export function outcomeOf(
  signatures: readonly Pick<Signature, 'by' | 'decision'>[],
  quorum: number,
): Outcome | null {
  const decisions = [...lastDecisions(signatures).values()];
  const grants = countGrants(signatures);
  if (grants >= quorum) return 'granted';
  if (decisions.length - grants < quorum) return null;
  const fakes = decisions.filter((decision) => decision === 'fake').length;
  return fakes >= quorum ? 'fake' : 'refused';
}
