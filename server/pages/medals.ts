import { MEDALS, type medalsOf } from '../points/service.js';

type MedalLine = ReturnType<typeof medalsOf>[number];

/** Bronze, silver and gold of a scope, earned or not, for the rail that they hang from. */
export function presentRail(scope: MedalLine | undefined) {
  const held = scope?.medal ? MEDALS.indexOf(scope.medal) : -1;
  return MEDALS.map((medal, index) => {
    const threshold = scope?.thresholds[index] ?? 0;
    return {
      medal,
      earned: index <= held,
      at: threshold,
      missing: Math.max(0, threshold - (scope?.points ?? 0)),
    };
  });
}

/** A share of the lane in percent, to one decimal. */
const percent = (points: number, top: number): number => Math.round((points / top) * 1000) / 10;

/** How far a fan is along the lane from nothing to gold, in percent, thresholds as ticks. */
export function presentLane(scope: MedalLine | undefined) {
  const top = scope?.thresholds[2] ?? 1;
  return {
    filled: Math.min(100, percent(scope?.points ?? 0, top)),
    ticks: MEDALS.map((medal, index) => {
      const threshold = scope?.thresholds[index] ?? 0;
      return { medal, at: threshold, place: percent(threshold, top) };
    }),
    top,
  };
}
