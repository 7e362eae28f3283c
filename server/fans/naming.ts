import { shape, skeleton, spelling } from '../platform/skeleton.js';
import { signsOf, tidyLine } from '../platform/text.js';

/**
 * Signs of a shown name, and its length in the store; what people type is cut at this before
 * anybody looks at it.
 */
export const NAME_SIGNS = 30;
const NAME_UNITS = 120;
const TYPED_UNITS = 4000;

/** Why a name cannot be had. The words are in `fans.name.wrong`. */
export type NameFault =
  'name_empty' | 'name_letters' | 'name_long' | 'name_reserved' | 'name_athlete' | 'name_taken';

/**
 * Parts of names that only the hub itself might have, in both languages; found anywhere in a name,
 * figures for letters and doubled letters aside. A role is told by its badge alone.
 */
const PARTS = [
  'moderat',
  'modérat',
  'admin',
  'organiser',
  'organizer',
  'organisat',
  'organizat',
  'official',
  'officiel',
  'village',
].map(skeletonOf);
/**
 * The same for short words, which are found in honest names (`mode`, `staffan`): only the whole
 * name, or one whole word of it.
 */
const WORDS = new Set(
  (
    'mod mods modo modos staff support helpdesk system système sysadmin host hôte ' +
    'security sécurité athlete athletes athlète athlètes volunteer volunteers ' +
    'bénévole bénévoles everyone everybody anonymous anonyme'
  )
    .split(' ')
    .map(spelling),
);
/** Words that hold a reserved part by chance. */
const HONEST = ['badminton'].map(skeletonOf);
/** What is put before or behind a name to look more like somebody. */
const TRIMMINGS = new Set(
  (
    'the real vrai vraie le la les mr mrs ms mme dr compte account page profile profil ' +
    'athlete athlète it its'
  )
    .split(' ')
    .map(spelling),
);

function skeletonOf(text: string): string {
  return spelling(text).replace(/(.)\1+/gu, '$1');
}

/**
 * The words of a name as they are read: parted at signs, spaces, and where small letters turn into
 * capitals (`TheRealAna`).
 */
const wordsIn = (name: string): string[] =>
  name
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .split(/[^\p{L}\p{N}\p{M}]+/u)
    .filter(Boolean);

/** Whether a name sounds like the hub speaking. */
function isReserved(name: string): boolean {
  const whole = HONEST.reduce((text, word) => text.replaceAll(word, ''), skeletonOf(name));
  if (PARTS.some((part) => whole.includes(part))) return true;
  return [name, ...wordsIn(name), ...name.split(/\s+/)].some(
    (word) => WORDS.has(spelling(word)) || WORDS.has(spelling(word.replace(/^\d+|\d+$/g, ''))),
  );
}

/** Makes of what a person typed, or a network calls them, what would be shown. */
export const asName = (typed: string): string => tidyLine(typed.slice(0, TYPED_UNITS));

/**
 * The key of a name: what it looks like. Names with the same key cannot be told apart, so only one
 * fan may have one of them. '' for a name without letter or figure.
 */
export const nameKey = (name: string): string => shape(name).slice(0, NAME_UNITS);

/** What is wrong with a name, whoever wants it; null when nothing is. */
export function faultOf(name: string): NameFault | null {
  if (name === '') return 'name_empty';
  if (signsOf(name).length > NAME_SIGNS || name.length > NAME_UNITS) return 'name_long';
  if (isReserved(name)) return 'name_reserved';
  return !/[\p{L}\p{N}]/u.test(name) || nameKey(name) === '' ? 'name_letters' : null;
}

/**
 * What is left of a name when it is compared with somebody's: its words in any order, without what
 * is put around them.
 */
function gist(name: string): string {
  const words = wordsIn(name.replace(/\d+$/, ''));
  const core = words.filter((word) => !TRIMMINGS.has(spelling(word)));
  return skeletonOf(
    (core.length > 0 ? core : words).sort((a, b) => (spelling(a) < spelling(b) ? -1 : 1)).join(''),
  );
}

/**
 * What a name is known by when it is held against those of athletes: what it looks like in a row,
 * by its words in any order without what is put around them, and as a handle. Two texts that share
 * a trait pass for each other; figures behind a name hide nobody. `Fan of Ana Diver` shares none
 * with `Ana Diver`.
 */
export function traitsOf(name: string): string[] {
  const bare = name.replace(/\d+$/, '');
  const traits = [
    `row:${skeletonOf(name)}`,
    `row:${skeletonOf(bare)}`,
    `words:${gist(name)}`,
    `handle:${skeleton(name)}`,
  ];
  return [...new Set(traits)].filter((trait) => !trait.endsWith(':'));
}
