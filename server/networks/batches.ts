import type { Clock } from '../platform/clock.js';
import { inPieces } from '../platform/pieces.js';
import { NetworkError, type Answer, type CheckRequest, type Reason } from './network.js';

/** What a network says of one account: a verdict, and why it is not known. */
export type Finding = Pick<Answer, 'verdict' | 'reason'>;

/** The reason to give for an answer that did not come. */
export function reasonOf(error: unknown): Reason {
  const code = error instanceof NetworkError ? error.code : 'invalid_response';
  if (code === 'rate_limited') return 'rate_limited';
  if (code === 'auth_expired' || code === 'auth_revoked') return 'token_revoked';
  if (code === 'forbidden_scope') return 'missing_scope';
  return code === 'network_down' ? 'network_down' : 'error';
}

/** How a network is asked about many accounts. */
interface BatchOptions {
  /** Accounts in one request. */
  size: number;
  clock: Clock;
  /** Sends one request, and answers for its accounts in their order. */
  ask: (ids: string[]) => Promise<Finding[]>;
}

/**
 * Asks about accounts batch by batch. Never throws because an answer did not come: that is
 * `unknown` with its reason. After a limit, a dead token or an outage, which would refuse the rest
 * as well, no further request is sent.
 */
export async function askInBatches(
  { accounts, onAnswers }: Pick<CheckRequest, 'accounts' | 'onAnswers'>,
  { size, clock, ask }: BatchOptions,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let stoppedBy: Reason | null = null;
  for (const ids of inPieces(accounts, size)) {
    const askedAt = clock.now();
    let findings: Finding[] = [];
    let reason: Reason | null = stoppedBy;
    if (!stoppedBy) {
      try {
        findings = await ask(ids);
      } catch (error) {
        reason = reasonOf(error);
        if (reason !== 'error') stoppedBy = reason;
      }
    }
    const batch = ids.map((account, index): Answer => ({
      account,
      askedAt,
      ...(findings[index] ?? { verdict: 'unknown', reason }),
    }));
    answers.push(...batch);
    onAnswers?.(batch);
  }
  return answers;
}
