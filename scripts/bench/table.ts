import { readFileSync } from 'node:fs';
import type { Figures } from './load.js';

/** The table of a run. */
export const rows: { scenario: string; figure: string; bare: string; goal: string }[] = [];
/** Says what is under way. */
export const say = (line: string): void => {
  process.stderr.write(`bench: ${line}\n`);
};
/** Adds a row to the table: what was measured, beside the bare limit and DESIGN's goal. */
export const row = (scenario: string, figure: string, bare: string, goal: string): void => {
  rows.push({ scenario, figure, bare, goal });
  say(`${scenario}: ${figure} (bare: ${bare}; floor / target: ${goal})`);
};
/** Figures in one line. */
export function text({ perSecond, p50, p99, failed }: Figures): string {
  const failures = failed ? `, ${failed} failed` : '';
  return `${perSecond}/s, p50 ${p50} ms, p99 ${p99} ms${failures}`;
}

/** Seconds of processor time a process has had. */
export const cpu = (pid: number): number => {
  const parts = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(parts[11]) + Number(parts[12])) / 100;
};

/** Memory of a process that is resident, in KB. */
export const memory = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
