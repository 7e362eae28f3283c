import MiniSearch from 'minisearch';
import { wordsOf } from './fold.js';
import type { SearchAnswer, SearchDocument, SearchQuery } from './search-document.js';
import {
  comparePlaces,
  placeOf,
  readCursor,
  WHOLE,
  writeCursor,
  type Match,
  type Place,
} from './search-place.js';

/** How many answers, and people in them together (8 bytes each), are remembered. */
const MOST_ANSWERS = 2000;
const MOST_ANSWER_KEYS = 4_000_000;
/** Words of a query that are looked for; further ones are left out. */
const MOST_TERMS = 8;
/** Above any number of prefixes in a match. */
const PREFIXES = 16;
/** The form of the file; a file of another form is not read. */
const FORMAT = 2;

const options = {
  fields: ['w'],
  idField: 'n',
  storeFields: [] as string[],
  tokenize: (text: string) => text.split(' '),
  processTerm: (term: string) => term,
};
const typosAllowed = (term: string): number => (term.length >= 9 ? 2 : term.length >= 4 ? 1 : 0);

/** The words of a query, folded, each once. */
const termsOf = (query: SearchQuery): string[] =>
  [...new Set(wordsOf(query.q))].slice(0, MOST_TERMS);

/** Whether a person passes the filters of a query. */
const passes = (person: SearchDocument, query: SearchQuery): boolean =>
  (!query.discipline || person.disciplines.includes(query.discipline)) &&
  (!query.noc || person.noc === query.noc) &&
  (!query.games || person.games.includes(query.games)) &&
  (!query.status || person.status === query.status) &&
  (!query.network || person.networks.includes(query.network)) &&
  (!query.verified || person.networks.length > 0);

/**
 * How a person matches; null when a term of one or two letters begins no word of their name. A
 * longer one was found by MiniSearch: if it is no beginning either, it has a typo.
 */
function matchOf(person: SearchDocument, terms: string[]): Match | null {
  let typos = 0;
  let prefixes = 0;
  for (const term of terms) {
    if (person.words.includes(term)) continue;
    if (person.words.some((word) => word.startsWith(term))) prefixes += 1;
    else if (term.length > 2) typos += 1;
    else return null;
  }
  return { typos, prefixes };
}

/**
 * Holds all names in memory. MiniSearch finds words of three letters and more (whole, prefix,
 * typo); shorter ones, whose prefixes match tens of thousands, are found by a table of beginnings.
 * The order is a total one that does not depend on the rest of the corpus, so a cursor stays right
 * while people are added.
 */
export class SearchIndex {
  private mini = new MiniSearch<{ n: number; w: string }>(options);
  /** People by the number that MiniSearch knows them by; null for whoever has gone. */
  private readonly documents: (SearchDocument | null)[] = [];
  private readonly numbers = new Map<string, number>();
  /** The numbers in the directory's order. */
  private order: number[] = [];
  /** The other way round: where in that order a number stands. */
  private rank = new Int32Array(0);
  /** By one or two letters, the people one of whose words begins so; null until asked for. */
  private beginnings: Map<string, number[]> | null = null;
  /** Answers as keys, by query; see `keysOf`. */
  private readonly answers = new Map<string, Float64Array>();
  private answerKeys = 0;

  /** How many people can be found. */
  get size(): number {
    return this.numbers.size;
  }

  /** Adds or replaces people; hidden ones are taken out. */
  put(changed: SearchDocument[]): void {
    this.answers.clear();
    this.answerKeys = 0;
    for (const person of changed) if (!this.replace(person)) this.add(person);
    this.sort();
  }

  /** Replaces a person whose words are the same; takes out one whose words are not. */
  private replace(person: SearchDocument): boolean {
    const number = this.numbers.get(person.id);
    const old = number === undefined ? null : this.documents[number];
    if (number === undefined || !old) return false;
    if (!person.hidden && old.words.join(' ') === person.words.join(' ')) {
      this.documents[number] = person;
      return true;
    }
    this.mini.discard(number);
    this.documents[number] = null;
    this.numbers.delete(person.id);
    return false;
  }

  private add(person: SearchDocument): void {
    if (person.hidden) return;
    const number = this.documents.length;
    this.documents.push(person);
    this.numbers.set(person.id, number);
    this.mini.add({ n: number, w: person.words.join(' ') });
  }

  private person(number: number): SearchDocument {
    return this.documents[number] as SearchDocument;
  }

  private sort(): void {
    const places = new Map<number, Place>();
    for (const number of this.numbers.values())
      places.set(number, placeOf(this.person(number), WHOLE));
    this.rankBy(
      [...places.keys()].sort((a, b) =>
        comparePlaces(places.get(a) as Place, places.get(b) as Place),
      ),
    );
  }

  private rankBy(order: number[]): void {
    this.order = order;
    this.rank = new Int32Array(this.documents.length);
    order.forEach((number, index) => {
      this.rank[number] = index;
    });
    this.beginnings = null;
  }

  /** The people one of whose words begins with one or two letters, in the directory's order. */
  private beginningWith(letters: string): number[] {
    this.beginnings ??= this.findBeginnings();
    return this.beginnings.get(letters) ?? [];
  }

  private findBeginnings(): Map<string, number[]> {
    const beginnings = new Map<string, number[]>();
    for (const number of this.order) {
      const { words } = this.person(number);
      for (const letters of new Set(words.flatMap((word) => [word.slice(0, 1), word.slice(0, 2)])))
        if (!beginnings.get(letters)?.push(number)) beginnings.set(letters, [number]);
    }
    return beginnings;
  }

  /** The people who may match; `matchOf` says who does. */
  private candidates(terms: string[]): Iterable<number> {
    if (terms.length === 0) return this.order;
    const long = terms.filter((term) => term.length > 2);
    if (long.length === 0)
      return this.beginningWith(terms.reduce((a, b) => (b.length > a.length ? b : a)));
    const found = this.mini.search(
      { combineWith: 'AND', queries: long },
      { prefix: true, fuzzy: typosAllowed },
    );
    return found.map(({ id }) => id as number);
  }

  /**
   * Everybody who fits, as sorted keys: a key is how they match, then their rank. The same query
   * again is answered from memory until somebody changes.
   */
  private keysOf(terms: string[], query: SearchQuery): Float64Array {
    const { discipline, noc, games, status, network, verified } = query;
    const question = JSON.stringify([terms, discipline, noc, games, status, network, verified]);
    const known = this.answers.get(question);
    if (known) return known;
    const keys: number[] = [];
    for (const number of this.candidates(terms)) {
      const person = this.documents[number];
      if (!person || !passes(person, query)) continue;
      const match = matchOf(person, terms);
      if (match) keys.push(this.keyOf(match, number));
    }
    const sorted = Float64Array.from(keys).sort();
    this.remember(question, sorted);
    return sorted;
  }

  /** Keys of two matches are further apart than any two ranks. */
  private get span(): number {
    return this.order.length + 1;
  }

  private keyOf({ typos, prefixes }: Match, number: number): number {
    return (typos * PREFIXES + prefixes) * this.span + (this.rank[number] as number);
  }

  private personAt(key: number): SearchDocument {
    return this.person(this.order[key % this.span] as number);
  }

  private placeAt(key: number): Place {
    const match = Math.floor(key / this.span);
    return placeOf(this.personAt(key), {
      typos: Math.floor(match / PREFIXES),
      prefixes: match % PREFIXES,
    });
  }

  private remember(question: string, keys: Float64Array): void {
    this.answers.set(question, keys);
    this.answerKeys += keys.length;
    while (this.answerKeys > MOST_ANSWER_KEYS || this.answers.size > MOST_ANSWERS) {
      const [oldest, dropped] = this.answers.entries().next().value as [string, Float64Array];
      this.answers.delete(oldest);
      this.answerKeys -= dropped.length;
    }
  }

  /** How many of these keys are at a place or before it. */
  private countUpTo(keys: Float64Array, place: Place): number {
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comparePlaces(this.placeAt(keys[middle] as number), place) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Finds people, best first. Throws for a cursor that is none. */
  search(query: SearchQuery): SearchAnswer {
    const keys = this.keysOf(termsOf(query), query);
    const from = query.cursor
      ? this.countUpTo(keys, readCursor(query.cursor))
      : (query.offset ?? 0);
    const shown = Array.from(keys.subarray(from, from + query.limit));
    const last = shown.at(-1);
    const hasMore = last !== undefined && from + shown.length < keys.length;
    return {
      items: shown.map((key) => this.personAt(key)),
      total: keys.length,
      next: hasMore ? writeCursor(this.placeAt(last)) : null,
    };
  }

  /** Writes the whole index as text, to be kept in a file. */
  save(revision: number): string {
    return JSON.stringify({
      format: FORMAT,
      revision,
      documents: this.documents,
      order: this.order,
      index: JSON.stringify(this.mini),
    });
  }

  /** Makes an index from its file. Throws when the file is of another form, or broken. */
  static load(text: string): { index: SearchIndex; revision: number } {
    const kept = JSON.parse(text) as {
      format: number;
      revision: number;
      documents: (SearchDocument | null)[];
      order: number[];
      index: string;
    };
    if (kept.format !== FORMAT) throw new Error('another format');
    const index = new SearchIndex();
    index.mini = MiniSearch.loadJSON(kept.index, options);
    kept.documents.forEach((person, number) => {
      index.documents.push(person);
      if (person) index.numbers.set(person.id, number);
    });
    index.rankBy(kept.order);
    return { index, revision: kept.revision };
  }
}
