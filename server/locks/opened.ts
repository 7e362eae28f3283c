import type { Award } from '../events.js';
import { athletesOf, judge, type Lock } from './lock.js';

interface Locked {
  lock: Lock;
}

/** Which things behind locks an award can concern at all: kept in memory, so that most awards ask no store. */
export class LockIndex<T extends Locked> {
  private readonly byAthlete = new Map<string, Set<T>>();
  private readonly byScope = new Map<string, Set<T>>();

  constructor(things: readonly T[]) {
    const put = (map: Map<string, Set<T>>, key: string, thing: T): void => {
      map.set(key, (map.get(key) ?? new Set<T>()).add(thing));
    };
    for (const thing of things) {
      for (const athlete of athletesOf(thing.lock)) put(this.byAthlete, athlete, thing);
      for (const rule of thing.lock) if (rule.kind === 'medal') put(this.byScope, rule.scope, thing);
    }
  }

  /** Things whose lock names an athlete who was gained, or a scope in which another medal is held than before. */
  touched({ items, medals }: Award): T[] {
    const athletes = items.filter((one) => one.delta > 0).flatMap(({ athlete }) => [...(this.byAthlete.get(athlete) ?? [])]);
    const scopes = Object.keys(medals.after).filter((scope) => medals.after[scope] !== medals.before[scope]);
    return [...new Set([...athletes, ...scopes.flatMap((scope) => [...(this.byScope.get(scope) ?? [])])])];
  }
}

/** Whether a lock may be open after an award as far as the award itself tells: its medals do, and the fan holds enough points. */
export function mayBeOpen(lock: Lock, { medals, points }: Award): boolean {
  const held = new Map(Object.entries(medals.after));
  return lock.every((rule) => (rule.kind === 'medal' ? judge([rule], { followed: new Set(), medals: held }).open : rule.need <= points));
}
