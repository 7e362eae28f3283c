import type { Types } from 'mongoose';
import type { Entry } from './entry.js';
import type { Outcome, Wish } from './wish.js';

/** Wishes of one fan that wait for a flush, or are in it. */
export interface Waiting {
  fan: string;
  wishes: Wish[];
  since: number;
  resolve: (outcomes: Outcome[]) => void;
  reject: (error: unknown) => void;
  outcomes: (Outcome | null)[];
  /** What was sent for a wish and not acknowledged: found in the store later, it was ours. */
  tried: (Attempt | undefined)[];
}
/** An entry on its way, under the record id that tells it from an equal one of another process. */
export interface Attempt {
  id: Types.ObjectId;
  entry: Entry;
}
/** What deciding needs to know of the last turn of a deed. */
export type LastTurn = { _id: Types.ObjectId } & Pick<Entry, 'fan' | 'seq' | 'deed' | 'turn' | 'account' | 'athlete' | 'disciplines' | 'season' | 'earnedAt'>;

/** The one entry of a fan in a flush. */
export interface Single extends Attempt {
  one: Waiting;
  at: number;
}
/** A piece of a chain: entries in order, and wishes that came to nothing behind them. */
export interface Part {
  entries: (Attempt & { at: number })[];
  settled: { at: number; outcome: Outcome }[];
  refused: Promise<Set<number>>;
}

/** The last turns among entries of one read, by deed. */
export function lastOf<T extends { fan: string; deed: string; turn: number }>(found: T[]): Map<string, T> {
  const last = new Map<string, T>();
  for (const one of found) {
    const key = `${one.fan}\0${one.deed}`;
    const known = last.get(key);
    if (!known || known.turn < one.turn) last.set(key, one);
  }
  return last;
}
