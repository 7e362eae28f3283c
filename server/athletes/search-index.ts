import MiniSearch from 'minisearch';
import type { AthleteRecord } from './athlete.model.js';
import { wordsOf } from './fold.js';

/**
 * What search keeps of a person, enough to show a line of the directory without asking the store.
 */
export interface SearchDocument {
  id: string;
  slug: string;
  name: string;
  words: string[];
  active: boolean;
  status: string;
  noc: string;
  country: string;
  disciplines: string[];
  games: string[];
  networks: string[];
  medals: number;
  hidden: boolean;
  demo: boolean;
}

/** What of a person the index holds. */
export const documentOf = (one: AthleteRecord): SearchDocument => ({
  id: one._id,
  slug: one.slugs[0] ?? one._id,
  name: one.name,
  words: one.words,
  active: one.status !== 'former',
  status: one.status,
  noc: one.noc,
  country: one.country,
  disciplines: one.disciplines,
  games: one.games,
  networks: one.networks,
  medals: one.medals.gold * 4 + one.medals.silver * 2 + one.medals.bronze,
  hidden: one.hidden,
  demo: one.demo,
});

export interface SearchQuery {
  q: string;
  discipline?: string;
  noc?: string;
  games?: string;
  status?: string;
  network?: string;
  verified?: boolean;
  limit: number;
  offset?: number;
  cursor?: string;
}
export interface SearchAnswer {
  items: SearchDocument[];
  total: number;
  next: string | null;
}

/** How many questions, and people in them together (8 bytes each), are remembered. */
const ANSWERED = 2000;
const ANSWERED_KEYS = 4_000_000;

/**
 * Place in the answer: typos, prefixes, then the directory's own order (active, verified, medals,
 * name).
 */
type Place = [
  typos: number,
  prefixes: number,
  former: number,
  unverified: number,
  medals: number,
  name: string,
  id: string,
];

const options = {
  fields: ['w'],
  idField: 'n',
  storeFields: [] as string[],
  tokenize: (text: string) => text.split(' '),
  processTerm: (term: string) => term,
};
const typosAllowed = (term: string): number => (term.length >= 9 ? 2 : term.length >= 4 ? 1 : 0);
// Names are folded already: plain order is the right one, and twenty times faster than a collator.
const plain = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function compare(a: Place, b: Place): number {
  for (let at = 0; at < 5; at += 1) {
    const difference = (a[at] as number) - (b[at] as number);
    if (difference !== 0) return difference;
  }
  return plain(a[5], b[5]) || plain(a[6], b[6]);
}

/**
 * All names in memory. MiniSearch finds words of three letters and more (whole, prefix, typo);
 * shorter ones, whose prefixes match tens of thousands, are found by a sorted list of words. The
 * order is a total one that does not depend on the rest of the corpus, so a cursor stays right
 * while people are added.
 */
export class SearchIndex {
  private mini = new MiniSearch<{ n: number; w: string }>(options);
  private readonly documents: (SearchDocument | null)[] = [];
  private readonly numbers = new Map<string, number>();
  /** Document numbers in the directory's order, and each one's place in it. */
  private order: number[] = [];
  private rank = new Int32Array(0);
  private short: Map<string, number[]> | null = null;
  private readonly answered = new Map<string, Float64Array>();
  private answeredKeys = 0;

  get size(): number {
    return this.numbers.size;
  }

  private place(number: number, typos: number, prefixes: number): Place {
    const one = this.documents[number] as SearchDocument;
    return [
      typos,
      prefixes,
      one.active ? 0 : 1,
      one.networks.length > 0 ? 0 : 1,
      -one.medals,
      one.words.join(' '),
      one.id,
    ];
  }

  /** Adds or replaces people; hidden ones are taken out. */
  put(changed: SearchDocument[]): void {
    this.answered.clear();
    this.answeredKeys = 0;
    for (const one of changed) {
      const number = this.numbers.get(one.id);
      const old = number === undefined ? null : this.documents[number];
      const text = one.words.join(' ');
      if (number !== undefined && old) {
        const sameWords = old.words.join(' ') === text && !one.hidden;
        if (sameWords) {
          this.documents[number] = one;
          continue;
        }
        this.mini.discard(number);
        this.documents[number] = null;
        this.numbers.delete(one.id);
      }
      if (one.hidden) continue;
      const fresh = this.documents.length;
      this.documents.push(one);
      this.numbers.set(one.id, fresh);
      this.mini.add({ n: fresh, w: text });
    }
    this.sort();
  }

  private sort(): void {
    const places = new Map<number, Place>();
    for (const number of this.numbers.values()) places.set(number, this.place(number, 0, 0));
    this.order = [...places.keys()].sort((a, b) =>
      compare(places.get(a) as Place, places.get(b) as Place),
    );
    this.rank = new Int32Array(this.documents.length);
    this.order.forEach((number, at) => {
      this.rank[number] = at;
    });
    this.short = null;
  }

  /** People one of whose words begins with one or two letters, in order. */
  private beginning(prefix: string): number[] {
    if (!this.short) {
      this.short = new Map();
      for (const number of this.order) {
        for (const key of new Set(
          (this.documents[number] as SearchDocument).words.flatMap((word) => [
            word.slice(0, 1),
            word.slice(0, 2),
          ]),
        )) {
          const list = this.short.get(key);
          if (list) list.push(number);
          else this.short.set(key, [number]);
        }
      }
    }
    return this.short.get(prefix) ?? [];
  }

  private candidates(terms: string[]): Iterable<number> {
    const long = terms.filter((term) => term.length > 2);
    if (terms.length === 0) return this.order;
    if (long.length === 0)
      return this.beginning(terms.reduce((a, b) => (b.length > a.length ? b : a)));
    const found = this.mini.search(
      { combineWith: 'AND', queries: long },
      { prefix: true, fuzzy: typosAllowed },
    );
    return found.map((one) => one.id as number);
  }

  private fits(one: SearchDocument, query: SearchQuery): boolean {
    return (
      (!query.discipline || one.disciplines.includes(query.discipline)) &&
      (!query.noc || one.noc === query.noc) &&
      (!query.games || one.games.includes(query.games)) &&
      (!query.status || one.status === query.status) &&
      (!query.network || one.networks.includes(query.network)) &&
      (!query.verified || one.networks.length > 0)
    );
  }

  /**
   * How a person matches: typos and prefixes among the terms; null when a short term is no
   * beginning of a word of theirs.
   */
  private match(one: SearchDocument, terms: string[]): [number, number] | null {
    let typos = 0;
    let prefixes = 0;
    for (const term of terms) {
      if (one.words.includes(term)) continue;
      if (one.words.some((word) => word.startsWith(term))) prefixes += 1;
      else if (term.length > 2) typos += 1;
      else return null;
    }
    return [typos, prefixes];
  }

  /**
   * Everybody who fits, as sorted keys (how they match, then the directory's order). The same
   * question again is answered from memory until somebody changes.
   */
  private keysOf(terms: string[], query: SearchQuery, span: number): Float64Array {
    const question = JSON.stringify([
      terms,
      query.discipline,
      query.noc,
      query.games,
      query.status,
      query.network,
      query.verified,
    ]);
    const known = this.answered.get(question);
    if (known) return known;
    const keys: number[] = [];
    for (const number of this.candidates(terms)) {
      const one = this.documents[number];
      if (!one || !this.fits(one, query)) continue;
      const how = this.match(one, terms);
      if (how) keys.push((how[0] * 16 + how[1]) * span + (this.rank[number] as number));
    }
    const sorted = Float64Array.from(keys).sort();
    this.answered.set(question, sorted);
    this.answeredKeys += sorted.length;
    while (this.answeredKeys > ANSWERED_KEYS || this.answered.size > ANSWERED) {
      const [oldest, gone] = this.answered.entries().next().value as [string, Float64Array];
      this.answered.delete(oldest);
      this.answeredKeys -= gone.length;
    }
    return sorted;
  }

  search(query: SearchQuery): SearchAnswer {
    const terms = [...new Set(wordsOf(query.q))].slice(0, 8);
    const span = this.order.length + 1;
    const keys = this.keysOf(terms, query, span);
    const placeOf = (key: number): Place => {
      const kind = Math.floor(key / span);
      return this.place(this.order[key % span] as number, Math.floor(kind / 16), kind % 16);
    };
    let from = query.offset ?? 0;
    if (query.cursor) {
      const after = readCursor(query.cursor);
      let low = 0;
      let high = keys.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (compare(placeOf(keys[middle] as number), after) <= 0) low = middle + 1;
        else high = middle;
      }
      from = low;
    }
    const shown = Array.from(keys.subarray(from, from + query.limit));
    const last = shown.at(-1);
    return {
      items: shown.map((key) => this.documents[this.order[key % span] as number] as SearchDocument),
      total: keys.length,
      next:
        last !== undefined && from + shown.length < keys.length
          ? Buffer.from(JSON.stringify(placeOf(last))).toString('base64url')
          : null,
    };
  }

  /** The whole index as text, to be kept in a file. */
  save(revision: number): string {
    return JSON.stringify({
      format: 2,
      revision,
      documents: this.documents,
      order: this.order,
      index: JSON.stringify(this.mini),
    });
  }

  /** An index from its file; throws when the file is of another format or broken. */
  static load(text: string): { index: SearchIndex; revision: number } {
    const kept = JSON.parse(text) as {
      format: number;
      revision: number;
      documents: (SearchDocument | null)[];
      order: number[];
      index: string;
    };
    if (kept.format !== 2) throw new Error('another format');
    const index = new SearchIndex();
    index.mini = MiniSearch.loadJSON(kept.index, options);
    kept.documents.forEach((one, number) => {
      index.documents.push(one);
      if (one) index.numbers.set(one.id, number);
    });
    index.order = kept.order;
    index.rank = new Int32Array(kept.documents.length);
    kept.order.forEach((number, at) => {
      index.rank[number] = at;
    });
    return { index, revision: kept.revision };
  }
}

/** Throws when the text is no cursor of ours. */
export function readCursor(text: string): Place {
  const place = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as unknown;
  const fits =
    Array.isArray(place) &&
    place.length === 7 &&
    place.slice(0, 5).every((part) => typeof part === 'number') &&
    place.slice(5).every((part) => typeof part === 'string');
  if (!fits) throw new Error('no cursor');
  return place as Place;
}
