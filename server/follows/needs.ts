/** A video that an award has just opened. */
export interface Unlocked {
  slug: string;
  title: string;
}

/** What follows needs from above to tell what an award opened. `gained` are the deeds that were given. */
export interface Unlocks {
  openedBy(fan: string, gained: string[], language: string): Promise<Unlocked[]>;
}
