/** Scores of a step are those of one number of points: room for 272 years of seconds. */
export const STEP = 2 ** 33;
const ORIGIN = Date.UTC(2020, 0, 1) / 1000;

/**
 * The score of a place: points first, then whoever was there first (ms since 1970). Exact in a
 * double up to 2^20 points (LEDGER 3).
 */
export const boardScore = (points: number, reachedAt: number): number =>
  points * STEP + (STEP - 1 - Math.max(0, Math.floor(reachedAt / 1000) - ORIGIN));

/** The points that a score says. */
export const boardPoints = (score: number): number => Math.floor(score / STEP);

/** How a fan is shown on a board. */
export interface Shown {
  country: string;
  name: string;
}

/** How a fan is shown, as the end of the guard that a board keeps of them. */
export const writeShown = ({ country, name }: Shown): string => `${country}:${name}`;

/**
 * Reads how a fan is shown out of a guard, `seq:revision:country:name`; the name may hold colons.
 */
export function readShown(guard: string): Shown {
  const [, , country = '', ...name] = guard.split(':');
  return { country, name: name.join(':') };
}

/** The last row of a page, behind which the next page begins. */
export interface BoardCursor {
  fan: string;
  score: string;
}

/** Writes a cursor as text that means nothing to others. */
export const writeBoardCursor = ({ fan, score }: BoardCursor): string =>
  Buffer.from(JSON.stringify([fan, score])).toString('base64url');

/** Reads a cursor of ours; null when it is none. */
export function readBoardCursor(text: string): BoardCursor | null {
  try {
    const parsed = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as unknown;
    if (!Array.isArray(parsed)) return null;
    const [fan, score] = parsed as unknown[];
    if (typeof fan !== 'string' || typeof score !== 'string') return null;
    return /^\d{1,17}$/.test(score) ? { fan, score } : null;
  } catch {
    return null;
  }
}
