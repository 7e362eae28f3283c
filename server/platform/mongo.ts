import mongoose, { type Connection, type Model, type Schema } from 'mongoose';
import { BatchLoader } from './batch-loader.js';
import { failWritesToClosedSockets } from './mongo-closed.js';

failWritesToClosedSockets();

/**
 * Connects to MongoDB. Nothing waits for long (DESIGN 9: 503 within 2 s): no buffering, and little
 * time to find a server. Every write is majority and journalled, which is said here instead of
 * trusted to a server's default. Throws when the store cannot be reached.
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
    // Whoever tries again makes another connection: this one must not go on trying.
    await connection.destroy().catch(() => undefined);
    throw error;
  }
}

/**
 * Makes a model on the given connection, never on the global one, so that each test file can have a
 * database of its own.
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
 * Creates the indexes that the models declare and the store lacks. Throws when any of them is
 * absent afterwards: without a unique key a deed would be paid twice.
 */
export async function ensureIndexes(connection: Connection): Promise<void> {
  if ((await missingIndexes(connection)).length === 0) return;
  for (const name of connection.modelNames()) {
    const declared = connection.model(name);
    await dropContradicting(connection, name);
    await declared.createCollection().catch((error: unknown) => {
      if ((error as { code?: number }).code !== NAMESPACE_EXISTS) throw error;
    });
    await declared.createIndexes();
  }
  const absent = await missingIndexes(connection);
  if (absent.length > 0) throw new Error(`indexes are missing: ${absent.join(', ')}`);
}

/** MongoDB's code for a collection that is there already. */
const NAMESPACE_EXISTS = 48;

/** What tells indexes apart: their fields, and whether they are unique. */
const indexKey = (fields: object, unique: unknown): string =>
  JSON.stringify([Object.entries(fields), unique === true]);

/**
 * Drops indexes that differ from declared ones only in being unique, or in not being so: the store
 * would refuse to create the declared ones beside them.
 */
async function dropContradicting(connection: Connection, name: string): Promise<void> {
  const { collection, schema } = connection.model(name);
  const present = await collection.indexes().catch(() => []);
  for (const [fields, options] of schema.indexes())
    for (const index of present)
      if (index.name && indexKey(index.key, !index.unique) === indexKey(fields, options.unique))
        await collection.dropIndex(index.name);
}

/** The indexes that the models declare and the store lacks; none when all is well. */
export async function missingIndexes(connection: Connection): Promise<string[]> {
  const absent = await Promise.all(
    connection.modelNames().map(async (name) => {
      const { collection, schema } = connection.model(name);
      const present = await collection.indexes().catch(() => []);
      const keys = new Set(present.map(({ key, unique }) => indexKey(key, unique)));
      return schema
        .indexes()
        .filter(([fields, options]) => !keys.has(indexKey(fields, options.unique)))
        .map(([fields]) => `${collection.collectionName}(${Object.keys(fields).join(',')})`);
    }),
  );
  return absent.flat();
}

/**
 * Inserts documents, durably, in one plain command: the driver's own bulk insert measures every
 * document before it sends it, which costs as much again. Answers the indexes of those that a
 * unique key refused; ordered inserts end at the first. Throws for any other error, after which it
 * is not known what was stored.
 */
export const insertAll = async (
  records: Commanded,
  documents: object[],
  ordered: boolean,
): Promise<number[]> =>
  (await writeAll(records, { insert: records.collection.name, documents, ordered })).refused;

/**
 * Sends many updates, in no order, in one plain command, as durably and as cheaply as `insertAll`.
 * Answers how many documents they matched or created; an upsert that a unique key refused counts as
 * none. Throws as `insertAll` does.
 */
export const updateAll = async (records: Commanded, updates: Update[]): Promise<number> =>
  (await writeAll(records, { update: records.collection.name, updates, ordered: false })).matched;

/**
 * A function that updates one document at a time, while the updates go to the store together, with
 * one command in flight. Throws as `updateAll` does.
 */
export function updater(records: Commanded): (update: Update) => Promise<void> {
  const batches = new BatchLoader<never, Update>(async (updates) => {
    await updateAll(records, updates);
    return new Map<Update, never>();
  });
  return async (update) => {
    await batches.load(update);
  };
}

/**
 * A statement of an `update` command: which document (with `multi` all that match), and what
 * becomes of it.
 */
export interface Update {
  q: object;
  u: object;
  upsert?: boolean;
  multi?: boolean;
}

/** The part of a model that commands need. */
interface Commanded {
  collection: { name: string };
  db: Connection;
}

async function writeAll(
  records: Commanded,
  command: object,
): Promise<{ matched: number; refused: number[] }> {
  if (!records.db.db) throw new mongoose.mongo.MongoNotConnectedError('the store is closed');
  const {
    n: matched,
    writeErrors = [],
    writeConcernError,
  } = (await records.db.db.command({ ...command, writeConcern: { w: 'majority', j: true } })) as {
    n: number;
    writeErrors?: { index: number; code: number; errmsg: string }[];
    writeConcernError?: { errmsg: string };
  };
  const unexpected = writeErrors.find(({ code }) => code !== DUPLICATE_KEY);
  if (unexpected) throw new mongoose.mongo.MongoServerError(unexpected);
  // It is stored on one server and perhaps on no other: whether it lasts is not known.
  if (writeConcernError) throw new mongoose.mongo.MongoNetworkError(writeConcernError.errmsg);
  return { matched, refused: writeErrors.map(({ index }) => index) };
}

/** MongoDB's code for a document that a unique key refused. */
const DUPLICATE_KEY = 11000;

/**
 * Whether a unique key refused a write. Which key it was is found out by reading, never from the
 * message (DESIGN 4).
 */
export const isDuplicate = (error: unknown): boolean =>
  (error as { code?: number } | null)?.code === DUPLICATE_KEY;

/**
 * Names of errors of the driver and of mongoose that mean that no answer came, beside those known
 * by their class.
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
 * Codes by which a server says that it cannot answer now: another primary is being elected, it is
 * shutting down, a time limit passed, the disk is full, it broke, it was restarted and has lost a
 * cursor (MongoDB's error_codes.yml). Whether a write was stored is as unknown as without an
 * answer.
 */
const AWAY_CODES = new Set([
  1, 6, 7, 43, 50, 64, 89, 91, 134, 175, 189, 237, 262, 9001, 10107, 11600, 11601, 11602, 13435,
  13436, 14031,
]);

const { MongoError, MongoNetworkError, MongoServerError, MongoSystemError } = mongoose.mongo;

/**
 * Whether an error says that the store did not answer, cannot be reached, or cannot answer now, so
 * that the caller may try again later.
 */
export function isStoreAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (
    error instanceof MongoNetworkError ||
    error instanceof MongoSystemError ||
    AWAY_NAMES.has(error.name)
  )
    return true;
  // For a connection that was never opened mongoose throws a plain error.
  if (error.message.includes('before initial connection')) return true;
  if (!(error instanceof MongoError)) return false;
  if (error instanceof MongoServerError && AWAY_CODES.has(Number(error.code))) return true;
  // The error of a bulk write holds the errors that ended it or failed parts of it.
  const { errorResponse, cause, writeErrors } = error as {
    errorResponse?: unknown;
    cause?: unknown;
    writeErrors?: { code?: number }[];
  };
  if ([writeErrors ?? []].flat().some(({ code }) => AWAY_CODES.has(Number(code)))) return true;
  return [errorResponse, cause].some((inner) => inner !== error && isStoreAway(inner));
}
