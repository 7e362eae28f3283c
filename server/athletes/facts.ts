import { createHash } from 'node:crypto';
import type { AthleteRecord, AthleteStatus } from './athlete.model.js';
import { wordsOf } from './fold.js';

/** The first year whose Games make somebody active. */
const ACTIVE_SINCE = 2024;

/** What a person of the directory is made of, wherever it came from. */
export interface AthleteFacts {
  source: string;
  sourceId: string;
  name: string;
  sex: string;
  noc: string;
  country: string;
  disciplines: string[];
  games: string[];
  medals: { gold: number; silver: number; bronze: number };
  lastYear: number;
  /** Follows from `lastYear` where it is not given. */
  status?: AthleteStatus;
  demo?: boolean;
  /** Only for people whose slug is given (the demo's). */
  slug?: string;
}

/** The part of a record that follows from the facts. */
export type FactFields = Omit<
  AthleteRecord,
  '_id' | 'slugs' | 'bases' | 'networks' | 'hidden' | 'revision'
>;

/** Digest of the facts, by which an unchanged person is known. */
export const digestOf = (facts: AthleteFacts): string =>
  createHash('sha1').update(JSON.stringify(facts)).digest('base64url');

/** Makes of the facts what the record says of the person. */
export const fieldsOf = (facts: AthleteFacts): FactFields => ({
  source: facts.source,
  sourceId: facts.sourceId,
  name: facts.name,
  words: [...new Set(wordsOf(facts.name))],
  sex: facts.sex,
  noc: facts.noc,
  country: facts.country,
  disciplines: facts.disciplines,
  games: facts.games,
  medals: facts.medals,
  lastYear: facts.lastYear,
  status: facts.status ?? (facts.lastYear >= ACTIVE_SINCE ? 'active' : 'former'),
  demo: facts.demo ?? false,
  digest: digestOf(facts),
});
