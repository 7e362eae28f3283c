import { join } from 'node:path';
import { nodeOptions } from '../env.js';
import { startProgram, type Program } from '../program.js';
import { root } from '../root.js';
import { weighable } from './weight.js';

/** A process that is measured. */
export interface Measured {
  child: Program;
  /** Where it is reached, if it says so. */
  url: string;
  /** How long it took to be ready, in ms. */
  ms: number;
}

/** How long a process may take to end before it is killed, in ms. */
const PATIENCE_MS = 10_000;

/** Starts the processes that are measured; with `profile` each writes a CPU profile there. */
export class Processes {
  private readonly children: Program[] = [];

  constructor(private readonly profile: string | null) {}

  /** Starts a built program and waits until it is ready. Throws when it ends before. */
  async start(file: string, args: string[], env: NodeJS.ProcessEnv): Promise<Measured> {
    const begun = performance.now();
    const options = [
      ...weighable,
      ...nodeOptions(args[0]),
      ...(this.profile ? ['--cpu-prof', `--cpu-prof-dir=${this.profile}`] : []),
    ];
    const script = join(root, 'build', file);
    const child = startProgram(process.execPath, [...options, script, ...args], {
      env: { ...process.env, ...env },
      stdout: 'ignore',
      stderr: 'inherit',
      ipc: true,
      detached: true,
      patienceMs: PATIENCE_MS,
    });
    this.children.push(child);
    const ready = await child.message<{ url?: string }>('ready');
    if (!ready) throw new Error(`${file} ended with ${String((await child.ended).code)}`);
    return { child, url: ready.url ?? '', ms: performance.now() - begun };
  }

  /** Ends all of them. */
  async stop(): Promise<void> {
    await Promise.all(this.children.map((child) => child.stop()));
  }
}
