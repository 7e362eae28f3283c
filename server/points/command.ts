import type { RelatedDeeds, Written } from './award.js';
import {
  headOf,
  type After,
  type DeedFacts,
  type Entry,
  type Head,
  type TurnFacts,
} from './entry.js';
import { isGive } from './turns.js';

/** What somebody asks of the ledger about one deed. */
export interface Command extends TurnFacts {
  fan: string;
  deed: string;
  /**
   * `give` takes the next odd turn if the deed is not held, `take` the next even one if it is,
   * `turn` that very turn and no other.
   */
  want: 'give' | 'take' | { turn: number };
  /**
   * The turn that the caller saw last. If the deed is at another turn by now, nothing is written.
   */
  seen?: number;
  /** What the deed's first turn records for all later ones; ignored when there is one already. */
  facts: Omit<DeedFacts, 'season' | 'earnedAt'>;
  /**
   * Whether card, link and the account's epoch still stand (LEDGER 4). Called right before an odd
   * turn is written.
   */
  stands?: () => Promise<boolean>;
  /**
   * Other deeds of the fan whose state at the new entry the caller wants to know, each with the
   * fewest points of the fan from which on it matters. They are read together with what the
   * decision needs anyway. Ignored when several commands are recorded at once.
   */
  related?: ReadonlyMap<string, number>;
}

/** What became of a command, and where its deed and its fan are now. */
export interface Outcome {
  /** The entry that was written, or null when nothing had to be written. */
  entry: Entry | null;
  /** The last turn of the deed, 0 when it was never done. */
  turn: number;
  /** The fan's head: the entry written here, or one at least as new as the deed's last turn. */
  head: Head;
  /** The medals held before the entry; those held now if none was written. */
  before: After['medals'];
  /** Which deeds of the command's `related` were held at the entry, if they were looked up. */
  related?: RelatedDeeds | undefined;
  /** When the deed may be given again, if it was given as often as one day allows. */
  limited: Date | null;
  /** Whether a give was refused: what it rests on no longer stands, or points are at their most. */
  dropped: boolean;
}

/** The outcome of a command that was written. */
export const outcomeOf = ({ entry, before, related }: Written): Outcome => ({
  entry,
  turn: entry.turn,
  head: headOf(entry),
  before,
  related,
  limited: null,
  dropped: false,
});

/**
 * The turn that a command takes when `last` is the last one there is, or null when it takes none.
 */
export function nextTurn({ want, seen }: Command, last: number): number | null {
  const next = last + 1;
  if (seen !== undefined && seen !== last) return null;
  if (typeof want === 'object') return want.turn === next ? next : null;
  return isGive(next) === (want === 'give') ? next : null;
}

/**
 * Whether card, link and epoch still stand for a command that may give. What takes back is never
 * refused, so nothing is asked then.
 */
export async function stillStands({ want, stands }: Command): Promise<boolean> {
  const mayGive = typeof want === 'object' ? isGive(want.turn) : want === 'give';
  return !mayGive || stands === undefined || stands();
}
