import { setTimeout as pause } from 'node:timers/promises';
import mongoose, { type ClientSession, type Connection } from 'mongoose';

const { MongoError, MongoNetworkError } = mongoose.mongo;

/**
 * How long a transaction is tried again, in ms. The driver's own `withTransaction` goes on for two
 * minutes, also while the store is away, and a request waits two seconds at most (DESIGN 9).
 */
const PATIENCE_MS = 2000;
/** The longest pause between two tries, in ms. */
const MOST_PAUSE_MS = 100;

type Label = 'TransientTransactionError' | 'UnknownTransactionCommitResult';
const bears = (error: unknown, label: Label): boolean =>
  error instanceof MongoError && error.hasErrorLabel(label);

/**
 * Writes all that `work` writes with the given session, or nothing of it. Work that meets somebody
 * else's write is begun again, so it must do nothing but read and write with the session: news
 * follow when this has resolved. Throws what `work` throws, and as a store that is away when others
 * wrote the same for too long, or when it did not answer the commit: then it is not known whether
 * it was done.
 *
 * What a process has written that is killed in the middle is seen by nobody, and kept from other
 * writers for about a minute, until the store gives the transaction up: touch little in one.
 * @param patience how long it is tried again, in ms
 */
export async function inTransaction<T>(
  connection: Connection,
  work: (session: ClientSession) => Promise<T>,
  patience = PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + patience;
  const session = await connection.startSession();
  try {
    for (let attempt = 1; ; attempt += 1) {
      session.startTransaction();
      try {
        const result = await work(session);
        await commit(session, deadline);
        return result;
      } catch (error) {
        if (session.inTransaction()) await session.abortTransaction();
        if (!bears(error, 'TransientTransactionError')) throw error;
        if (performance.now() >= deadline)
          throw new MongoNetworkError('the transaction was in others’ way for too long', {
            cause: error as Error,
          });
      }
      await pause(Math.random() * Math.min(5 * 1.5 ** attempt, MOST_PAUSE_MS));
    }
  } finally {
    await session.endSession();
  }
}

/** Commits; asks again while the store leaves open whether it has done so. */
async function commit(session: ClientSession, deadline: number): Promise<void> {
  for (;;) {
    try {
      await session.commitTransaction();
      return;
    } catch (error) {
      if (!bears(error, 'UnknownTransactionCommitResult') || performance.now() >= deadline)
        throw error;
    }
  }
}
