import { MEDALS, type Entry } from '../../points/service.js';

const WIDTH = 600;
const HEIGHT = 320;
const LEFT = 36;
/** Entries that the table below the line lists. */
const ROWS = 30;

/** A line of points over time; coordinates are those of an SVG viewBox. */
export interface Chart {
  width: number;
  height: number;
  line: string;
  area: string;
  dot: { x: number; y: number };
  grid: { y: number; label: number; medal: string | null }[];
  rows: { at: Date; points: number }[];
}

/** Draws a step line of points over time, y from 0 (LOOK 5); null before the second entry. */
export function chartOf(newestFirst: Entry[], thresholds: readonly number[]): Chart | null {
  if (newestFirst.length < 2) return null;
  const entries = [...newestFirst].reverse();
  const first = entries[0]?.at.getTime() ?? 0;
  const last = entries.at(-1) as Entry;
  const span = Math.max(1, last.at.getTime() - first);
  const most = Math.max(...entries.map((entry) => entry.after.points));
  const top = Math.max(thresholds.find((points) => points > most) ?? most, 1);
  const x = (entry: Entry): number =>
    LEFT + Math.round(((entry.at.getTime() - first) / span) * (WIDTH - LEFT - 8));
  const y = (points: number): number => Math.round(HEIGHT - 8 - (points / top) * (HEIGHT - 24));
  const steps = entries.map((entry) => `H${x(entry)}V${y(entry.after.points)}`);
  const line = `M${LEFT} ${y(0)}${steps.join('')}`;
  const medals = thresholds.map((points, index) => ({
    y: y(points),
    label: points,
    medal: MEDALS[index] ?? null,
  }));
  return {
    width: WIDTH,
    height: HEIGHT,
    line,
    area: `${line}V${y(0)}H${LEFT}Z`,
    dot: { x: x(last), y: y(last.after.points) },
    grid: [{ y: y(0), label: 0, medal: null }, ...medals.filter(({ label }) => label <= top)],
    rows: newestFirst.slice(0, ROWS).map((entry) => ({ at: entry.at, points: entry.after.points })),
  };
}
