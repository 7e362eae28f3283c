import type { After, DeedFacts, Entry, Head, TurnFacts } from './entry.js';

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
  /** The fan's head: the entry written here, or one at least as new as the deed's last turn. */
  head: Head;
  /** The medals held before the entry; those held now where none was written. */
  before: After['medals'];
  limited: Date | null;
  dropped: boolean;
}

/** The turn that a wish means behind the last one there is, or null when nothing is to be written. */
export function nextTurn(wish: Wish, last: number): number | null {
  const next = last + 1;
  if (wish.seen !== undefined && wish.seen !== last) return null;
  const meant = wish.want === 'give' ? next % 2 === 1 : wish.want === 'take' ? next % 2 === 0 : wish.want.turn === next;
  return meant ? next : null;
}

/** Whether card, link and epoch of a wish that may give still stand; what takes back is never refused. */
export const stillStands = async (wish: Wish): Promise<boolean> =>
  wish.stands === undefined || wish.want === 'take' || (wish.want !== 'give' && wish.want.turn % 2 === 0) || wish.stands();
