import type { AthleteRecord } from './athlete.model.js';

/**
 * What search keeps of a person: enough to show a line of the directory without asking the store.
 */
export interface SearchDocument {
  id: string;
  slug: string;
  name: string;
  /** The folded words of the name. */
  words: string[];
  active: boolean;
  status: AthleteRecord['status'];
  noc: string;
  country: string;
  disciplines: string[];
  games: string[];
  /** Networks with a verified account. */
  networks: string[];
  /** The weight of their medals: a gold is 4, a silver 2, a bronze 1. */
  medals: number;
  hidden: boolean;
  demo: boolean;
}

/** Makes of a record what the index keeps. */
export const documentOf = (athlete: AthleteRecord): SearchDocument => ({
  id: athlete._id,
  slug: athlete.slugs[0] ?? athlete._id,
  name: athlete.name,
  words: athlete.words,
  active: athlete.status !== 'former',
  status: athlete.status,
  noc: athlete.noc,
  country: athlete.country,
  disciplines: athlete.disciplines,
  games: athlete.games,
  networks: athlete.networks,
  medals: athlete.medals.gold * 4 + athlete.medals.silver * 2 + athlete.medals.bronze,
  hidden: athlete.hidden,
  demo: athlete.demo,
});

/** What the directory is asked: words of a name, filters, and which part of the answer. */
export interface SearchQuery {
  q: string;
  discipline?: string;
  noc?: string;
  games?: string;
  status?: string;
  network?: string;
  /** Only people with a verified account. */
  verified?: boolean;
  limit: number;
  offset?: number;
  /** Where an earlier answer ended; it goes before `offset`. */
  cursor?: string;
}

/** A part of what was found, how many there are in all, and the cursor of the next part. */
export interface SearchAnswer {
  items: SearchDocument[];
  total: number;
  next: string | null;
}
