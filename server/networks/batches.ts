import type { Clock } from '../platform/clock.js';
import { NetworkError, type Answer, type Reason } from './network.js';

/** What a network said of one account. */
export type Said = Pick<Answer, 'verdict' | 'reason'>;

/** Why an answer did not come. */
export function reasonOf(error: unknown): Reason {
  const code = error instanceof NetworkError ? error.code : 'invalid_response';
  if (code === 'rate_limited') return 'rate_limited';
  if (code === 'auth_expired' || code === 'auth_revoked') return 'token_revoked';
  if (code === 'forbidden_scope') return 'missing_scope';
  return code === 'network_down' ? 'network_down' : 'error';
}

/**
 * Asks about accounts, so many a call, and lets `hear` have each batch as it comes. Never throws
 * for an answer that did not come: that is `unknown` with its reason. A limit, a dead token or an
 * outage will refuse the rest as well: no calls are spent on it.
 */
export async function askInBatches(
  accounts: string[],
  size: number,
  clock: Clock,
  ask: (ids: string[]) => Promise<Said[]>,
  hear?: (answers: Answer[]) => void,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let stopped: Reason | null = null;
  for (let from = 0; from < accounts.length; from += size) {
    const ids = accounts.slice(from, from + size);
    const askedAt = clock.now();
    let said: Said[] | null = null;
    let reason: Reason | null = stopped;
    if (!stopped) {
      try {
        said = await ask(ids);
      } catch (error) {
        reason = reasonOf(error);
        if (reason !== 'error') stopped = reason;
      }
    }
    const batch = ids.map((account, at): Answer => ({
      account,
      askedAt,
      ...(said?.[at] ?? { verdict: 'unknown', reason }),
    }));
    answers.push(...batch);
    hear?.(batch);
  }
  return answers;
}
