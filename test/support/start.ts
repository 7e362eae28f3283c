import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunFile } from '../../scripts/env.js';
import { root } from '../../scripts/root.js';
import { freePort } from '../../scripts/services/process.js';
import { spawnTied } from '../../scripts/tie.mjs';

/** What a program said, and how it ended. */
export interface Ran {
  code: number | null;
  out: string;
  errors: string;
}

/** The environment of a newcomer: none of the settings that tests run under. */
export function plainEnv(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_V8_COVERAGE: '' };
  for (const name of ['NODE_ENV', 'MONGODB_URI', 'REDIS_URL', 'NODE_OPTIONS'])
    Reflect.deleteProperty(env, name);
  return { ...env, ...more };
}

function start(
  args: string[],
  env: NodeJS.ProcessEnv,
): { child: ChildProcess; ran: Ran; ended: Promise<Ran> } {
  const child = spawnTied(process.execPath, args, {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ran: Ran = { code: null, out: '', errors: '' };
  child.stdout?.on('data', (part: Buffer) => (ran.out += part.toString()));
  child.stderr?.on('data', (part: Buffer) => (ran.errors += part.toString()));
  const ended = new Promise<Ran>((resolve) => {
    child.once('close', (code) => {
      ran.code = code;
      resolve(ran);
    });
  });
  return { child, ran, ended };
}

/** Runs a program of node to its end. */
export const run = (args: string[], env: NodeJS.ProcessEnv = plainEnv()): Promise<Ran> =>
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
  private now: ReturnType<typeof start> | null = null;

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
    const now = start(['scripts/run.mjs', 'start'], this.env);
    this.now = now;
    await new Promise<void>((resolve, reject) => {
      now.child.stdout?.on('data', () => {
        hear(now.ran.out);
        if (now.ran.out.includes('Village is open')) resolve();
      });
      void now.ended.then(({ out, errors }) => {
        reject(new Error(`the hub did not start: ${out} ${errors}`));
      });
    });
    return this;
  }

  get pid(): number {
    return this.now?.child.pid ?? 0;
  }

  /** What `DATA_DIR/run.json` tells. */
  get running(): RunFile {
    return JSON.parse(readFileSync(join(this.dir, 'run.json'), 'utf8')) as RunFile;
  }

  /** Sends a signal to the starter and waits for its end. */
  async end(signal: NodeJS.Signals): Promise<Ran> {
    const { now } = this;
    now?.child.kill(signal);
    return now ? now.ended : { code: null, out: '', errors: '' };
  }

  /** Runs `npm run hub -- …` beside it. */
  hub(...args: string[]): Promise<Ran> {
    return run(['scripts/run.mjs', 'hub', ...args], this.env);
  }

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
