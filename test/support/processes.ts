import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startProgram, type Program } from '../../scripts/program.js';
import { root } from '../../scripts/root.js';

/** A process of the built hub, as `npm start` runs it. */
export interface HubProcess {
  child: Program;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts `web` or `worker` and waits until it says that it is ready; `log` hears the lines of its
 * log.
 */
export async function startHub(
  role: 'web' | 'worker',
  env: NodeJS.ProcessEnv,
  log?: (line: string) => void,
): Promise<HubProcess> {
  const main = join(root, 'build', 'server', 'main.js');
  const child = startProgram(process.execPath, [main, role], {
    stdout: log ? 'pipe' : 'ignore',
    ipc: true,
    // Coverage is told from the sources: a built process would be counted by other lines.
    env: { ...process.env, ...env, NODE_V8_COVERAGE: '' },
  });
  if (log && child.stdout) createInterface({ input: child.stdout }).on('line', log);
  if (!(await child.message('ready'))) {
    const { code, errors } = await child.ended;
    throw new Error(`${role} ended with ${String(code)}: ${errors}`);
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    await child.stop(signal);
  };
  return { child, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') };
}

/** A fan's click on Follow at the hub with this address, by the API. */
export const followAt = (
  url: string,
  token: string,
  athlete: string,
  signal?: AbortSignal,
): Promise<Response> =>
  fetch(`${url}/api/v1/athletes/${athlete}/follow`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: '{"network":"x"}',
    ...(signal ? { signal } : {}),
  });
