import mongoose, { type Connection, type Model, type Schema } from 'mongoose';
import { BatchLoader } from './batch-loader.js';
import { failWritesToClosedSockets } from './mongo-closed.js';

failWritesToClosedSockets();

/**
 * Opens MongoDB. Nothing waits for long (DESIGN 9: 503 within 2 s): no buffering, short selection,
 * and every write is majority and journalled, said once here instead of trusted to a server's
 * default.
 */
export async function connectMongo(uri: string, name: string): Promise<Connection> {
  const connection = mongoose.createConnection(uri, {
    dbName: name,
    autoIndex: false,
    autoCreate: false,
    bufferCommands: false,
    serverSelectionTimeoutMS: 1500,
    connectTimeoutMS: 1500,
    socketTimeoutMS: 30_000,
    waitQueueTimeoutMS: 2000,
    maxPoolSize: 50,
    minPoolSize: 2,
    heartbeatFrequencyMS: 1000,
    minHeartbeatFrequencyMS: 100,
    retryWrites: false,
    readPreference: 'primary',
    readConcern: { level: 'majority' },
    writeConcern: { w: 'majority', journal: true },
  });
  try {
    return await connection.asPromise();
  } catch (error) {
    // Whoever tries again makes another: this one must not go on trying behind.
    await connection.destroy().catch(() => undefined);
    throw error;
  }
}

/**
 * A model on the given connection, never on the global one: this is what makes a database per test
 * file possible.
 */
export function model<T>(
  connection: Connection,
  name: string,
  schema: Schema<T>,
  collection: string,
): Model<T> {
  schema.set('autoIndex', false);
  schema.set('versionKey', false);
  schema.set('strictQuery', 'throw');
  schema.set('minimize', false);
  schema.set('id', false);
  return connection.model<T>(name, schema, collection);
}

/**
 * Makes the indexes that the models declare and the store lacks, and fails when one is absent
 * afterwards: a unique key that is missing would pay twice.
 */
export async function ensureIndexes(connection: Connection): Promise<void> {
  if ((await missingIndexes(connection)).length === 0) return;
  for (const name of connection.modelNames()) {
    const one = connection.model(name);
    await dropLoose(connection, name);
    await one.createCollection().catch((error: unknown) => {
      if ((error as { code?: number }).code !== 48) throw error;
    });
    await one.createIndexes();
  }
  const absent = await missingIndexes(connection);
  if (absent.length > 0) throw new Error(`indexes are missing: ${absent.join(', ')}`);
}

/** Fields of an index, and whether it is unique. */
const indexKey = (fields: object, unique: unknown): string =>
  JSON.stringify([Object.entries(fields), unique === true]);

/**
 * Drops indexes on fields that a model declares with another uniqueness: the store would refuse to
 * make the declared one beside it.
 */
async function dropLoose(connection: Connection, name: string): Promise<void> {
  const one = connection.model(name);
  const have = await one.collection.indexes().catch(() => []);
  for (const [fields, options] of one.schema.indexes())
    for (const index of have)
      if (
        index.name &&
        indexKey(index['key'], !index['unique']) === indexKey(fields, options.unique)
      )
        await one.collection.dropIndex(index.name);
}

/** Names of indexes that the models declare and the store does not have; empty when all is well. */
export async function missingIndexes(connection: Connection): Promise<string[]> {
  const absent = await Promise.all(
    connection.modelNames().map(async (name) => {
      const one = connection.model(name);
      const have = await one.collection.indexes().catch(() => []);
      const keys = new Set(have.map((index) => indexKey(index['key'] as object, index['unique'])));
      return one.schema
        .indexes()
        .filter(([fields, options]) => !keys.has(indexKey(fields, options.unique)))
        .map(([fields]) => `${one.collection.collectionName}(${Object.keys(fields).join(',')})`);
    }),
  );
  return absent.flat();
}

/**
 * Inserts documents, durably, as one plain command: the driver's own bulk insert measures every
 * document before it sends it, which costs as much again. Answers the places that a unique key
 * refused; ordered inserts end at the first. Throws for anything else, and then nothing is known of
 * what was stored.
 */
export const insertAll = async (
  records: Commanded,
  documents: object[],
  ordered: boolean,
): Promise<number[]> =>
  (await writeAll(records, { insert: records.collection.name, documents, ordered })).refused;

/**
 * Many updates as one plain command, in no order, as durably and as cheaply as `insertAll`. Answers
 * how many documents they met or made; an upsert that a unique key refused is none. Throws as that
 * does.
 */
export const updateAll = async (records: Commanded, updates: Update[]): Promise<number> =>
  (await writeAll(records, { update: records.collection.name, updates, ordered: false })).met;

/**
 * Updates that are asked for one by one and go to the store together, one command in flight. Each
 * throws as `updateAll` does.
 */
export function updater(records: Commanded): (update: Update) => Promise<void> {
  const together = new BatchLoader<never, Update>(async (updates) => {
    await updateAll(records, updates);
    return new Map<Update, never>();
  });
  return async (update) => {
    await together.load(update);
  };
}

/**
 * One statement of an `update` command: which document (all of them with `multi`), and what becomes
 * of it.
 */
export interface Update {
  q: object;
  u: object;
  upsert?: boolean;
  multi?: boolean;
}

interface Commanded {
  collection: { name: string };
  db: Connection;
}

async function writeAll(
  records: Commanded,
  command: object,
): Promise<{ met: number; refused: number[] }> {
  if (!records.db.db) throw new mongoose.mongo.MongoNotConnectedError('the store is closed');
  const {
    n: met,
    writeErrors = [],
    writeConcernError,
  } = (await records.db.db.command({ ...command, writeConcern: { w: 'majority', j: true } })) as {
    n: number;
    writeErrors?: { index: number; code: number; errmsg: string }[];
    writeConcernError?: { errmsg: string };
  };
  const other = writeErrors.find((one) => one.code !== 11000);
  if (other) throw new mongoose.mongo.MongoServerError(other);
  // Stored here and perhaps not elsewhere: whether it lasts is not known.
  if (writeConcernError) throw new mongoose.mongo.MongoNetworkError(writeConcernError.errmsg);
  return { met, refused: writeErrors.map((one) => one.index) };
}

/**
 * A unique key refused an insert. Which one is decided by reading, never by the message (DESIGN 4).
 */
export const isDuplicate = (error: unknown): boolean =>
  (error as { code?: number } | null)?.code === 11000;

/**
 * Errors of the driver, and of mongoose, where no answer came; `MongoNetworkError` and
 * `MongoSystemError` are known by their class.
 */
const AWAY_NAMES = new Set([
  'MongoNotConnectedError',
  'MongoTopologyClosedError',
  'MongoClientClosedError',
  'MongoServerClosedError',
  'MongoPoolClosedError',
  'MongoWaitQueueTimeoutError',
  'MongoOperationTimeoutError',
  'MongoExpiredSessionError',
  'MongoStalePrimaryError',
  'MongoUnexpectedServerResponseError',
  'MongooseServerSelectionError',
]);
/**
 * Codes by which a server says that it cannot now: another primary is being chosen, it is being
 * shut down, a time limit passed, the disk is full, it broke, it was started anew and no longer
 * knows a cursor (MongoDB's error_codes.yml). Whether a write was stored is as unknown as without
 * an answer.
 */
const AWAY_CODES = new Set([
  1, 6, 7, 43, 50, 64, 89, 91, 134, 175, 189, 237, 262, 9001, 10107, 11600, 11601, 11602, 13435,
  13436, 14031,
]);

const { MongoError, MongoNetworkError, MongoServerError, MongoSystemError } = mongoose.mongo;

/**
 * The store did not answer, cannot be reached, or says that it cannot now: the caller may try again
 * later.
 */
export function isStoreAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (
    error instanceof MongoNetworkError ||
    error instanceof MongoSystemError ||
    AWAY_NAMES.has(error.name)
  )
    return true;
  // One connection that was never opened: mongoose throws a plain error of its own.
  if (error.message.includes('before initial connection')) return true;
  if (!(error instanceof MongoError)) return false;
  if (error instanceof MongoServerError && AWAY_CODES.has(Number(error.code))) return true;
  // What ended a bulk write, or failed a part of it, lies inside the error that tells of it.
  const { errorResponse, cause, writeErrors } = error as {
    errorResponse?: unknown;
    cause?: unknown;
    writeErrors?: { code?: number }[];
  };
  if ([writeErrors ?? []].flat().some(({ code }) => AWAY_CODES.has(Number(code)))) return true;
  return [errorResponse, cause].some((inner) => inner !== error && isStoreAway(inner));
}
