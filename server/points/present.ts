import type { Entry } from './entry.js';
import type { BoardPage } from './boards.js';

/**
 * A line of a fan's own statement: what moved, when and why; `athlete` is null for one who is no
 * longer shown.
 */
export const presentEntry = (entry: Entry, hidden: ReadonlySet<string>) => ({
  seq: entry.seq,
  deed: entry.deed,
  turn: entry.turn,
  delta: entry.delta,
  points: entry.after.points,
  athlete: hidden.has(entry.athlete) ? null : entry.athlete,
  disciplines: entry.disciplines,
  cause: entry.cause,
  card: entry.card,
  askedAt: entry.askedAt,
  at: entry.at,
  hash: entry.hash,
});

/** A board in JSON: `fan` is the shown handle. */
export const presentBoard = (page: BoardPage, me: string | null) => ({
  items: page.rows.map((row) => ({
    rank: row.rank,
    fan: row.name,
    country: row.country,
    points: row.points,
    ...(row.fan === me ? { me: true } : {}),
  })),
  me: page.me,
  nextCursor: page.next,
  total: page.total,
});
