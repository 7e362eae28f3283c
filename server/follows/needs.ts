import type { Award } from '../events.js';

/** A video that an award has just opened. */
export interface Unlocked {
  slug: string;
  title: string;
}

/** What follows needs from above to tell what an award opened. */
export interface Unlocks {
  openedBy(award: Award, language: string): Promise<Unlocked[]>;
  /**
   * The athletes that decide, whether they are followed, what an award of this one opens; each with
   * the fewest points of a fan from which on. Empty when nothing is opened so, or when so many
   * decide that they are better read apart.
   */
  beside(athlete: string): Promise<ReadonlyMap<string, number>>;
}
