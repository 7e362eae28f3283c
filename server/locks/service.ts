import { athletesOf, judge, type Facts, type Lock, type Missing } from './lock.js';
import type { FactSource } from './needs.js';

export { judge, athletesOf, lockWithout, Lock } from './lock.js';
export type { Facts, Missing, Rule } from './lock.js';

/** Locks: one small rule language for whatever opens by following or by medals. */
export class Locks {
  constructor(private readonly source: FactSource) {}

  /** What is known of a fan that these locks ask about; nothing for a visitor. */
  async facts(fan: string | null, locks: Lock[]): Promise<Facts> {
    if (!fan) return { followed: new Set(), medals: new Map() };
    const athletes = [...new Set(locks.flatMap(athletesOf))];
    const [followed, medals] = await Promise.all([
      athletes.length > 0 ? this.source.followed(fan, athletes) : new Set<string>(),
      locks.some((lock) => lock.some((rule) => rule.kind === 'medal')) ? this.source.medals(fan) : new Map<string, string>(),
    ]);
    return { followed, medals };
  }

  /** Judges one lock for one fan, on what is true now. */
  async judge(fan: string | null, lock: Lock): Promise<{ open: boolean; missing: Missing[]; rules: Missing[] }> {
    return judge(lock, await this.facts(fan, [lock]));
  }
}
