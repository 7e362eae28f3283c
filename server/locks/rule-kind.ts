import type { Award } from '../events.js';

/** What is known of a fan when a lock is judged. */
export interface Facts {
  /** The accounts the fan follows, as `athlete:network`. */
  followed: ReadonlySet<string>;
  /** The medal the fan holds in each scope (`hub` or a discipline). */
  medals: ReadonlyMap<string, string>;
}

/** What an award tells by itself: the fan's points and medals after it. */
export type AwardTotals = Pick<Award, 'points' | 'medals'>;

/**
 * One kind of rule that a lock can be made of. `Rule` is the rule as an organiser wrote it,
 * `State` what it asks for and how much of that a fan has.
 *
 * To add a kind:
 * 1. Write `<kind>-rule.ts` beside `follow-rule.ts`: the zod schema of the rule, its state, and a
 *    `RuleKind`. All functions are pure.
 * 2. Add the three to `Rule`, `Missing` and `KINDS` in `lock.ts`; the compiler asks for whatever
 *    is missing.
 * 3. Where the rule looks at something new, add it to `Facts`, and read it in `Locks.facts` through
 *    `FactSource` (`needs.ts`), which a room above satisfies.
 * 4. Say in words what is missing: `presentMissing` in `videos/present.ts`.
 */
export interface RuleKind<Rule, State> {
  /** Whether the rule holds on these facts, and what it asks for. */
  judge(rule: Rule, facts: Facts): { open: boolean; state: State };
  /**
   * Whether the rule may hold after an award, by what the award itself tells. It may err by saying
   * yes, never by saying no: a no is not looked into.
   */
  mayHold(rule: Rule, totals: AwardTotals): boolean;
  /** The athletes whose follows the rule looks at. */
  athletes(rule: Rule): string[];
  /** The scopes whose medals the rule looks at. */
  scopes(rule: Rule): string[];
  /** The fewest points of a fan for whom the rule can hold. */
  leastPoints(rule: Rule): number;
  /** The rule once these athletes are hidden; null when nothing is left to ask for. */
  without(rule: Rule, hidden: ReadonlySet<string>): Rule | null;
}
