import { isoOf, NOCS } from '../platform/countries.js';
import type { Language, Words } from '../platform/i18n.js';
import type { AthleteRecord } from './athlete.model.js';
import { DISCIPLINES, INKED } from './disciplines.js';
import type { ListedAccount } from './needs.js';
import type {
  AccountAnswer,
  AthleteFactsAnswer,
  AthleteItemAnswer,
  AthletesAnswer,
  PageSearch,
} from './schema.js';
import type { SearchDocument } from './search-document.js';
import type { Found, ImportState } from './service.js';

/** People on a page of the directory. */
export const PAGE_SIZE = 20;

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

const presentAccount = ({ id, network, handle, url, since }: ListedAccount): AccountAnswer => ({
  id,
  network,
  handle,
  url,
  since: since.toISOString(),
});

const presentItem = (athlete: SearchDocument, accounts: ListedAccount[]): AthleteItemAnswer => ({
  slug: athlete.slug,
  name: athlete.name,
  noc: athlete.noc || null,
  disciplines: athlete.disciplines,
  status: athlete.status,
  accounts: accounts.map(presentAccount),
});

/** What was found, as the answer of `GET /api/v1/athletes`; `accounts` by the id of the athlete. */
export const presentFound = (
  found: Found,
  accounts: ReadonlyMap<string, ListedAccount[]>,
): AthletesAnswer => ({
  items: found.items.map((athlete) => presentItem(athlete, accounts.get(athlete.id) ?? [])),
  nextCursor: found.next,
  total: found.total,
  ...(found.partial ? { partial: true } : {}),
});

/** What the directory says of a person in `GET /api/v1/athletes/:slug`. */
export const presentFacts = (athlete: AthleteRecord): AthleteFactsAnswer => ({
  slug: athlete.slugs[0] ?? athlete._id,
  name: athlete.name,
  noc: athlete.noc || null,
  country: athlete.country,
  disciplines: athlete.disciplines,
  status: athlete.status,
  games: athlete.games,
  medals: athlete.medals,
  demo: athlete.demo,
});

/** A person as a card or a line of a page shows them. */
export interface AthleteCard {
  slug: string;
  name: string;
  noc: string;
  country: string;
  /** The discipline that the card is coloured by. */
  discipline: string;
  /** The same, where it has an ink of its own. */
  ink: string | null;
  initials: string;
  status: string;
  demo: boolean;
  verified: boolean;
  disciplines: string[];
}

/** Makes the card of somebody who was found. */
export function presentCard(
  words: Words,
  language: Language,
  athlete: Pick<
    SearchDocument,
    'slug' | 'name' | 'noc' | 'country' | 'disciplines' | 'status' | 'demo' | 'networks'
  >,
): AthleteCard {
  const { disciplines } = athlete;
  const discipline = disciplines.find((slug) => INKED.has(slug)) ?? disciplines[0] ?? '';
  return {
    slug: athlete.slug,
    name: athlete.name,
    noc: athlete.noc,
    country: countryName(words, language, athlete.noc, athlete.country),
    discipline,
    ink: INKED.has(discipline) ? discipline : null,
    initials: initials(athlete.name),
    status: athlete.status,
    demo: athlete.demo,
    verified: athlete.networks.length > 0,
    disciplines,
  };
}

/** Makes the card of a record. */
export const cardOf = (words: Words, language: Language, athlete: AthleteRecord): AthleteCard =>
  presentCard(words, language, { ...athlete, slug: athlete.slugs[0] ?? athlete._id });

type Filter = Exclude<keyof PageSearch, 'page' | 'q'>;

/** Nine winter and nine summer editions, the latest first. */
const GAMES = [
  ...Array.from({ length: 9 }, (_x, index) => `${2026 - index * 4}-winter`),
  ...Array.from({ length: 9 }, (_x, index) => `${2024 - index * 4}-summer`),
]
  .sort()
  .reverse();

/** What a value of a filter is called in the reader's language. */
function labelOf(words: Words, language: Language, name: string, value: string): string {
  const t = (key: string, values = {}): string => words.t(language, key, values);
  switch (name) {
    case 'discipline':
      return t(`disciplines.${value}`);
    case 'noc':
      return countryName(words, language, value, value);
    case 'status':
      return t(`athletes.status.${value}`);
    case 'games':
      return t(`athletes.edition.${value.slice(5)}`, { year: value.slice(0, 4) });
    case 'verified':
      return t('athletes.verifiedOnly');
    default:
      return value;
  }
}

/** What was asked for, as pairs: all but the number of the page, and nothing empty. */
const chosenIn = (input: PageSearch): [string, string][] =>
  Object.entries(input).filter((pair): pair is [string, string] => pair[0] !== 'page' && !!pair[1]);

/** Makes the view of the directory's page: the form, the filters in force, a page of people. */
export function presentDirectory(
  words: Words,
  language: Language,
  { input, found, importing }: { input: PageSearch; found: Found; importing: ImportState | null },
) {
  const chosen = chosenIn(input);
  const home = `/${language}/athletes`;
  const link = (change: Record<string, string | number | null>): string => {
    const search = new URLSearchParams(Object.fromEntries(chosen));
    for (const [name, value] of Object.entries(change))
      if (value === null) search.delete(name);
      else search.set(name, String(value));
    const query = search.toString();
    return query ? `${home}?${query}` : home;
  };
  const options = (name: Filter, values: readonly string[]) =>
    values.map((value) => ({
      value,
      label: labelOf(words, language, name, value),
      chosen: input[name] === value,
    }));
  const byLabel = (a: { label: string }, b: { label: string }): number =>
    a.label.localeCompare(b.label, language);
  const pages = Math.max(1, Math.ceil(found.total / PAGE_SIZE));
  return {
    q: input.q ?? '',
    filtering: chosen.some(([name]) => name !== 'q'),
    total: found.total,
    partial: found.partial,
    importing,
    items: found.items.map((athlete) => presentCard(words, language, athlete)),
    filters: chosen.map(([name, value]) => ({
      label: labelOf(words, language, name, value),
      without: link({ [name]: null, page: null }),
    })),
    disciplines: options('discipline', DISCIPLINES).sort(byLabel),
    nocs: options('noc', NOCS).sort(byLabel),
    games: options('games', GAMES),
    statuses: options('status', ['active', 'former', 'qualified']),
    verified: input.verified === '1',
    page: input.page,
    pages,
    before: input.page > 1 ? link({ page: input.page - 1 }) : null,
    after: input.page < pages ? link({ page: input.page + 1 }) : null,
    reset: home,
  };
}
