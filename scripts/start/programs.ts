import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { nodeOptions } from '../env.js';
import { startProgram, type Program } from '../program.js';
import { root } from '../root.js';
import { lastLines, pause } from '../services/process.js';
import { Refusal } from './refusal.js';

/** A program of ours, by its file below build/. */
interface Task {
  name: string;
  file: string;
  args: string[];
  env: NodeJS.ProcessEnv;
}
/** What a program says by a message when it is ready. */
export type Ready = Record<string, unknown>;

/** How long a program may take to end before it is killed, in ms. */
const PATIENCE_MS = 12_000;
/** The pauses before a program is started again, and the run after which it counts as well; ms. */
const [SHORTEST_MS, LONGEST_MS, LONG_MS] = [250, 10_000, 10_000];

/** The programs of a hub, their output in files of their names below `dir`/logs. */
export class Programs {
  private readonly running = new Set<Program>();

  constructor(
    private readonly dir: string,
    private readonly options: {
      say: (line: string) => void;
      /** Aborted when everything is being stopped: then nothing is started again. */
      signal: AbortSignal;
      /** Called whenever a program is ready, at first and again. */
      started: (name: string, pid: number) => void;
    },
  ) {}

  /**
   * Starts a program, and starts it again whenever it ends by itself. Answers what it says when it
   * is ready. Throws a Refusal with the end of its log when it ends before that.
   */
  async keep(task: Task): Promise<Ready> {
    const begun = Date.now();
    const child = this.launch(task);
    const ready = await this.ready(task, child);
    if (!ready) {
      await child.ended;
      throw new Refusal(`${task.name} did not start: ${lastLines(this.logOf(task))}`);
    }
    void this.watch(task, child, begun);
    return ready;
  }

  /** Runs a program to its end; whether it went well. */
  async run(task: Task): Promise<boolean> {
    const { code } = await this.launch(task).ended;
    return code === 0;
  }

  /** Ends all that run, and waits for it. */
  async stop(): Promise<void> {
    await Promise.all([...this.running].reverse().map((child) => child.stop()));
  }

  private logOf({ name }: Task): string {
    return join(this.dir, 'logs', `${name}.log`);
  }

  private launch(task: Task): Program {
    const { file, args, env } = task;
    const out = openSync(this.logOf(task), 'a');
    const node = ['--enable-source-maps', ...nodeOptions(args[0])];
    const child = startProgram(process.execPath, [...node, join(root, 'build', file), ...args], {
      stdout: out,
      stderr: out,
      ipc: true,
      env,
      detached: true,
      patienceMs: PATIENCE_MS,
    });
    closeSync(out);
    this.running.add(child);
    void child.ended.then(() => this.running.delete(child));
    return child;
  }

  /** What a started program says when it is ready; null when it ends before. */
  private async ready({ name }: Task, child: Program): Promise<Ready | null> {
    const message = await child.message<Ready>('ready');
    if (message) this.options.started(name, child.pid);
    return message;
  }

  /**
   * Starts a program again whenever it ends. One that ran for a while is back at once; one that
   * fails again and again is not chased.
   */
  private async watch(task: Task, first: Program, firstBegun: number): Promise<void> {
    const { say, signal } = this.options;
    let [child, begun, wait] = [first, firstBegun, SHORTEST_MS];
    for (;;) {
      const { signal: by, code } = await child.ended;
      if (signal.aborted) return;
      wait = Date.now() - begun > LONG_MS ? SHORTEST_MS : Math.min(LONGEST_MS, wait * 2);
      say(`${task.name} ended (${by ?? code ?? '?'}), starting it again`);
      await pause(wait);
      if (signal.aborted) return;
      begun = Date.now();
      child = this.launch(task);
      void this.ready(task, child);
    }
  }
}
