import { readFileSync } from 'node:fs';
import type { Figures } from './load.js';

/** The table of a run. */
export const rows: { scenario: string; figure: string; bare: string; goal: string }[] = [];
export const say = (line: string): void => {
  process.stderr.write(`bench: ${line}\n`);
};
export const row = (scenario: string, figure: string, bare: string, goal: string): void => {
  rows.push({ scenario, figure, bare, goal });
  say(`${scenario}: ${figure} (bare: ${bare}; floor / target: ${goal})`);
};
export const text = (one: Figures): string =>
  `${one.perSecond}/s, p50 ${one.p50} ms, p99 ${one.p99} ms${one.failed ? `, ${one.failed} failed` : ''}`;

/** A number of the command line, `--name=5`. */
export const setting = (name: string, normal: number): number =>
  Number(process.argv.find((arg) => arg.startsWith(`--${name}=`))?.split('=')[1] ?? normal);

/** Seconds of processor time a process has had. */
export const cpu = (pid: number): number => {
  const parts = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(parts[11]) + Number(parts[12])) / 100;
};

/** Memory of a process that is resident, in KB. */
export const memory = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
