import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SANDBOX_PORTS } from '../env.js';
import { takeFolder, type Holder } from '../folder.js';
import type { Lock } from '../lock.mjs';
import { listens, pause } from '../services/process.js';
import { endLeftOver } from '../services/stores.js';
import { Refusal } from './refusal.js';

/**
 * Takes DATA_DIR for this start, waiting for a command or a hub that is about to leave it. Throws a
 * Refusal when it cannot be had.
 */
export async function takeDataDir(
  dir: string,
  me: Holder,
  say: (line: string) => void,
): Promise<Lock | null> {
  try {
    mkdirSync(dir, { recursive: true });
    accessSync(dir, constants.W_OK);
  } catch {
    throw new Refusal(
      `cannot write in ${dir}. Make it writable, or set DATA_DIR to a folder that is.`,
    );
  }
  let hasSaid = false;
  const lock = await takeFolder(dir, me, (holder) => {
    if (holder.stays && holder.state !== 'stopping') throw occupied(dir, holder);
    const stopping = holder.stays ? ' and is stopping' : '';
    if (!hasSaid)
      say(`${holder.what} (process ${holder.pid}) has ${dir}${stopping}; waiting for its end …`);
    hasSaid = true;
    return 'wait';
  });
  mkdirSync(join(dir, 'logs'), { recursive: true });
  return lock;
}

/** Ends what an earlier start left running on DATA_DIR, for the holder of its lock. */
export async function clearDataDir(dir: string, say: (line: string) => void): Promise<void> {
  const left = await endLeftOver(dir);
  if (left.length > 0)
    say(`ended what an earlier start had left running (process ${left.join(', ')}).`);
}

function occupied(dir: string, { url, pid, state }: Holder): Refusal {
  const where = [url, `process ${pid}`, state === 'starting' ? 'still starting' : '']
    .filter(Boolean)
    .join(', ');
  return new Refusal(
    `a hub runs on ${dir} already (${where}). ` +
      'Stop it, or set DATA_DIR, PORT and SANDBOX_PORT for a second one.',
  );
}

/**
 * Waits a moment for the ports of the hub and of its sandbox networks, where it has those. Throws a
 * Refusal that names one which stays taken.
 */
export async function requireFreePorts(port: number, sandboxPort: number | null): Promise<void> {
  const ports: [number, string][] = [[port, 'PORT']];
  for (let offset = 0; sandboxPort !== null && offset < SANDBOX_PORTS; offset += 1)
    ports.push([sandboxPort + offset, 'SANDBOX_PORT']);
  for (const [taken, name] of ports) {
    for (let tries = 0; await listens(taken); tries += 1) {
      const other = taken > 64_000 ? taken - 1000 : taken + 1000;
      if (tries > 20)
        throw new Refusal(
          `port ${taken} is taken. ` +
            `Free it, or set ${name} to another one (${name}=${other} npm start).`,
        );
      await pause(100);
    }
  }
}
