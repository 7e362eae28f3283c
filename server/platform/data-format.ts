import type { Connection } from 'mongoose';
import { ConfigError } from '../config.js';

/**
 * Which form of data this version of Village reads and writes. Until the first hub is live, data of
 * another form are refused with a plain line and never migrated; it grows with every change that
 * would make old data read wrongly.
 */
export const DATA_FORMAT = 2;

interface FormatRecord {
  _id: 'village';
  version: number;
}
const COLLECTION = 'data_format';

function refuse(found: string): never {
  throw new ConfigError([
    `the data in this database ${found}, and this version of Village reads form ${DATA_FORMAT}` +
      ' only. They are development data and are not converted: choose another DATA_DIR' +
      ' (npm start), or an empty database (MONGODB_NAME).',
  ]);
}

/**
 * Marks an empty database with our form of data, so that later versions know it. Throws a
 * ConfigError for one that holds data of another form, or of none, which versions before the mark
 * wrote.
 */
export async function claimDataFormat({ db }: Connection): Promise<void> {
  if (!db) throw new Error('not connected');
  const marks = db.collection<FormatRecord>(COLLECTION);
  const read = (): Promise<FormatRecord | null> => marks.findOne({ _id: 'village' });
  let mark = await read();
  if (!mark) {
    const names = await db.listCollections({}, { nameOnly: true }).toArray();
    const isEmpty = names.every(({ name }) => name === COLLECTION);
    if (isEmpty)
      await marks.updateOne(
        { _id: 'village' },
        { $setOnInsert: { version: DATA_FORMAT } },
        { upsert: true },
      );
    // Where it is not empty, another process may have marked it and begun to write since we looked.
    mark = await read();
    if (!mark) refuse('were written by an earlier development version');
  }
  if (mark.version !== DATA_FORMAT) refuse(`have form ${mark.version}`);
}
