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
 * Scores of one update statement. A store commits each statement by itself, so one of 32 scores
 * takes a fourth of the time of 32 of one; with more, each score is searched for too long.
 */
const SCORES_PER_UPDATE = 32;
/**
 * One update statement that moves scores which exist already, each to what it is to be, unless the
 * stored one is newer.
 */
function moveOf(scores: ScoreRecord[]): Update {
  const fans = scores.map(({ _id }) => _id);
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

/** The scores of all fans, as they are stored. */
export class Scores {
  private readonly records: Model<ScoreRecord>;

  constructor(connection: Connection) {
    this.records = model(connection, 'Score', schema, 'scores');
  }

  /** Reads up to which entry each fan's score goes; fans without one are absent. */
  async seqs(fans: string[]): Promise<Map<string, number>> {
    const found = await this.records.collection
      .find<ScoreRecord>(
        { _id: fans.length === 1 ? (fans[0] as never) : { $in: fans as never[] } },
        { projection: { seq: 1 } },
      )
      .toArray();
    return new Map(found.map(({ _id, seq }) => [_id, seq]));
  }

  /** Reads the scores of these fans; fans without one are absent. */
  async byFans(fans: string[]): Promise<Map<string, ScoreRecord>> {
    if (fans.length === 0) return new Map();
    const found = await this.records.collection
      .find<ScoreRecord>({ _id: fans.length === 1 ? (fans[0] as never) : { $in: fans as never[] } })
      .toArray();
    return new Map(found.map((score) => [score._id, score]));
  }

  /**
   * Writes scores where they are newer than what is stored: inserts for fans who had none, else
   * compare-and-set on `seq`. The standing of a stored score is left alone: only `restand` changes
   * it, which knows which standing is newer.
   */
  async write(scores: ScoreRecord[]): Promise<void> {
    const first = scores.filter(({ seq }) => seq === 1);
    const moved = scores.filter(({ seq }) => seq !== 1);
    if (first.length > 0)
      for (const index of await insertAll(this.records, first, false))
        moved.push(first[index] as ScoreRecord);
    if (moved.length === 0) return;
    const updates = [...inPieces(moved, SCORES_PER_UPDATE)].map(moveOf);
    if ((await updateAll(this.records, updates)) === moved.length) return;
    // Some fans had no score yet. Where `_id` refuses the upsert a newer score has come meanwhile,
    // and nothing is left to do.
    await updateAll(
      this.records,
      moved.map(({ _id, seq, after, standing }) => ({
        q: { _id, seq: { $lte: seq } },
        u: { $set: { seq, after }, $setOnInsert: { standing } },
        upsert: true,
      })),
    );
  }

  /** Gives these standings to the scores whose standing is older. */
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
   * Reads every score, as a stream. Whole records: with a projection SecantusDB holds all million
   * of them before it answers the first.
   */
  all(): AsyncIterable<ScoreRecord> {
    return this.records.collection.find<ScoreRecord>({}, { batchSize: 2000 });
  }
}
