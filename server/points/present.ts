import type { BoardPage } from './board-page.js';
import type { Entry } from './entry.js';
import { nextMedal, thresholdsOf } from './medals.js';
import type { RuleSet } from './rules.js';
import type { BoardAnswer, MedalsAnswer, StatementAnswer } from './schema.js';
import type { After } from './standing.js';

/** The medal of one scope, its points and what comes next, as pages and JSON show it. */
export type MedalLine = MedalsAnswer['items'][number];

/**
 * A page of a fan's statement. `found` may hold one entry more than the page, which says that there
 * is another page; an athlete who is hidden is not named.
 */
export function presentStatement(
  found: readonly Entry[],
  limit: number,
  hidden: ReadonlySet<string>,
): StatementAnswer {
  const shown = found.slice(0, limit);
  return {
    items: shown.map((entry) => presentEntry(entry, hidden)),
    nextCursor: found.length > limit ? String(shown.at(-1)?.seq) : null,
  };
}

const presentEntry = (
  entry: Entry,
  hidden: ReadonlySet<string>,
): StatementAnswer['items'][number] => ({
  seq: entry.seq,
  deed: entry.deed,
  turn: entry.turn,
  delta: entry.delta > 0 ? 1 : -1,
  points: entry.after.points,
  athlete: hidden.has(entry.athlete) ? null : entry.athlete,
  disciplines: entry.disciplines,
  cause: entry.cause,
  card: entry.card,
  askedAt: entry.askedAt.toISOString(),
  at: entry.at.toISOString(),
  hash: entry.hash,
});

/** The medals of a standing: the hub's line, then each discipline with points or a medal. */
export function medalsOf(after: After, rules: RuleSet): MedalLine[] {
  const line = (scope: string, points: number): MedalLine => {
    const medal = after.medals[scope]?.[0] ?? null;
    return {
      scope,
      medal,
      points,
      next: nextMedal(points, scope, medal, rules.now),
      thresholds: [...thresholdsOf(rules.now, scope)],
    };
  };
  const disciplines = Object.entries(after.disciplines)
    .sort(([, [points]], [, [others]]) => others - points)
    .map(([slug, [points]]) => line(slug, points))
    .filter(({ points, medal }) => points > 0 || medal !== null);
  return [line('hub', after.points), ...disciplines];
}

/** A fan's medals in JSON. */
export const presentMedals = (after: After, rules: RuleSet): MedalsAnswer => ({
  items: medalsOf(after, rules),
});

/** A page of a board in JSON, as this fan sees it; null while the board is being counted. */
export function presentBoard(page: BoardPage | null, me: string | null): BoardAnswer {
  if (!page) return { items: [], me: null, nextCursor: null, total: 0, counting: true };
  return {
    items: page.rows.map(({ rank, fan, name, country, points }) => ({
      rank,
      fan: name,
      country,
      points,
      ...(fan === me ? { me: true as const } : {}),
    })),
    me: page.me,
    nextCursor: page.next,
    total: page.total,
  };
}
