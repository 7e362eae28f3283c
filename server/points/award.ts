import type { Award } from '../events.js';
import type { After, Entry } from './entry.js';

/** An entry that was written, and the medals the fan held before it. */
export interface Written {
  entry: Entry;
  before: After['medals'];
}

const namesOf = (medals: After['medals']): Record<string, string> => Object.fromEntries(Object.entries(medals).map(([scope, [medal]]) => [scope, medal]));

/** What entries of one fan, that follow each other, moved. */
export function awardOf(written: readonly Written[]): Award {
  const first = written[0] as Written;
  const { entry } = written.at(-1) as Written;
  return {
    fan: entry.fan,
    seq: entry.seq,
    items: written.map(({ entry: { deed, athlete, delta } }) => ({ deed, athlete, delta })),
    points: entry.after.points,
    medals: { before: namesOf(first.before), after: namesOf(entry.after.medals) },
  };
}
