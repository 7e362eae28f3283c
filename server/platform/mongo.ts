import mongoose, { type Connection, type Model, type Schema } from 'mongoose';
import { failWritesToClosedSockets } from './mongo-closed.js';

failWritesToClosedSockets();

/**
 * Opens MongoDB. Nothing waits for long (DESIGN 9: 503 within 2 s): no buffering, short selection, and every write is majority
 * and journalled, said once here instead of trusted to a server's default.
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

/** A model on the given connection, never on the global one: this is what makes a database per test file possible. */
export function model<T>(connection: Connection, name: string, schema: Schema<T>, collection: string): Model<T> {
  schema.set('autoIndex', false);
  schema.set('versionKey', false);
  schema.set('strictQuery', 'throw');
  schema.set('minimize', false);
  schema.set('id', false);
  return connection.model<T>(name, schema, collection);
}

/** Makes the indexes that the models declare and the store lacks, and fails when one is absent afterwards: a unique key that is missing would pay twice. */
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
const indexKey = (fields: object, unique: unknown): string => JSON.stringify([Object.entries(fields), unique === true]);

/** Drops indexes on fields that a model declares with another uniqueness: the store would refuse to make the declared one beside it. */
async function dropLoose(connection: Connection, name: string): Promise<void> {
  const one = connection.model(name);
  const have = await one.collection.indexes().catch(() => []);
  for (const [fields, options] of one.schema.indexes())
    for (const index of have)
      if (index.name && indexKey(index['key'], !index['unique']) === indexKey(fields, options.unique)) await one.collection.dropIndex(index.name);
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
 * Inserts documents, durably, as one plain command: the driver's own bulk insert measures every document before it sends it, which costs
 * as much again. Answers the places that a unique key refused; ordered inserts end at the first. Throws for anything else, and then
 * nothing is known of what was stored.
 */
export async function insertAll(records: { collection: { name: string }; db: Connection }, documents: object[], ordered: boolean): Promise<number[]> {
  const command = { insert: records.collection.name, documents, ordered, writeConcern: { w: 'majority', j: true } };
  if (!records.db.db) throw new mongoose.mongo.MongoNotConnectedError('the store is closed');
  const { writeErrors = [], writeConcernError } = (await records.db.db.command(command)) as {
    writeErrors?: { index: number; code: number; errmsg: string }[];
    writeConcernError?: { errmsg: string };
  };
  const other = writeErrors.find((one) => one.code !== 11000);
  if (other) throw new mongoose.mongo.MongoServerError(other);
  // Stored here and perhaps not elsewhere: whether it lasts is not known.
  if (writeConcernError) throw new mongoose.mongo.MongoNetworkError(writeConcernError.errmsg);
  return writeErrors.map((one) => one.index);
}

/** A unique key refused an insert. Which one is decided by reading, never by the message (DESIGN 4). */
export const isDuplicate = (error: unknown): boolean => (error as { code?: number } | null)?.code === 11000;

/** Names of the driver's errors where no answer came. */
const AWAY_NAMES = new Set([
  'MongoServerSelectionError',
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
  'MongoNotConnectedError',
  'MongoTopologyClosedError',
  'MongoPoolClearedError',
  'PoolClearedError',
  'MongooseServerSelectionError',
  'PoolClearedOnNetworkError',
  'MongoPoolClosedError',
  'MongoOperationTimeoutError',
  'MongoClientClosedError',
  'MongoWaitQueueTimeoutError',
]);
/**
 * Codes by which a server says that it cannot now: another primary is being chosen, it is being shut down, a time limit passed, the disk
 * is full, it broke (MongoDB's error_codes.yml). Whether a write was stored is as unknown as without an answer.
 */
const AWAY_CODES = new Set([1, 6, 7, 50, 64, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031]);

/** The store did not answer, cannot be reached, or says that it cannot now: the caller may try again later. */
export function isStoreAway(error: unknown): boolean {
  if (error instanceof mongoose.mongo.MongoServerError && AWAY_CODES.has(Number(error.code))) return true;
  const { name = '', message } = (error ?? {}) as { name?: string; message?: string };
  return AWAY_NAMES.has(name) || message?.includes('before initial connection') === true;
}
