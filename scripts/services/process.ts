import { accessSync, closeSync, constants, openSync, readFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { startProgram, type Program } from '../program.js';

/** How long a program may take to end before it is killed, in ms. */
const PATIENCE_MS = 10_000;

/** A data service that this program found or started. */
export interface Service {
  url: string;
  kind: string;
  pid: number | null;
  /**
   * Resolves when the process that was started here has ended, however it went; null for a found
   * one.
   */
  ended: Promise<void> | null;
  /** Ends it if it was started here; a found one is left alone. */
  stop(): Promise<void>;
}

/** How a store is found or started. */
export interface StartOptions {
  /** The port of a started one; any free one without. */
  port?: number;
  /** The address of one that lies outside: then nothing is started. */
  given?: string | undefined;
  /** Ends what is still starting. */
  signal?: AbortSignal | undefined;
}

/** Finds the full path of a program on PATH; null when it is not there. */
export function onPath(name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      continue;
    }
  }
  return null;
}

/** Finds a port on which nobody listens now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address ? address.port : 0);
      });
    });
  });
}

/** Whether something accepts connections on a port within so many milliseconds. */
export function listens(port: number, host = '127.0.0.1', ms = 500): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(ms, () => {
      end(false);
    });
    socket.once('connect', () => {
      end(true);
    });
    socket.once('error', () => {
      end(false);
    });
  });
}

/** A server that lies outside: it is neither watched nor ended. */
export const givenService = (url: string): Service => ({
  url,
  kind: 'given',
  pid: null,
  ended: null,
  stop: () => Promise.resolve(),
});

/** A server that was started here. */
export const startedService = (url: string, kind: string, server: Program): Service => ({
  url,
  kind,
  pid: server.pid,
  ended: server.ended.then(() => undefined),
  stop: async () => {
    await server.stop();
  },
});

/** Waits for so many milliseconds. */
export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Whether a process with this id runs and was started with `mark` among its arguments (ids are
 * reused, arguments tell).
 */
export function runs(pid: number, mark: string): boolean {
  try {
    process.kill(pid, 0);
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      .split('\0')
      .some((part) => part.includes(mark));
  } catch {
    return false;
  }
}

/** Whether no process has this id any more, or only its end waits to be noticed. */
function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}

/**
 * Ends a process by its id and waits until it is gone; SIGKILL after `patience` ms. For a process
 * that an earlier start or somebody else has started, which execa cannot know.
 */
export async function endById(pid: number, patience = PATIENCE_MS): Promise<void> {
  const kill = (signal: NodeJS.Signals): void => {
    try {
      process.kill(pid, signal);
    } catch {
      // It is gone already.
    }
  };
  kill('SIGTERM');
  const until = Date.now() + patience;
  while (!isGone(pid)) {
    if (Date.now() > until) kill('SIGKILL');
    await pause(25);
  }
}

/**
 * Starts a server program in a process group of its own (Ctrl-C reaches only this process, which
 * stops things in order), its output in a log file, and waits until its port answers. It never
 * outlives this process. Throws with the end of the log when the port does not answer in time.
 */
export async function startServer(options: {
  command: string;
  args: string[];
  port: number;
  log: string;
  env?: NodeJS.ProcessEnv;
  patience?: number;
  signal?: AbortSignal | undefined;
}): Promise<Program> {
  const { command, args, port, log, env = process.env, patience = 30_000, signal } = options;
  signal?.throwIfAborted();
  // The file itself and not execa's `{ file }`, whose lines would pass through this process: where
  // nothing can tie it, a store that outlives a killed starter goes on writing.
  const out = openSync(log, 'a');
  const server = startProgram(command, args, {
    stdout: out,
    stderr: out,
    detached: true,
    env,
    patienceMs: PATIENCE_MS,
  });
  closeSync(out);
  server.letGo();
  let hasEnded = false;
  void server.ended.then(() => (hasEnded = true));
  const until = Date.now() + patience;
  while (!(await listens(port))) {
    if (hasEnded || signal?.aborted || Date.now() > until) {
      await server.stop('SIGKILL');
      throw new Error(`${command} did not start: ${lastLines(log)}`);
    }
    await pause(30);
  }
  return server;
}

/** The last lines of a log, in one. */
export const lastLines = (log: string): string =>
  readFileSync(log, 'utf8').trim().split('\n').slice(-3).join(' | ');
