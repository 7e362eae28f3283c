/**
 * Locks that die with the process that holds them: sockets in the kernel's abstract space, which
 * leave no file behind and are free again at once, however their holder ended. Whoever finds one
 * taken can hear who has it. Plain JavaScript, because the set-up uses it before there are
 * packages.
 */
import { statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

/**
 * The name of the lock of this purpose on a folder, the same by whatever path the folder is
 * reached.
 */
export function lockName(purpose, folder) {
  const { dev, ino } = statSync(folder);
  return `\0village-${purpose}-${dev}-${ino}`;
}

/**
 * Takes a lock, or answers null when another process has it. `tell` says who holds it, and what has
 * become of that, to all who ask.
 */
export function takeLock(name) {
  let said = '';
  const asking = new Set();
  const server = createServer((socket) => {
    asking.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => asking.delete(socket));
    if (said) socket.write(said);
  });
  // Nobody stays because others ask.
  server.unref();
  const lock = {
    tell(words) {
      said = `${JSON.stringify(words)}\n`;
      for (const socket of asking) socket.write(said);
    },
    release() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of asking) socket.destroy();
      });
    },
  };
  return new Promise((resolve, reject) => {
    server.once('error', (error) => (error.code === 'EADDRINUSE' ? resolve(null) : reject(error)));
    server.listen({ path: name }, () => resolve(lock));
  });
}

/** What the holder of a lock tells, as it changes; ends when the holder is gone. */
export async function* watchLock(name) {
  const socket = connect({ path: name });
  try {
    for await (const line of createInterface({ input: socket })) yield JSON.parse(line);
  } catch {
    // It went before it could say anything, or in the middle of a word.
  } finally {
    socket.destroy();
  }
}

/** How long a lock is waited for before that is told, in ms: most are held for a moment. */
const MOMENT_MS = 1000;

/** Takes a lock as soon as nobody has it; `waiting` hears when that takes more than a moment. */
export async function lockAlone(name, waiting) {
  const timer = setTimeout(waiting, MOMENT_MS);
  try {
    for (;;) {
      const lock = await takeLock(name);
      if (lock) return lock;
      // Only the end of this is of interest.
      for await (const _words of watchLock(name));
    }
  } finally {
    clearTimeout(timer);
  }
}
