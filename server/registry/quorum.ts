import type { Settings } from '../platform/settings.js';
import type { Outcome, Signature } from './case.model.js';

/** How many moderators must agree, where nobody has set it. */
const DEFAULT_QUORUM = 1;

/** How many moderators must agree on a case that is opened now (setting `registry.quorum`). */
export async function readQuorum(settings: Settings): Promise<number> {
  return (await settings.get<number>('registry.quorum')) ?? DEFAULT_QUORUM;
}

/**
 * What these signatures come to: nothing yet until as many moderators agree as the quorum asks.
 * Where they disagree the case stays open for the next one. Whoever calls it a fake agrees that it
 * is refused; the public is warned of a fake only when a quorum says so.
 */
export function outcomeOf(
  signatures: readonly Pick<Signature, 'decision'>[],
  quorum: number,
): Outcome | null {
  const grants = signatures.filter(({ decision }) => decision === 'grant').length;
  if (grants >= quorum) return 'granted';
  if (signatures.length - grants < quorum) return null;
  const fakes = signatures.filter(({ decision }) => decision === 'fake').length;
  return fakes >= quorum ? 'fake' : 'refused';
}
