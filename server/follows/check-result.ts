import type { Reason, Verdict } from '../networks/network.js';
import type { Outcome } from '../points/service.js';

/** What became of one account of a check. */
export interface CheckResult {
  verdict: Verdict;
  /** Why there is no answer. `busy`: another process is checking the same fan and network. */
  reason: Reason | 'busy' | null;
  askedAt: Date;
  /** The turn that the deed stands at. */
  turn: number;
  /** What the ledger made of the answer; null when it had nothing to do. */
  outcome: Outcome | null;
}

/** Results by the account's id on its network. */
export type CheckResults = ReadonlyMap<string, CheckResult>;

/** The result for an account about which nothing came back, or nobody could be asked. */
export const noAnswer = (askedAt: Date, reason: CheckResult['reason'] = 'error'): CheckResult => ({
  verdict: 'unknown',
  reason,
  askedAt,
  turn: 0,
  outcome: null,
});

/** How long until a check without an answer is repeated: limits of networks pass within it. */
export const RETRY_MS = 15 * 60_000;

/** Reasons for no answer that pass by themselves. */
const PASSING: ReadonlySet<CheckResult['reason']> = new Set<CheckResult['reason']>([
  'rate_limited',
  'network_down',
  'error',
  'token_revoked',
  'busy',
]);

/**
 * The accounts that an outage or a limit left without an answer, so that another check soon may
 * bring one; with `andNotFound` also those that the network says it does not know.
 */
export const unanswered = (results: CheckResults, andNotFound = false): string[] =>
  [...results]
    .filter(
      ([, { verdict, reason }]) =>
        verdict === 'unknown' && (PASSING.has(reason) || (andNotFound && reason === 'not_found')),
    )
    .map(([account]) => account);
