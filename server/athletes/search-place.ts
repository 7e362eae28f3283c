import type { SearchDocument } from './search-document.js';

/**
 * A place in an answer: typos, prefixes, then the directory's own order (active, verified, medals,
 * name). It does not depend on anybody else, so a place stays right while people are added.
 */
export type Place = [
  typos: number,
  prefixes: number,
  former: number,
  unverified: number,
  medals: number,
  name: string,
  id: string,
];
/** How many of the parts of a place, the first ones, are numbers. */
const NUMBERS = 5;

/** How the words of a query match a person. */
export interface Match {
  typos: number;
  prefixes: number;
}
/** The match of a query without words, by which people stand in the directory's own order. */
export const WHOLE: Match = { typos: 0, prefixes: 0 };

/** The place of a person who matches so. */
export const placeOf = (person: SearchDocument, { typos, prefixes }: Match): Place => [
  typos,
  prefixes,
  person.active ? 0 : 1,
  person.networks.length > 0 ? 0 : 1,
  -person.medals,
  person.words.join(' '),
  person.id,
];

// Names are folded already: plain order is the right one, and twenty times faster than a collator.
const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Orders places as a sort function does; no two people share one. */
export function comparePlaces(a: Place, b: Place): number {
  for (let part = 0; part < NUMBERS; part += 1) {
    const difference = (a[part] as number) - (b[part] as number);
    if (difference !== 0) return difference;
  }
  return compareTexts(a[5], b[5]) || compareTexts(a[6], b[6]);
}

/** Writes a place as the cursor that an answer ends with. */
export const writeCursor = (place: Place): string =>
  Buffer.from(JSON.stringify(place)).toString('base64url');

/** Reads a cursor. Throws when the text is none that we wrote. */
export function readCursor(text: string): Place {
  const place = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as unknown;
  const fits =
    Array.isArray(place) &&
    place.length === 7 &&
    place.slice(0, NUMBERS).every((part) => typeof part === 'number') &&
    place.slice(NUMBERS).every((part) => typeof part === 'string');
  if (!fits) throw new Error('no cursor');
  return place as Place;
}
