import type { Award } from '../events.js';
import type { After, Entry } from './entry.js';

/** Whether other deeds of a fan were held at an entry. */
export type RelatedDeeds = Record<string, boolean>;

/** An entry that was written. */
export interface Written {
  entry: Entry;
  /** The medals that the fan held before it. */
  before: After['medals'];
  /** What was looked up together with it. */
  related?: RelatedDeeds | undefined;
}

const namesOf = (medals: After['medals']): Record<string, string> =>
  Object.fromEntries(Object.entries(medals).map(([scope, [medal]]) => [scope, medal]));

/** What entries of one fan that follow each other moved, as news. */
export function awardOf(written: readonly Written[]): Award {
  const first = written[0] as Written;
  const { entry, related } = written.at(-1) as Written;
  return {
    fan: entry.fan,
    seq: entry.seq,
    items: written.map(({ entry: { deed, athlete, delta } }) => ({ deed, athlete, delta })),
    points: entry.after.points,
    medals: { before: namesOf(first.before), after: namesOf(entry.after.medals) },
    ...(related ? { related } : {}),
  };
}
