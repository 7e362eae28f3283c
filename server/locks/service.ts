import type { Award } from '../events.js';
import { BatchLoader } from '../platform/batch-loader.js';
import { athletesOf, judge, type Facts, type Lock, type Missing } from './lock.js';
import type { Around, FactSource } from './needs.js';
import { mayBeOpen } from './opened.js';

export { judge, athletesOf, lockWithout, Lock } from './lock.js';
export { LockIndex } from './opened.js';
export type { Facts, Missing, Rule } from './lock.js';

interface Asked {
  award: Award;
  athletes: string[];
}

/** Locks: one small rule language for whatever opens by following or by medals. */
export class Locks {
  /**
   * What is asked about the awards of one flush is read at once; the same asked twice (by an answer
   * and by a page) is read once.
   */
  private readonly around: BatchLoader<Around>;

  constructor(private readonly source: FactSource) {
    this.around = new BatchLoader(async (keys) => {
      const found = await this.source.around(keys.map((key) => JSON.parse(key) as Asked));
      return new Map(keys.map((key, at) => [key, found[at] as Around]));
    });
  }

  /** What is known of a fan that these locks ask about; nothing for a visitor. */
  async facts(fan: string | null, locks: Lock[]): Promise<Facts> {
    if (!fan) return { followed: new Set(), medals: new Map() };
    const athletes = [...new Set(locks.flatMap(athletesOf))];
    const [followed, medals] = await Promise.all([
      athletes.length > 0 ? this.source.followed(fan, athletes) : new Set<string>(),
      locks.some((lock) => lock.some((rule) => rule.kind === 'medal'))
        ? this.source.medals(fan)
        : new Map<string, string>(),
    ]);
    return { followed, medals };
  }

  /** Judges one lock for one fan, on what is true now. */
  async judge(
    fan: string | null,
    lock: Lock,
  ): Promise<{ open: boolean; missing: Missing[]; rules: Missing[] }> {
    return judge(lock, await this.facts(fan, [lock]));
  }

  private key(award: Award, athletes: string[]): string {
    return JSON.stringify({ award, athletes } satisfies Asked);
  }

  /**
   * Which of these things an award opened: shut before its entries, open behind them. What the
   * award tells by itself is not asked; the rest is read as the ledger had it at that entry,
   * whatever came after.
   */
  async opened<T extends { lock: Lock }>(award: Award, things: readonly T[]): Promise<T[]> {
    const possible = things.filter(({ lock }) => mayBeOpen(lock, award));
    if (possible.length === 0) return [];
    const athletes = [...new Set(possible.flatMap(({ lock }) => athletesOf(lock)))].sort();
    const followed =
      athletes.length > 0
        ? ((await this.source.carried(award, athletes)) ??
          (await this.around.load(this.key(award, athletes))))
        : null;
    const before = {
      followed: followed?.before ?? new Set<string>(),
      medals: new Map(Object.entries(award.medals.before)),
    };
    const after = {
      followed: followed?.after ?? new Set<string>(),
      medals: new Map(Object.entries(award.medals.after)),
    };
    return possible.filter(({ lock }) => judge(lock, after).open && !judge(lock, before).open);
  }
}
