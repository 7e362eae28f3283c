import type { RelatedDeeds, Written } from './award.js';
import type { Head } from './entry.js';
import { openCommands, type Submission } from './submission.js';
import { isGive, isHeldIn, type DeedTurns } from './turns.js';

/** The fans that are remembered: those who did something last. */
const FANS_LIMIT = 20_000;
/** The deeds remembered of one fan; beyond these, memory starts afresh. */
const DEEDS_LIMIT = 80;

/** Whether deeds of one fan are held, as far as it is known. */
export type KnownDeeds = ReadonlyMap<string, boolean>;
const NOTHING: KnownDeeds = new Map();

/**
 * The related deeds that a submission asks about, without those that cannot matter yet to a fan who
 * gets one point more than this head has. Only a command that was submitted alone has any.
 */
function relatedTo({ commands }: Submission, head: Head): string[] {
  const [command] = commands;
  // A fan without points holds no deed: there is nothing to look up.
  if (!command?.related || commands.length > 1 || head.after.points === 0) return [];
  return [...command.related]
    .filter(([deed, from]) => deed !== command.deed && from <= head.after.points + 1)
    .map(([deed]) => deed);
}

/** The deeds whose turns must be read: those to decide on, and related ones not known yet. */
export const deedsToRead = (submission: Submission, head: Head, known: KnownDeeds): Set<string> =>
  new Set([
    ...openCommands(submission).map(({ deed }) => deed),
    ...relatedTo(submission, head).filter((deed) => !known.has(deed)),
  ]);

/**
 * Which related deeds are held at an entry right behind this head, if the head was read before
 * these turns were; undefined when none was asked about. Head and turns are not read at one
 * instant, and the answer is exact all the same: every entry up to the head was there when the
 * turns were read, and one that came in between has taken the new entry's place, so that the new
 * entry is refused.
 */
export function relatedAt(
  submission: Submission,
  head: Head,
  turns: DeedTurns,
  known: KnownDeeds,
): RelatedDeeds | undefined {
  const deeds = relatedTo(submission, head);
  if (deeds.length === 0) return undefined;
  return Object.fromEntries(
    deeds.map((deed) => [deed, known.get(deed) ?? isHeldIn(turns, submission.fan, deed)]),
  );
}

/**
 * Remembers which deeds were held at a fan's last entry that this process wrote, as far as they
 * were looked up: what was read for one follow need not be read for the next. This is true of that
 * very entry, so it is kept with the entry's hash and told only of a head that bears it.
 */
export class RelatedMemory {
  private readonly fans = new Map<string, { hash: string; held: Map<string, boolean> }>();

  /** What is known of the deeds of a fan who is at this head. */
  recall(fan: string, { hash }: Head): KnownDeeds {
    const known = this.fans.get(fan);
    return known?.hash === hash ? known.held : NOTHING;
  }

  /** Remembers what was held at an entry that was written, adding to what was known before it. */
  keep({ entry, related }: Written): void {
    const { fan, prev, hash, deed, turn } = entry;
    const known = this.fans.get(fan);
    if (known) this.fans.delete(fan);
    const held =
      known?.hash === prev && known.held.size <= DEEDS_LIMIT
        ? known.held
        : new Map<string, boolean>();
    for (const [other, isHeld] of Object.entries(related ?? {})) held.set(other, isHeld);
    if (held.size === 0) return;
    held.set(deed, isGive(turn));
    this.fans.set(fan, { hash, held });
    if (this.fans.size > FANS_LIMIT) this.fans.delete(this.fans.keys().next().value as string);
  }
}
