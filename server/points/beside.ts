import type { Beside } from './award.js';
import type { Head } from './entry.js';
import { turnKey } from './turns.js';
import { open, type DeedTurns, type Waiting } from './waiting.js';

/** The deeds that one fan's lone wish asks about beside its own, as far as they can matter to a fan with one point more than this head has. */
function besideOf(one: Waiting, head: Head): string[] {
  const [wish] = one.wishes;
  // Who holds nothing need not be looked up.
  if (!wish?.beside || one.wishes.length > 1 || head.after.points === 0) return [];
  return [...wish.beside].filter(([deed, from]) => deed !== wish.deed && from <= head.after.points + 1).map(([deed]) => deed);
}

/** The deeds whose turns are read for one fan: those that are decided, and what is asked beside them. */
export const askedOf = (one: Waiting, head: Head): Set<string> => new Set([...open(one).map(({ deed }) => deed), ...besideOf(one, head)]);

/**
 * What is held beside an entry that comes right behind this head, the head being known before these turns were read. Nobody reads both at
 * one instant, and it is exact all the same: all entries up to the head were there when the turns were read, and one that came between
 * them has the new entry's place, so that the new entry is refused.
 */
export function besideAt(one: Waiting, head: Head, turns: DeedTurns): Beside | undefined {
  const beside = besideOf(one, head);
  if (beside.length === 0) return undefined;
  return Object.fromEntries(beside.map((deed) => [deed, (turns.get(turnKey(one.fan, deed))?.at(-1)?.turn ?? 0) % 2 === 1]));
}
