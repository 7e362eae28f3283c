import { mkdirSync } from 'node:fs';
import {
  dataDir,
  demoEnv,
  networksAt,
  portsOf,
  runFileOf,
  secretsOf,
  type DemoAddresses,
} from '../env.js';
import { takeFolder, type Holder } from '../folder.js';
import type { Service } from '../services/process.js';
import { endLeftOver, startStores } from '../services/stores.js';
import { note } from './output.js';

/**
 * Finds the settings for a command: those of the environment when it has them; else of the hub that
 * runs on DATA_DIR; else of stores that are started for this command and added to `services`.
 */
export async function settingsFor(
  command: string,
  services: Service[],
  signal: AbortSignal,
): Promise<NodeJS.ProcessEnv> {
  if (process.env['SESSION_SECRET'] && process.env['MONGODB_URI']) return process.env;
  const { port, sandboxPort } = portsOf(process.env);
  const dir = dataDir();
  mkdirSync(dir, { recursive: true });
  const settings = (addresses: Omit<DemoAddresses, 'port'>): NodeJS.ProcessEnv => ({
    ...process.env,
    ...demoEnv(dir, secretsOf(dir), { port, ...addresses }),
  });
  if (!(await takeForCommand(dir, command))) {
    const { web, mongodb, redis, sandbox } = runFileOf(dir);
    return settings({
      publicUrl: web.url,
      mongodb: mongodb.uri,
      redis: redis.url,
      networks: networksAt(sandbox ? Number(new URL(sandbox.url).port) : sandboxPort),
    });
  }
  await endLeftOver(dir);
  // A file that cannot be read is reported before stores are started for nothing.
  secretsOf(dir);
  const { mongodb, redis } = await startStores(dir, note, signal);
  services.push(mongodb, redis);
  return settings({
    publicUrl: process.env['PUBLIC_URL'] || `http://127.0.0.1:${port}`,
    mongodb: mongodb.url,
    redis: redis.url,
    networks: networksAt(sandboxPort),
  });
}

/**
 * Takes the data folder for a command, waiting for whoever is only at work there for a moment;
 * false when a hub is open on it. The lock goes with this process: what it started has ended by
 * then.
 */
async function takeForCommand(dir: string, command: string): Promise<boolean> {
  let said = '';
  const me: Holder = {
    pid: process.pid,
    what: `npm run hub -- ${command}`,
    stays: false,
    state: 'open',
  };
  const lock = await takeFolder(dir, me, (holder) => {
    if (holder.stays && holder.state === 'open') return 'leave';
    const why = holder.stays
      ? `A hub is ${holder.state} here`
      : `"${holder.what}" (process ${holder.pid}) is at work here`;
    if (why !== said) note(`${why}; waiting for it …`);
    said = why;
    return 'wait';
  });
  return lock !== null;
}
