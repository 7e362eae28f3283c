import type { Language, Words } from '../platform/i18n.js';
import type { AthleteRecord } from './athlete.model.js';
import { INKED } from './disciplines.js';
import { isoOf } from '../platform/countries.js';
import type { ListedAccount } from './needs.js';
import type { SearchDocument } from './search-index.js';

/** First letters of the first and the last word of a name, for the placeholder portrait. */
export function initials(name: string): string {
  const words = name
    .replace(/["“”'’(][^"“”'’)]*["“”'’)]/g, ' ')
    .split(/[\s-]+/)
    .filter((word) => /^\p{L}/u.test(word));
  const [first = '', last = ''] = [words[0], words.length > 1 ? words.at(-1) : ''];
  return ((first?.[0] ?? '') + (last?.[0] ?? '')).toUpperCase();
}

/** The country of a team in the reader's language; historic teams keep the name they bore. */
export function countryName(
  words: Words,
  language: Language,
  noc: string,
  country: string,
): string {
  const iso = isoOf(noc);
  return iso ? words.country(language, iso) : country;
}

/** A person in the JSON of `/api/v1/athletes` (DESIGN 7). */
export const presentItem = (one: SearchDocument, accounts: ListedAccount[]) => ({
  slug: one.slug,
  name: one.name,
  noc: one.noc || null,
  disciplines: one.disciplines,
  status: one.status,
  accounts: accounts.map(({ id, network, handle, url, since }) => ({
    id,
    network,
    handle,
    url,
    since,
  })),
});

export interface AthleteCard {
  slug: string;
  name: string;
  noc: string;
  country: string;
  discipline: string;
  ink: string | null;
  initials: string;
  status: string;
  demo: boolean;
  verified: boolean;
  disciplines: string[];
}

/** A person as a card or a line of a page shows them. */
export function presentCard(
  words: Words,
  language: Language,
  one: Pick<
    SearchDocument,
    'slug' | 'name' | 'noc' | 'country' | 'disciplines' | 'status' | 'demo' | 'networks'
  >,
): AthleteCard {
  const discipline = one.disciplines.find((slug) => INKED.has(slug)) ?? one.disciplines[0] ?? '';
  return {
    slug: one.slug,
    name: one.name,
    noc: one.noc,
    country: countryName(words, language, one.noc, one.country),
    discipline,
    ink: INKED.has(discipline) ? discipline : null,
    initials: initials(one.name),
    status: one.status,
    demo: one.demo,
    verified: one.networks.length > 0,
    disciplines: one.disciplines,
  };
}

/** The same, from a record. */
export const cardOf = (words: Words, language: Language, one: AthleteRecord): AthleteCard =>
  presentCard(words, language, { ...one, slug: one.slugs[0] ?? one._id });
