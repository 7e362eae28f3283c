/**
 * The disciplines of the directory, by the slug of their English name: 69 of the Games so far, and
 * the Paralympic one of the look.
 */
export const DISCIPLINES = [
  'aeronautics',
  'alpine-skiing',
  'alpinism',
  'archery',
  'art-competitions',
  'athletics',
  'badminton',
  'baseball',
  'basketball',
  'basque-pelota',
  'biathlon',
  'bobsleigh',
  'boxing',
  'breaking',
  'canoeing',
  'cricket',
  'croquet',
  'cross-country-skiing',
  'curling',
  'cycling',
  'diving',
  'equestrianism',
  'fencing',
  'figure-skating',
  'football',
  'freestyle-skiing',
  'golf',
  'gymnastics',
  'handball',
  'hockey',
  'ice-hockey',
  'jeu-de-paume',
  'judo',
  'karate',
  'lacrosse',
  'luge',
  'military-ski-patrol',
  'modern-pentathlon',
  'motorboating',
  'nordic-combined',
  'para-athletics',
  'polo',
  'racquets',
  'roque',
  'rowing',
  'rugby',
  'rugby-sevens',
  'sailing',
  'shooting',
  'short-track-speed-skating',
  'skateboarding',
  'skeleton',
  'ski-jumping',
  'ski-mountaineering',
  'snowboarding',
  'softball',
  'speed-skating',
  'sport-climbing',
  'surfing',
  'swimming',
  'synchronized-swimming',
  'table-tennis',
  'taekwondo',
  'tennis',
  'triathlon',
  'tug-of-war',
  'volleyball',
  'water-polo',
  'weightlifting',
  'wrestling',
] as const;

const known = new Set<string>(DISCIPLINES);

/** The disciplines that have an ink, a pictogram and a pattern of their own (LOOK 3). */
export const INKED = new Set([
  'fencing',
  'athletics',
  'swimming',
  'judo',
  'rowing',
  'cycling',
  'gymnastics',
  'para-athletics',
]);

/** The slug of a discipline as a directory file writes it; null for what is no discipline. */
export function disciplineOf(name: string): string | null {
  const slug = name
    .trim()
    .toLowerCase()
    .replace(/[^a-z]+/g, '-')
    .replace(/^-|-$/g, '');
  return known.has(slug) ? slug : null;
}

/** Whether this is the slug of a discipline. */
export const isDiscipline = (slug: string): boolean => known.has(slug);
