import type { ChildProcess } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { spawnTied } from '../tie.mjs';

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

/** Full path of a program on PATH, or null. */
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

/** A port nobody listens on now. */
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

/** Whether something accepts connections there. */
export function listens(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(500, () => {
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
export function startedService(url: string, kind: string, child: ChildProcess): Service {
  const pid = child.pid ?? 0;
  const ended = new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else
      child.once('exit', () => {
        resolve();
      });
  });
  return { url, kind, pid, ended, stop: () => end(pid) };
}

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

/** Ends a process by its id and waits until it is gone; SIGKILL after `patience` ms. */
export async function end(pid: number, patience = 10_000): Promise<void> {
  const gone = () => {
    try {
      process.kill(pid, 0);
      return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
      return true;
    }
  };
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    return;
  }
  const until = Date.now() + patience;
  while (!gone()) {
    if (Date.now() > until) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        return;
      }
    }
    await pause(25);
  }
}

/**
 * Starts a server program in a process group of its own (Ctrl-C reaches only us, who stop things in
 * order), its output in a log file, and waits until its port answers. It never outlives us. Throws
 * with the end of the log when the port does not answer.
 */
export async function startServer(options: {
  command: string;
  args: string[];
  port: number;
  log: string;
  env?: NodeJS.ProcessEnv;
  patience?: number;
  signal?: AbortSignal | undefined;
}): Promise<ChildProcess> {
  options.signal?.throwIfAborted();
  const out = openSync(options.log, 'a');
  const child = spawnTied(options.command, options.args, {
    stdio: ['ignore', out, out],
    detached: true,
    env: options.env ?? process.env,
  });
  closeSync(out);
  child.unref();
  let failed: Error | null = null;
  child.once('error', (error) => {
    failed = error;
  });
  const until = Date.now() + (options.patience ?? 30_000);
  while (!(await listens(options.port))) {
    if (
      failed !== null ||
      options.signal?.aborted ||
      child.exitCode !== null ||
      child.signalCode !== null ||
      Date.now() > until
    ) {
      child.kill('SIGKILL');
      const tail = readFileSync(options.log, 'utf8').trim().split('\n').slice(-3).join(' | ');
      throw new Error(`${options.command} did not start: ${tail}`);
    }
    await pause(30);
  }
  return child;
}
