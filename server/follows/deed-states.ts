import { isGive, type DeedState } from '../points/service.js';
import { parseCardText } from './card-text.js';

/**
 * How a held deed was confirmed when it was given, `hub` or `confirmed`; null if it is not held.
 */
export function heldUnder(state: DeedState | undefined): string | null {
  if (!isHeld(state)) return null;
  return parseCardText(state.card).mode || null;
}

/** Whether a deed is held. */
export const isHeld = (state: DeedState | undefined): state is DeedState =>
  state !== undefined && isGive(state.turn);

/** The turn a deed stands at: 0 for one that was never done. */
export const turnOf = (state: DeedState | undefined): number => state?.turn ?? 0;

/**
 * For this long a deed that was taken back is checked as if it were held, so that a follow made
 * again while nobody looked is found.
 */
const RECENT_MS = 3 * 86_400_000;

/**
 * Whether the hub's own rechecks cover a deed in this state: it is held under a `confirmed` card,
 * or was until lately.
 */
export function isRechecked(state: DeedState | undefined, now: Date): boolean {
  if (!state || parseCardText(state.card).mode !== 'confirmed') return false;
  return isGive(state.turn) || Math.abs(now.getTime() - state.askedAt.getTime()) < RECENT_MS;
}
