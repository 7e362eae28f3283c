import { boardPoints, readShown, writeBoardCursor } from './board-format.js';
import type { PageReply } from './board-scripts.js';

/** A fan's place on a board. Fans with equal points share a rank: 1, 2, 2, 4. */
export interface BoardRow {
  rank: number;
  /** Whether somebody else has as many points. */
  tied: boolean;
  fan: string;
  name: string;
  country: string;
  points: number;
}

/** A page of a board. */
export interface BoardPage {
  rows: BoardRow[];
  /** How many fans are on the board. */
  total: number;
  /** The reader's own place, and the points of the next one above; null for who is not on it. */
  me: { rank: number; points: number; tied: boolean; above: number | null } | null;
  /** The cursor of the next page, or null on the last. */
  next: string | null;
}

const pointsAt = (score: string): number => boardPoints(Number(score));

/** Ranks of rows that begin with this rank at this place: equal points, equal rank. */
function ranksOf(points: number[], first: number, from: number): number[] {
  const ranks: number[] = [];
  for (const [index, now] of points.entries()) {
    const before = ranks[index - 1];
    if (before === undefined) ranks.push(first);
    else ranks.push(points[index - 1] === now ? before : from + index + 1);
  }
  return ranks;
}

/** The page that Redis told. */
export function pageOf(reply: PageReply): BoardPage {
  const { from, rows: found = [], following, reader } = reply;
  const points = found.map(({ score }) => pointsAt(score));
  const ranks = ranksOf(points, reply.rank, from);
  const next = following === undefined ? null : pointsAt(following);
  const rows = found.map(({ fan, guard = '' }, index): BoardRow => {
    const [mine = 0, rank = 0] = [points[index], ranks[index]];
    const below = index === found.length - 1 ? next : points[index + 1];
    // Whose rank lies before the page shares it with somebody there.
    const tied = points[index - 1] === mine || below === mine || (index === 0 && rank <= from);
    return { rank, tied, fan, ...readShown(guard), points: mine };
  });
  const last = found.at(-1);
  return {
    rows,
    total: reply.total,
    me: reader
      ? {
          rank: reader.rank,
          points: pointsAt(reader.score),
          tied: reader.tied > 1,
          above: reader.above === undefined ? null : pointsAt(reader.above),
        }
      : null,
    next:
      last && next !== null
        ? writeBoardCursor({ fan: last.fan, score: Number(last.score).toFixed(0) })
        : null,
  };
}
