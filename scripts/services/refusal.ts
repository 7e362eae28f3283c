import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** How long a write may take before it counts as refused, in ms. */
const PATIENCE_MS = 10_000;

/** Whether a MongoDB that can be reached refuses a small write, or never answers one. */
export async function refuses(url: string): Promise<boolean> {
  const { default: mongoose } = await import('mongoose');
  const times = {
    serverSelectionTimeoutMS: PATIENCE_MS,
    socketTimeoutMS: PATIENCE_MS,
    connectTimeoutMS: PATIENCE_MS,
  };
  const connection = mongoose.createConnection(url, {
    dbName: 'village_heartbeat',
    maxPoolSize: 1,
    retryWrites: false,
    ...times,
  });
  try {
    await connection.asPromise();
    await connection
      .collection('heartbeats')
      .updateOne({ _id: 'npm start' as never }, { $set: { at: new Date() } }, { upsert: true });
    return false;
  } catch {
    return true;
  } finally {
    await connection.close(true).catch(() => undefined);
  }
}

/** Whether a file of a megabyte can be written below `dir`, down to the disk. */
export function hasRoom(dir: string): boolean {
  const file = join(dir, `.room-${process.pid}`);
  try {
    const open = openSync(file, 'w', 0o600);
    try {
      writeSync(open, Buffer.alloc(1024 * 1024));
      fsyncSync(open);
      return true;
    } finally {
      closeSync(open);
    }
  } catch {
    return false;
  } finally {
    rmSync(file, { force: true });
  }
}
