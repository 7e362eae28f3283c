import type { Beside, Written } from './award.js';
import type { Head } from './entry.js';
import { turnKey } from './turns.js';
import { open, type DeedTurns, type Waiting } from './waiting.js';

/** Of how many fans it is remembered, those who did something last. */
const LIMIT = 20_000;
/** Deeds of one fan that are remembered; beyond these it begins anew. */
const MOST = 80;
type Held = ReadonlyMap<string, boolean>;
const NOTHING: Held = new Map();

/**
 * The deeds that one fan's lone command asks about beside its own, as far as they can matter to a fan
 * with one point more than this head has.
 */
function besideOf(one: Waiting, head: Head): string[] {
  const [command] = one.commands;
  // Who holds nothing need not be looked up.
  if (!command?.beside || one.commands.length > 1 || head.after.points === 0) return [];
  return [...command.beside]
    .filter(([deed, from]) => deed !== command.deed && from <= head.after.points + 1)
    .map(([deed]) => deed);
}

/**
 * Which deeds were held at the last entry of a fan that this process wrote, as far as they were
 * looked up: what was read for one follow need not be read for the next. It is true of that entry
 * and of no other, and is told of a head only that bears its hash.
 */
export class BesideMemory {
  private readonly fans = new Map<string, { hash: string; held: Map<string, boolean> }>();

  /** What is known of a fan whose last entry this head is. */
  at(fan: string, { hash }: Head): Held {
    const known = this.fans.get(fan);
    return known?.hash === hash ? known.held : NOTHING;
  }

  /** An entry was written, and this was held beside it. */
  keep({ entry, beside }: Written): void {
    const { fan, prev, hash, deed, turn } = entry;
    const known = this.fans.get(fan);
    if (known) this.fans.delete(fan);
    const held =
      known?.hash === prev && known.held.size <= MOST ? known.held : new Map<string, boolean>();
    for (const [other, is] of Object.entries(beside ?? {})) held.set(other, is);
    if (held.size === 0) return;
    held.set(deed, turn % 2 === 1);
    this.fans.set(fan, { hash, held });
    if (this.fans.size > LIMIT) this.fans.delete(this.fans.keys().next().value as string);
  }
}

/**
 * The deeds whose turns are read for one fan: those that are decided, and what is asked beside them
 * and not known.
 */
export const askedOf = (one: Waiting, head: Head, known: Held): Set<string> =>
  new Set([
    ...open(one).map(({ deed }) => deed),
    ...besideOf(one, head).filter((deed) => !known.has(deed)),
  ]);

/**
 * What is held beside an entry that comes right behind this head, the head being known before these
 * turns were read. Nobody reads both at one instant, and it is exact all the same: all entries up
 * to the head were there when the turns were read, and one that came between them has the new
 * entry's place, so that the new entry is refused.
 */
export function besideAt(
  one: Waiting,
  head: Head,
  turns: DeedTurns,
  known: Held,
): Beside | undefined {
  const beside = besideOf(one, head);
  if (beside.length === 0) return undefined;
  return Object.fromEntries(
    beside.map((deed) => [
      deed,
      known.get(deed) ?? (turns.get(turnKey(one.fan, deed))?.at(-1)?.turn ?? 0) % 2 === 1,
    ]),
  );
}
