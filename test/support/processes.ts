import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from '../../scripts/root.js';
import { spawnTied } from '../../scripts/tie.mjs';

/** A process of the built hub, as `npm start` runs it. */
export interface HubProcess {
  child: ChildProcess;
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
  const child = spawnTied(process.execPath, [join(root, 'build', 'server', 'main.js'), role], {
    stdio: ['ignore', log ? 'pipe' : 'ignore', 'pipe', 'ipc'],
    // Coverage is told from the sources: a built process would be counted by other lines.
    env: { ...process.env, ...env, NODE_V8_COVERAGE: '' },
  });
  if (log && child.stdout) createInterface({ input: child.stdout }).on('line', log);
  let errors = '';
  child.stderr?.on('data', (part: Buffer) => {
    errors += part.toString();
  });
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => {
      resolve();
    });
    child.once('exit', (code) => {
      reject(new Error(`${role} ended with ${String(code)}: ${errors}`));
    });
  });
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await gone;
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
