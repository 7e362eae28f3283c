import type { Card } from '../networks/cards.js';
import type { Answer, Verdict } from '../networks/network.js';
import type { DeedState } from '../points/service.js';
import type { VerifiedAccount } from '../registry/service.js';
import { heldUnder, turnOf } from './deed-states.js';

/**
 * What an answer of a network means for a deed (LEDGER 4).
 * - `give`: it is not held, and earns under this card; `seen` is the turn that stood before the
 *   network was asked, so that a late answer gives nothing.
 * - `hold`: it is held, and confirmed to be.
 * - `doubt`: it is held, and denied: the first no, or a second one that comes too early.
 * - `take`: it is denied for the second time, and taken back by this even turn.
 * - `nothing`: nothing changes.
 */
export type Decision =
  | { kind: 'give'; card: Card; seen: number }
  | { kind: 'hold'; turn: number }
  | { kind: 'doubt'; turn: number; card: string }
  | { kind: 'take'; turn: number; card: string }
  | { kind: 'nothing' };

/** An answer, the account and deed it is about, and what it means. */
export interface Decided<D extends Decision = Decision> {
  answer: Answer;
  account: VerifiedAccount;
  deed: string;
  decision: D;
}

/** Decisions that the ledger is told of. */
export type Move = Extract<Decision, { kind: 'give' | 'take' }>;

/**
 * Decides about one answer. `state` is how the deed stood before the network was asked; `card` the
 * one under which a `yes` earns now, null when there is none. The turn of `hold` and `doubt` is the
 * even one that would take the deed back.
 */
export function decide(
  verdict: Verdict,
  state: DeedState | undefined,
  card: Card | null,
): Decision {
  const mode = heldUnder(state);
  const turn = turnOf(state);
  if (verdict === 'yes' && mode !== null) return { kind: 'hold', turn: turn + 1 };
  if (verdict === 'yes' && card) return { kind: 'give', card, seen: turn };
  // A network's answer never touches a deed that is held under `hub`.
  if (verdict === 'no' && state && mode === 'confirmed')
    return { kind: 'doubt', turn: turn + 1, card: state.card };
  return { kind: 'nothing' };
}

/** Turns the doubts about deeds that are lost into take-backs. */
export const withLosses = (decided: Decided[], lost: ReadonlySet<string>): Decided[] =>
  decided.map((item) =>
    item.decision.kind === 'doubt' && lost.has(item.deed)
      ? { ...item, decision: { ...item.decision, kind: 'take' } }
      : item,
  );

/** Those that were decided in this way. */
export const decidedAs = <K extends Decision['kind']>(
  decided: readonly Decided[],
  kind: K,
): Decided<Extract<Decision, { kind: K }>>[] =>
  decided.filter(
    (item): item is Decided<Extract<Decision, { kind: K }>> => item.decision.kind === kind,
  );
