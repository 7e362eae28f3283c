import { z } from 'zod';
import { followKind, FollowRule, type FollowState } from './follow-rule.js';
import { medalKind, MedalRule, type MedalState } from './medal-rule.js';
import type { AwardTotals, Facts, RuleKind } from './rule-kind.js';

/** One rule of a lock. How to add a kind is told at `RuleKind`. */
export const Rule = z.discriminatedUnion('kind', [FollowRule, MedalRule]);
export type Rule = z.output<typeof Rule>;
/** A lock is open when every rule holds; one without rules always is. */
export const Lock = z.array(Rule).max(5);
export type Lock = z.output<typeof Lock>;

/** What a rule asks for, and how much of it a fan has. */
export type Missing = FollowState | MedalState;

const KINDS: {
  [Kind in Rule['kind']]: RuleKind<Extract<Rule, { kind: Kind }>, Extract<Missing, { kind: Kind }>>;
} = { follow: followKind, medal: medalKind };

/** The kind of a rule. The table above makes sure that it is handed rules of its own kind only. */
const kindOf = (rule: Rule): RuleKind<Rule, Missing> => KINDS[rule.kind];

/** What judging a lock says: all its rules, and those among them that do not hold yet. */
export interface Judgement {
  open: boolean;
  missing: Missing[];
  rules: Missing[];
}

/** Judges a lock on what is known of a fan. */
export function judge(lock: Lock, facts: Facts): Judgement {
  const judged = lock.map((rule) => kindOf(rule).judge(rule, facts));
  return {
    open: judged.every(({ open }) => open),
    missing: judged.filter(({ open }) => !open).map(({ state }) => state),
    rules: judged.map(({ state }) => state),
  };
}

/**
 * Whether a lock may be open after an award, by what the award itself tells. A yes needs the facts;
 * a no is final.
 */
export const mayBeOpen = (lock: Lock, totals: AwardTotals): boolean =>
  lock.every((rule) => kindOf(rule).mayHold(rule, totals));

/** The athletes whose follows a lock looks at, each once. */
export const athletesOf = (lock: Lock): string[] => [
  ...new Set(lock.flatMap((rule) => kindOf(rule).athletes(rule))),
];

/** The scopes whose medals a lock looks at. */
export const scopesOf = (lock: Lock): string[] => lock.flatMap((rule) => kindOf(rule).scopes(rule));

/** The fewest points of a fan for whom a lock can open. */
export const leastPoints = (lock: Lock): number =>
  Math.max(0, ...lock.map((rule) => kindOf(rule).leastPoints(rule)));

/** A lock once these athletes are hidden: what was open stays open. */
export const lockWithout = (lock: Lock, hidden: ReadonlySet<string>): Lock =>
  lock.map((rule) => kindOf(rule).without(rule, hidden)).filter((rule) => rule !== null);
