import type { Award } from '../events.js';
import { BatchLoader } from '../platform/batch-loader.js';
import { athletesOf, judge, mayBeOpen, scopesOf, type Judgement, type Lock } from './lock.js';
import type { FactSource, FollowedAcross, FollowQuestion } from './needs.js';
import type { Facts } from './rule-kind.js';

export { athletesOf, judge, Lock, lockWithout } from './lock.js';
export type { Judgement, Rule, Missing } from './lock.js';
export { LockIndex } from './lock-index.js';
export type { Facts } from './rule-kind.js';

const athletesIn = (locks: Lock[]): string[] => [...new Set(locks.flatMap(athletesOf))];

/** Judges locks: one small rule language for whatever opens by following or by medals. */
export class Locks {
  /**
   * Reads at once what is asked about the awards of one flush. A question that comes twice, for an
   * answer and for a page, is read once.
   */
  private readonly followed: BatchLoader<FollowedAcross>;

  constructor(private readonly source: FactSource) {
    this.followed = new BatchLoader(async (keys) => {
      const answers = await this.source.readFollowed(
        keys.map((key) => JSON.parse(key) as FollowQuestion),
      );
      return new Map(keys.map((key, index) => [key, answers[index] as FollowedAcross]));
    });
  }

  /** Reads of a fan what these locks look at, and no more; nothing for a visitor (null). */
  async facts(fan: string | null, locks: Lock[]): Promise<Facts> {
    if (!fan) return { followed: new Set(), medals: new Map() };
    const athletes = athletesIn(locks);
    const [followed, medals] = await Promise.all([
      athletes.length > 0 ? this.source.followed(fan, athletes) : new Set<string>(),
      locks.some((lock) => scopesOf(lock).length > 0)
        ? this.source.medals(fan)
        : new Map<string, string>(),
    ]);
    return { followed, medals };
  }

  /** Judges one lock for one fan, on what is true now. */
  async judge(fan: string | null, lock: Lock): Promise<Judgement> {
    return judge(lock, await this.facts(fan, [lock]));
  }

  /**
   * The things that an award opened: shut before its entries, open after them. What the award tells
   * by itself is not read; the rest is read as the ledger had it at that entry, whatever came
   * after.
   */
  async opened<T extends { lock: Lock }>(award: Award, things: readonly T[]): Promise<T[]> {
    const possible = things.filter(({ lock }) => mayBeOpen(lock, award));
    if (possible.length === 0) return [];
    const followed = await this.followedAcross(award, possible);
    const before = {
      followed: followed.before,
      medals: new Map(Object.entries(award.medals.before)),
    };
    const after = { followed: followed.after, medals: new Map(Object.entries(award.medals.after)) };
    return possible.filter(({ lock }) => judge(lock, after).open && !judge(lock, before).open);
  }

  private async followedAcross(
    award: Award,
    things: readonly { lock: Lock }[],
  ): Promise<FollowedAcross> {
    const athletes = athletesIn(things.map(({ lock }) => lock)).sort();
    if (athletes.length === 0) return { before: new Set(), after: new Set() };
    const told = await this.source.followedByAward(award, athletes);
    if (told) return told;
    const question = JSON.stringify({ award, athletes } satisfies FollowQuestion);
    const read = await this.followed.load(question);
    return read ?? { before: new Set(), after: new Set() };
  }
}
