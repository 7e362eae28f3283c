import type { DeedFacts, Entry, Head, TurnFacts } from './entry.js';

/** What somebody asks of the ledger about one deed. */
export interface Wish extends TurnFacts {
  fan: string;
  deed: string;
  /** `give` takes the next odd turn if the deed is not held, `take` the next even one if it is, `turn` just that turn. */
  want: 'give' | 'take' | { turn: number };
  /** The turn the asker last saw: another one there means that things have moved on, and nothing is written. */
  seen?: number;
  facts: Omit<DeedFacts, 'season' | 'earnedAt'>;
  /** Asked again right before an odd turn is written: do card, link and the account's epoch still stand (LEDGER 4)? */
  stands?: () => Promise<boolean>;
}

/** The state of a deed after a wish: `entry` is the new line, or null when nothing had to be written. */
export interface Outcome {
  entry: Entry | null;
  turn: number;
  head: Head;
  limited: Date | null;
  dropped: boolean;
}

/** Whether card, link and epoch of a wish that may give still stand; what takes back is never refused. */
export const stillStands = async (wish: Wish): Promise<boolean> =>
  wish.stands === undefined || wish.want === 'take' || (wish.want !== 'give' && wish.want.turn % 2 === 0) || wish.stands();
