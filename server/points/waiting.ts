import type { Types } from 'mongoose';
import type { Entry } from './entry.js';
import type { Written } from './award.js';
import type { Turned } from './turns.js';
import type { Outcome, Command } from './command.js';

/** Commands of one fan that wait for a flush, or are in it. */
export interface Waiting {
  fan: string;
  commands: Command[];
  /** When they came, by the hub's clock in ms: what `clearTo` tells. */
  since: number;
  /** Until when they are tried, on a clock that is never set (`performance.now`). */
  until: number;
  resolve: (outcomes: Outcome[]) => void;
  reject: (error: unknown) => void;
  outcomes: (Outcome | null)[];
  /**
   * All that was ever sent for a command and not acknowledged: whichever of it is found in the store
   * later was ours.
   */
  tried: Attempt[][];
}
/** An entry on its way, under the record id that tells it from an equal one of another process. */
export interface Attempt extends Written {
  id: Types.ObjectId;
}
/** What deciding needs to know of the turns of a deed. */
export const TURN_FIELDS = [
  'seq',
  'at',
  'account',
  'on',
  'athlete',
  'disciplines',
  'season',
  'earnedAt',
] as const satisfies readonly (keyof Entry)[];
export type DeedTurns = Turned<
  Pick<Entry, 'fan' | 'deed' | 'turn' | (typeof TURN_FIELDS)[number]> & { _id: Types.ObjectId }
>;

/** The one entry of a fan in a flush. */
export interface Single extends Attempt {
  one: Waiting;
  at: number;
}
/** A piece of a chain: entries in order, and commands that came to nothing behind them. */
export interface Part {
  entries: (Attempt & { at: number })[];
  settled: { at: number; outcome: Outcome }[];
  refused: Promise<Set<number>>;
}

/** Commands that have no outcome yet. */
export const open = (one: Waiting): Command[] =>
  one.commands.filter((_command, at) => !one.outcomes[at]);

/**
 * The earliest of so many instants, however many there are (spread into `Math.min`, 130,000 throw).
 */
export function earliest(instants: Iterable<number>, first = Infinity): number {
  let least = first;
  for (const one of instants) if (one < least) least = one;
  return least;
}
