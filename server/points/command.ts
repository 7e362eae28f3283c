import type { Beside, Written } from './award.js';
import {
  headOf,
  type After,
  type DeedFacts,
  type Entry,
  type Head,
  type TurnFacts,
} from './entry.js';

/** What somebody asks of the ledger about one deed. */
export interface Command extends TurnFacts {
  fan: string;
  deed: string;
  /**
   * `give` takes the next odd turn if the deed is not held, `take` the next even one if it is,
   * `turn` just that turn.
   */
  want: 'give' | 'take' | { turn: number };
  /**
   * The turn the asker last saw: another one there means that things have moved on, and nothing is
   * written.
   */
  seen?: number;
  facts: Omit<DeedFacts, 'season' | 'earnedAt'>;
  /**
   * Asked again right before an odd turn is written: do card, link and the account's epoch still
   * stand (LEDGER 4)?
   */
  stands?: () => Promise<boolean>;
  /**
   * Deeds whose state at the new entry the asker wants to know, with the fewest points of the fan
   * from which on: read with what the decision needs anyway. Only of a command that is asked alone.
   */
  beside?: ReadonlyMap<string, number>;
}

/**
 * The state of a deed after a command: `entry` is the new line, or null when nothing had to be
 * written.
 */
export interface Outcome {
  entry: Entry | null;
  turn: number;
  /** The fan's head: the entry written here, or one at least as new as the deed's last turn. */
  head: Head;
  /** The medals held before the entry; those held now where none was written. */
  before: After['medals'];
  /** Which deeds of the command's `beside` were held at the entry, as far as they were looked up. */
  beside?: Beside | undefined;
  limited: Date | null;
  dropped: boolean;
}

/** The outcome of a command that was written. */
export const outcomeOf = ({ entry, before, beside }: Written): Outcome => ({
  ...{
    entry,
    turn: entry.turn,
    head: headOf(entry),
    before,
    beside,
    limited: null,
    dropped: false,
  },
});

/**
 * The turn that a command means behind the last one there is, or null when nothing is to be written.
 */
export function nextTurn(command: Command, last: number): number | null {
  const next = last + 1;
  if (command.seen !== undefined && command.seen !== last) return null;
  const meant =
    command.want === 'give'
      ? next % 2 === 1
      : command.want === 'take'
        ? next % 2 === 0
        : command.want.turn === next;
  return meant ? next : null;
}

/**
 * Whether card, link and epoch of a command that may give still stand; what takes back is never
 * refused.
 */
export const stillStands = async (command: Command): Promise<boolean> =>
  command.stands === undefined ||
  command.want === 'take' ||
  (command.want !== 'give' && command.want.turn % 2 === 0) ||
  command.stands();
