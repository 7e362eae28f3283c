/** The medals, the least first. */
export const MEDALS = ['bronze', 'silver', 'gold'] as const;
/** One of the medals. */
export type Medal = (typeof MEDALS)[number];
/** Points at which bronze, silver and gold are reached. */
export type Thresholds = readonly [number, number, number];
/** A version of the rules; the past is never judged by a newer version. */
export interface Rule {
  version: number;
  hub: Thresholds;
  discipline: Thresholds;
  /** When it was made, an ISO instant. */
  from: string;
}

/** The rule in force, and all versions by their number. */
export interface RuleSet {
  now: Rule;
  all: ReadonlyMap<number, Rule>;
}

/** The medal a scope holds, and the version of the thresholds it was reached under. */
export type HeldMedal = [medal: Medal, rule: number];

/** The thresholds of a scope: `hub`, or a discipline. */
export const thresholdsOf = (rule: Rule, scope: string): Thresholds =>
  scope === 'hub' ? rule.hub : rule.discipline;

/** The place in `MEDALS` of the best medal that these points reach, or −1. */
const best = (points: number, thresholds: Thresholds): number =>
  thresholds.findLastIndex((threshold) => threshold <= points);

/**
 * The medal of a scope after its points changed. Reached under the rule in force; kept while the
 * points are at least the threshold of the version it was reached under, so raising thresholds
 * takes none away.
 */
export function medalAfter(
  points: number,
  scope: string,
  held: HeldMedal | undefined,
  { now, all }: RuleSet,
): HeldMedal | undefined {
  const fresh = best(points, thresholdsOf(now, scope));
  const old = held && all.get(held[1]);
  const kept =
    old && held ? Math.min(best(points, thresholdsOf(old, scope)), MEDALS.indexOf(held[0])) : -1;
  if (kept >= fresh && kept >= 0 && held) return [MEDALS[kept] as Medal, held[1]];
  return fresh >= 0 ? [MEDALS[fresh] as Medal, now.version] : undefined;
}

/** What comes next in a scope: the medal, its threshold and how far it is; null with gold. */
export function nextMedal(
  points: number,
  scope: string,
  held: Medal | null,
  rule: Rule,
): { medal: Medal; at: number; missing: number } | null {
  for (let next = held === null ? 0 : MEDALS.indexOf(held) + 1; next < 3; next += 1) {
    const threshold = thresholdsOf(rule, scope)[next] as number;
    if (threshold > points)
      return { medal: MEDALS[next] as Medal, at: threshold, missing: threshold - points };
  }
  return null;
}
