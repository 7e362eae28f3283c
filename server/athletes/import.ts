import type { Model } from 'mongoose';
import type { Readable } from 'node:stream';
import { isDuplicate } from '../platform/mongo.js';
import type { AthleteRecord } from './athlete.model.js';
import { writeBatch, type BatchResult } from './batch.js';
import type { AthleteFacts } from './facts.js';
import { judgeRow } from './import-row.js';
import { readRows, type BadRow } from './rows.js';

/** People of one batch. */
const BATCH = 1000;
/** Bad rows that are listed; further ones are only counted. */
const MOST_BAD = 1000;

/** What became of the rows of a file. */
export interface ImportResult extends BatchResult {
  rows: number;
  bad: BadRow[];
  badCount: number;
}

/** Writes a batch, once more where somebody was added meanwhile who took a slug. */
export async function writeFacts(
  records: Model<AthleteRecord>,
  batch: AthleteFacts[],
  revision: number,
): Promise<BatchResult> {
  try {
    return await writeBatch(records, batch, revision);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    return writeBatch(records, batch, revision);
  }
}

/**
 * Imports a whole file, streaming, a batch at a time. Idempotent: a second run of the same file
 * changes nothing. `nextRevision` gives the revision of each batch; `progress` hears after each.
 */
export async function importRows(
  records: Model<AthleteRecord>,
  source: Readable,
  nextRevision: () => Promise<number>,
  progress: (result: ImportResult) => Promise<void> | void,
): Promise<ImportResult> {
  const result: ImportResult = { rows: 0, added: 0, changed: 0, same: 0, bad: [], badCount: 0 };
  const onBad = (row: BadRow): void => {
    result.badCount += 1;
    result.rows += 1;
    if (result.bad.length < MOST_BAD) result.bad.push(row);
  };
  const write = async (batch: AthleteFacts[]): Promise<void> => {
    const written = await writeFacts(records, batch, await nextRevision());
    result.rows += batch.length;
    result.added += written.added;
    result.changed += written.changed;
    result.same += written.same;
    await progress(result);
  };
  let batch: AthleteFacts[] = [];
  for await (const facts of readRows(source, judgeRow, onBad)) {
    batch.push(facts);
    if (batch.length < BATCH) continue;
    await write(batch);
    batch = [];
  }
  if (batch.length > 0) await write(batch);
  return result;
}
