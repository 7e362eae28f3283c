import type { Award } from '../events.js';

/** A video that an award has just opened. */
export interface Unlocked {
  slug: string;
  title: string;
}

/** What this room needs from above to tell what an award opened. */
export interface Unlocks {
  /** The videos that an award has opened, with their titles in this language. */
  openedBy(award: Award, language: string): Promise<Unlocked[]>;
  /**
   * The other athletes whose being followed decides what an award for this one opens, each with the
   * fewest points that a fan needs for it to matter. Empty when nothing is opened that way, or when
   * so many decide that they are better read apart.
   */
  relatedTo(athlete: string): Promise<ReadonlyMap<string, number>>;
}
