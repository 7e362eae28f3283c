import { medalAfter, type HeldMedal, type RuleSet } from './medals.js';
import { windowKeys } from './windows.js';

/** The spans that points are counted in besides the whole time. */
export const SPANS = ['day', 'week', 'month', 'season'] as const;
/** One of the spans. */
export type Span = (typeof SPANS)[number];

/**
 * What was earned in the span of this key, and when that last changed (ms; 0 while nothing has
 * counted). A window whose key has passed reads as 0.
 */
export type Window = [key: string, points: number, reachedAt: number];

/** A fan's whole standing after an entry (LEDGER 1). Instants are milliseconds since 1970. */
export interface After {
  points: number;
  /** When `points` last changed. */
  reachedAt: number;
  /** By discipline: its points, and when they last changed. */
  disciplines: Record<string, [points: number, reachedAt: number]>;
  windows: Record<Span, Window>;
  /** How often posts were liked on this day; taking back does not lower it. */
  likesToday: [day: string, count: number];
  /** By scope (`hub`, or a discipline): the medal held. */
  medals: Record<string, HeldMedal>;
}

/** The standing of a fan without entries. */
export const emptyStanding = (): After => ({
  points: 0,
  reachedAt: 0,
  disciplines: {},
  windows: { day: ['', 0, 0], week: ['', 0, 0], month: ['', 0, 0], season: ['', 0, 0] },
  likesToday: ['', 0],
  medals: {},
});

/** What a turn does to a standing, and by which rules. */
export interface Change {
  /** 1 for a turn that gives, −1 for one that takes back. */
  delta: number;
  /** When the entry is written. */
  at: Date;
  /** What turn 1 of the deed fixed. */
  facts: { on: 'account' | 'post'; disciplines: string[]; season: string; earnedAt: Date };
  zone: string;
  /** The season that runs when the entry is written. */
  season: string;
  /** The thresholds in force then, and every version that a held medal may name. */
  rules: RuleSet;
}

/**
 * The standing after a turn. A turn counts in the windows in which its deed was first earned and in
 * no other, so giving and taking always balance and nobody earns a week anew by following again.
 */
export function standingAfter(before: After, change: Change): After {
  const { delta, facts } = change;
  const at = change.at.getTime();
  const points = before.points + delta;
  const disciplines = { ...before.disciplines };
  const changed: [scope: string, points: number][] = [['hub', points]];
  for (const slug of facts.disciplines) {
    const total = (disciplines[slug]?.[0] ?? 0) + delta;
    disciplines[slug] = [total, at];
    changed.push([slug, total]);
  }
  const { day } = windowKeys(change.at, change.zone);
  return {
    points,
    reachedAt: at,
    disciplines,
    windows: windowsAfter(before.windows, change),
    likesToday: [day, likesOn(day, before) + (facts.on === 'post' && delta > 0 ? 1 : 0)],
    medals: medalsAfter(before.medals, changed, change),
  };
}

function windowsAfter(before: After['windows'], change: Change): After['windows'] {
  const { delta, facts, season, zone } = change;
  const now = { ...windowKeys(change.at, zone), season };
  const earned = { ...windowKeys(facts.earnedAt, zone), season: facts.season };
  const windows = {} as After['windows'];
  for (const span of SPANS) {
    const [key, points, reachedAt] =
      before[span][0] === now[span] ? before[span] : [now[span], 0, 0];
    windows[span] =
      earned[span] === key ? [key, points + delta, change.at.getTime()] : [key, points, reachedAt];
  }
  return windows;
}

const likesOn = (day: string, { likesToday: [counted, count] }: After): number =>
  counted === day ? count : 0;

function medalsAfter(
  before: After['medals'],
  changed: [scope: string, points: number][],
  { rules }: Change,
): After['medals'] {
  const medals = { ...before };
  for (const [scope, points] of changed) {
    const medal = medalAfter(points, scope, medals[scope], rules);
    if (medal) medals[scope] = medal;
    else Reflect.deleteProperty(medals, scope);
  }
  return medals;
}
