import { lockName, takeLock, watchLock, type Lock } from './lock.mjs';
import { pause } from './services/process.js';

/** Who holds a data folder, as it tells all who ask. */
export interface Holder {
  pid: number;
  /** What it is, as people call it. */
  what: string;
  /** A hub stays; a command is over soon. */
  stays: boolean;
  state: 'starting' | 'open' | 'stopping';
  /** Where a hub is reached. */
  url?: string;
}

/**
 * How long a holder may say nothing about itself, in ms: it tells at once, unless it is stopped or
 * not ours.
 */
const SILENCE_MS = 5000;

/**
 * Takes the data folder for this process: one process a folder, because only one can have the files
 * of its stores open. The lock goes with the process, however it ends. While another has it,
 * `decide` hears who and what state it is in, each time that changes, and answers whether to wait
 * for it; `leave` makes this answer null. Throws what `decide` throws, and an Error when the holder
 * never says who it is.
 */
export async function takeFolder(
  dir: string,
  me: Holder,
  decide: (holder: Holder) => 'wait' | 'leave',
): Promise<Lock | null> {
  const name = lockName('data', dir);
  for (;;) {
    const lock = await takeLock(name);
    if (lock) {
      lock.tell(me);
      return lock;
    }
    const words = watchLock(name);
    try {
      const silence = pause(SILENCE_MS).then(() => 'silent' as const);
      for (let next = await Promise.race([words.next(), silence]); ; next = await words.next()) {
        if (next === 'silent')
          throw new Error(
            `another process holds ${dir} and does not say who it is. End it, or set ` +
              'DATA_DIR to another folder.',
          );
        if (next.done) break;
        if (decide(next.value as Holder) === 'leave') return null;
      }
    } finally {
      void words.return();
    }
  }
}
