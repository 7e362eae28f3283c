import type { Award } from '../events.js';
import { athletesOf, leastPoints, scopesOf, type Lock } from './lock.js';

/**
 * Most athletes that are looked up with every follow: more would cost all follows more than it
 * saves the one that opens something.
 */
const MOST_BESIDE = 40;
const NOBODY: ReadonlyMap<string, number> = new Map();

/**
 * Knows which locked things an award can concern at all. Kept in memory, so that most awards ask no
 * store.
 */
export class LockIndex<T extends { lock: Lock }> {
  private readonly byAthlete = new Map<string, Set<T>>();
  private readonly byScope = new Map<string, Set<T>>();
  private readonly besides = new Map<string, ReadonlyMap<string, number>>();

  constructor(things: readonly T[]) {
    const put = (map: Map<string, Set<T>>, key: string, thing: T): void => {
      map.set(key, (map.get(key) ?? new Set<T>()).add(thing));
    };
    for (const thing of things) {
      for (const athlete of athletesOf(thing.lock)) put(this.byAthlete, athlete, thing);
      for (const scope of scopesOf(thing.lock)) put(this.byScope, scope, thing);
    }
  }

  /**
   * The athletes whose follows decide, beside a follow of this athlete, whether a lock that names
   * them opens. Each comes with the fewest points of a fan for whom such a lock can open. The
   * athlete is among them, because they may have other accounts. Empty when there are too many to
   * look up with every follow: those who need them read them later.
   */
  beside(athlete: string): ReadonlyMap<string, number> {
    const things = this.byAthlete.get(athlete);
    if (!things) return NOBODY;
    const known = this.besides.get(athlete);
    if (known) return known;
    const beside = new Map<string, number>();
    for (const { lock } of things)
      for (const named of athletesOf(lock))
        beside.set(named, Math.min(beside.get(named) ?? Infinity, leastPoints(lock)));
    if (beside.size > MOST_BESIDE) beside.clear();
    this.besides.set(athlete, beside);
    return beside;
  }

  /**
   * The things whose lock names an athlete for whom the award gave a point, or a scope in which it
   * changed the fan's medal.
   */
  touched({ items, medals }: Award): T[] {
    const gained = items.filter(({ delta }) => delta > 0);
    const scopes = Object.keys(medals.after).filter(
      (scope) => medals.after[scope] !== medals.before[scope],
    );
    return [
      ...new Set([
        ...gained.flatMap(({ athlete }) => [...(this.byAthlete.get(athlete) ?? [])]),
        ...scopes.flatMap((scope) => [...(this.byScope.get(scope) ?? [])]),
      ]),
    ];
  }
}
