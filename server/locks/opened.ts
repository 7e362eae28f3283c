import type { Award } from '../events.js';
import { athletesOf, judge, type Lock } from './lock.js';

interface Locked {
  lock: Lock;
}

/**
 * Looking up more than these with every follow would cost all follows more than it saves the one
 * that opens something.
 */
const MOST_BESIDE = 40;
const NOBODY: ReadonlyMap<string, number> = new Map();

/**
 * Which things behind locks an award can concern at all: kept in memory, so that most awards ask no
 * store.
 */
export class LockIndex<T extends Locked> {
  private readonly byAthlete = new Map<string, Set<T>>();
  private readonly byScope = new Map<string, Set<T>>();
  private readonly besides = new Map<string, ReadonlyMap<string, number>>();

  constructor(things: readonly T[]) {
    const put = (map: Map<string, Set<T>>, key: string, thing: T): void => {
      map.set(key, (map.get(key) ?? new Set<T>()).add(thing));
    };
    for (const thing of things) {
      for (const athlete of athletesOf(thing.lock)) put(this.byAthlete, athlete, thing);
      for (const rule of thing.lock)
        if (rule.kind === 'medal') put(this.byScope, rule.scope, thing);
    }
  }

  /**
   * Of which athletes the locks that name this one ask too, whether they are followed, each with
   * the fewest points that a fan has whom such a lock can open for; the athlete too, who may have
   * other accounts. Nobody where that would be a long question: it is asked apart then.
   */
  beside(athlete: string): ReadonlyMap<string, number> {
    const things = this.byAthlete.get(athlete);
    if (!things) return NOBODY;
    const known = this.besides.get(athlete);
    if (known) return known;
    const beside = new Map<string, number>();
    for (const { lock } of things)
      for (const one of athletesOf(lock))
        beside.set(one, Math.min(beside.get(one) ?? Infinity, leastPoints(lock)));
    if (beside.size > MOST_BESIDE) beside.clear();
    this.besides.set(athlete, beside);
    return beside;
  }

  /**
   * Things whose lock names an athlete who was gained, or a scope in which another medal is held
   * than before.
   */
  touched({ items, medals }: Award): T[] {
    const athletes = items
      .filter((one) => one.delta > 0)
      .flatMap(({ athlete }) => [...(this.byAthlete.get(athlete) ?? [])]);
    const scopes = Object.keys(medals.after).filter(
      (scope) => medals.after[scope] !== medals.before[scope],
    );
    return [
      ...new Set([...athletes, ...scopes.flatMap((scope) => [...(this.byScope.get(scope) ?? [])])]),
    ];
  }
}

/** Without so many points nobody follows as many as a lock needs. */
const leastPoints = (lock: Lock): number =>
  Math.max(0, ...lock.map((rule) => (rule.kind === 'follow' ? rule.need : 0)));

/**
 * Whether a lock may be open after an award as far as the award itself tells: its medals do, and
 * the fan holds enough points.
 */
export function mayBeOpen(lock: Lock, { medals, points }: Award): boolean {
  const held = new Map(Object.entries(medals.after));
  return (
    points >= leastPoints(lock) &&
    lock.every(
      (rule) => rule.kind !== 'medal' || judge([rule], { followed: new Set(), medals: held }).open,
    )
  );
}
