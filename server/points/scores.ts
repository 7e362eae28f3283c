import { Schema, type Connection, type Model } from 'mongoose';
import { insertAll, model, updateAll, type Update } from '../platform/mongo.js';
import { inPieces } from '../platform/pieces.js';
import type { After } from './entry.js';
import type { FanStanding } from './needs.js';

/**
 * A copy of a fan's head, and of how the fan stands on boards; caught up from the ledger whenever
 * it is behind. Shard key: `_id`.
 */
export interface ScoreRecord {
  _id: string;
  seq: number;
  after: After;
  standing: FanStanding;
}

const schema = new Schema<ScoreRecord>({
  _id: String,
  seq: Number,
  after: Schema.Types.Mixed,
  standing: { rankable: Boolean, name: String, country: String, revision: Number },
});

/**
 * Scores of one statement: a store commits each, so one of 32 takes a fourth of the time of 32 of
 * one. More only search longer for their own.
 */
const TOGETHER = 32;
/** One statement that moves the scores that are there: each to its own, unless it is newer. */
function moveOf(scores: ScoreRecord[]): Update {
  const fans = scores.map((one) => one._id);
  const to = {
    $arrayElemAt: [
      { $literal: scores.map(({ seq, after }) => ({ seq, after })) },
      { $indexOfArray: [{ $literal: fans }, '$_id'] },
    ],
  };
  const newer = { $gte: ['$to.seq', '$seq'] };
  const moved = {
    seq: { $cond: [newer, '$to.seq', '$seq'] },
    after: { $cond: [newer, '$to.after', '$after'] },
  };
  return {
    q: { _id: { $in: fans } },
    u: [{ $set: { to } }, { $set: moved }, { $unset: 'to' }],
    multi: true,
  };
}

/** The scores as they are stored. */
export class Scores {
  readonly records: Model<ScoreRecord>;

  constructor(connection: Connection) {
    this.records = model(connection, 'Score', schema, 'scores');
  }

  /** How far each fan's score is; fans without one are absent. */
  async seqs(fans: string[]): Promise<Map<string, number>> {
    const found = await this.records.collection
      .find<ScoreRecord>(
        { _id: fans.length === 1 ? (fans[0] as never) : { $in: fans as never[] } },
        { projection: { seq: 1 } },
      )
      .toArray();
    return new Map(found.map((one) => [one._id, one.seq]));
  }

  async byFans(fans: string[]): Promise<Map<string, ScoreRecord>> {
    if (fans.length === 0) return new Map();
    const found = await this.records.collection
      .find<ScoreRecord>({ _id: fans.length === 1 ? (fans[0] as never) : { $in: fans as never[] } })
      .toArray();
    return new Map(found.map((one) => [one._id, one]));
  }

  /**
   * Writes scores where they are newer than what is there: inserts for fans who had none, else
   * compare-and-set on `seq`. The standing of a score that is there is left alone: `restand` alone
   * changes it, and knows which is newer.
   */
  async write(scores: ScoreRecord[]): Promise<void> {
    const fresh = scores.filter((one) => one.seq === 1);
    const moved = scores.filter((one) => one.seq !== 1);
    if (fresh.length > 0)
      for (const at of await insertAll(this.records, fresh, false))
        moved.push(fresh[at] as ScoreRecord);
    if (moved.length === 0) return;
    if (
      (await updateAll(this.records, [...inPieces(moved, TOGETHER)].map(moveOf))) === moved.length
    )
      return;
    // Some had none yet. An upsert refused by `_id`: a newer score is there already, which is what
    // is wanted.
    await updateAll(
      this.records,
      moved.map(({ _id, seq, after, standing }) => ({
        q: { _id, seq: { $lte: seq } },
        u: { $set: { seq, after }, $setOnInsert: { standing } },
        upsert: true,
      })),
    );
  }

  /** Scores whose standing is older than these get them. */
  async restand(standings: ReadonlyMap<string, FanStanding>): Promise<void> {
    if (standings.size === 0) return;
    await updateAll(
      this.records,
      [...standings].map(([_id, standing]) => ({
        q: { _id, 'standing.revision': { $lt: standing.revision } },
        u: { $set: { standing } },
      })),
    );
  }

  /**
   * Every score, as a stream. Whole records: with a projection SecantusDB holds all million of them
   * before it answers the first.
   */
  all(): AsyncIterable<ScoreRecord> {
    return this.records.collection.find<ScoreRecord>({}, { batchSize: 2000 });
  }
}
