import type { Award } from '../events.js';

/** A video that an award has just opened. */
export interface Unlocked {
  slug: string;
  title: string;
}

/** What follows needs from above to tell what an award opened. */
export interface Unlocks {
  openedBy(award: Award, language: string): Promise<Unlocked[]>;
}
