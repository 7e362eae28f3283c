import type { Entry } from '../points/service.js';

const WIDTH = 600;
const HEIGHT = 320;
const LEFT = 36;

export interface Chart {
  width: number;
  height: number;
  line: string;
  area: string;
  dot: { x: number; y: number };
  grid: { y: number; label: number; medal: string | null }[];
  rows: { at: Date; points: number }[];
}

/**
 * A step line of points over time, y from 0 (LOOK 5); null before the second entry. Coordinates of
 * an SVG viewBox.
 */
export function chartOf(newestFirst: Entry[], thresholds: readonly number[]): Chart | null {
  if (newestFirst.length < 2) return null;
  const entries = [...newestFirst].reverse();
  const from = entries[0]?.at.getTime() ?? 0;
  const span = Math.max(1, (entries.at(-1)?.at.getTime() ?? 0) - from);
  const most = Math.max(...entries.map((one) => one.after.points));
  const top = Math.max(thresholds.find((one) => one > most) ?? most, 1);
  const x = (entry: Entry): number =>
    LEFT + Math.round(((entry.at.getTime() - from) / span) * (WIDTH - LEFT - 8));
  const y = (points: number): number => Math.round(HEIGHT - 8 - (points / top) * (HEIGHT - 24));
  let line = `M${LEFT} ${y(0)}`;
  for (const entry of entries) line += `H${x(entry)}V${y(entry.after.points)}`;
  const last = entries.at(-1) as Entry;
  return {
    width: WIDTH,
    height: HEIGHT,
    line,
    area: `${line}V${y(0)}H${LEFT}Z`,
    dot: { x: x(last), y: y(last.after.points) },
    grid: [
      { y: y(0), label: 0, medal: null },
      ...thresholds
        .map((at, index) => ({
          y: y(at),
          label: at,
          medal: ['bronze', 'silver', 'gold'][index] ?? null,
        }))
        .filter((one) => one.label <= top),
    ],
    rows: newestFirst.slice(0, 30).map((one) => ({ at: one.at, points: one.after.points })),
  };
}
