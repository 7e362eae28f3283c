import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunFile } from '../../scripts/env.js';
import { startProgram, type Ended, type Program } from '../../scripts/program.js';
import { root } from '../../scripts/root.js';
import { freePort } from '../../scripts/services/process.js';

/** The environment of a newcomer: none of the settings that tests run under. */
export function plainEnv(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_V8_COVERAGE: '' };
  for (const name of ['NODE_ENV', 'MONGODB_URI', 'REDIS_URL', 'NODE_OPTIONS'])
    Reflect.deleteProperty(env, name);
  return { ...env, ...more };
}

const start = (args: string[], env: NodeJS.ProcessEnv): Program =>
  startProgram(process.execPath, args, { cwd: root, env });

/** Runs a program of node to its end. */
export const run = (args: string[], env: NodeJS.ProcessEnv = plainEnv()): Promise<Ended> =>
  start(args, env).ended;

/** A hub as `npm start` runs it, on a folder and ports of its own. */
export class StartedHub {
  readonly dir: string;
  env: NodeJS.ProcessEnv;
  /** `like`: a second start on the folder and the ports of this one. */
  constructor(like?: StartedHub) {
    this.dir = like?.dir ?? mkdtempSync(join(tmpdir(), 'village-start-'));
    this.env = like?.env ?? {};
  }
  private starter: Program | null = null;

  /**
   * Nine ports below each other are free for the sandbox when the first of them was taken from high
   * up.
   */
  async prepare(): Promise<this> {
    const port = await freePort();
    this.env = plainEnv({
      DATA_DIR: this.dir,
      PORT: String(port),
      SANDBOX_PORT: String(20_000 + (port % 900) * 10),
    });
    return this;
  }

  /**
   * Starts it and waits until it says that it is open; `hear` is told all that it has said, as it
   * says more.
   */
  async start(hear: (out: string) => void = () => undefined): Promise<this> {
    const starter = start(['scripts/run.mjs', 'start'], this.env);
    this.starter = starter;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      starter.stdout?.on('data', (part: Buffer) => {
        said += part.toString();
        hear(said);
        if (said.includes('Village is open')) resolve();
      });
      void starter.ended.then(({ out, errors }) => {
        reject(new Error(`the hub did not start: ${out} ${errors}`));
      });
    });
    return this;
  }

  /** The id of the starter. */
  get pid(): number {
    return this.starter?.pid ?? 0;
  }

  /** What `DATA_DIR/run.json` tells. */
  get running(): RunFile {
    return JSON.parse(readFileSync(join(this.dir, 'run.json'), 'utf8')) as RunFile;
  }

  /** Sends a signal to the starter and waits for its end. */
  async end(signal: NodeJS.Signals): Promise<Ended> {
    return this.starter?.stop(signal) ?? { code: null, signal: null, out: '', errors: '' };
  }

  /** Runs `npm run hub -- …` beside it. */
  hub(...args: string[]): Promise<Ended> {
    return run(['scripts/run.mjs', 'hub', ...args], this.env);
  }

  /** Removes its folder. */
  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/**
 * The processes that were given this environment variable, or inherited it, with how each was
 * called: what a program has left running.
 */
export function marked(name: string, value: string): { pid: number; call: string }[] {
  return readdirSync('/proc').flatMap((pid) => {
    try {
      if (
        !/^\d+$/.test(pid) ||
        !readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`${name}=${value}`)
      )
        return [];
      return [
        {
          pid: Number(pid),
          call: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '),
        },
      ];
    } catch {
      return [];
    }
  });
}
