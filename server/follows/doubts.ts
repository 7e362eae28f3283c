import { Schema, type Connection, type Model } from 'mongoose';
import { isDuplicate, model } from '../platform/mongo.js';

/**
 * What is not settled about a deed (LEDGER 4). `asked`: one definite no. `held`: a yes, which outdates every no asked before it.
 * `lost`: two no, the even turn is being settled. `waiting`, `due`: a give above a limit, and its time come.
 */
export type DoubtState = 'asked' | 'held' | 'lost' | 'waiting' | 'due';
export interface DoubtRecord {
  _id: string;
  fan: string;
  network: string;
  deed: string;
  turn: number;
  state: DoubtState;
  askedAt: Date | null;
  yesAt: Date | null;
  notBefore: Date | null;
  /** What a waiting give was decided under, to be checked again. */
  wish: {
    account: string;
    accountRecord: string;
    epoch: number;
    athlete: string;
    disciplines: string[];
    card: string;
    link: string | null;
    cause: string;
  } | null;
  expires: Date | null;
}
const schema = new Schema<DoubtRecord>({
  _id: String,
  fan: String,
  network: String,
  deed: String,
  turn: Number,
  state: String,
  askedAt: Date,
  yesAt: Date,
  notBefore: Date,
  wish: Schema.Types.Mixed,
  expires: Date,
});
schema.index({ fan: 1, network: 1 });
schema.index({ state: 1, notBefore: 1 });
schema.index({ state: 1, askedAt: 1 });
schema.index({ expires: 1 }, { expireAfterSeconds: 0 });

const HELD_MS = 3 * 86_400_000;
const idOf = (fan: string, deed: string): string => `${fan}|${deed}`;

/** Doubts, one a fan and deed. Every change is a compare-and-set made before the ledger is called. */
export class Doubts {
  private readonly records: Model<DoubtRecord>;

  /** @param patience ms between a first and a second no that together count */
  constructor(
    connection: Connection,
    readonly patience: number,
  ) {
    this.records = model(connection, 'Doubt', schema, 'doubts');
  }

  /**
   * A definite no about a held deed whose last turn is `held`. Answers true when it is the second one, asked late enough after the
   * first and after any yes: the doubt is `lost` then, and the even turn may be settled.
   */
  async no(fan: string, network: string, deed: string, held: number, askedAt: Date): Promise<boolean> {
    const _id = idOf(fan, deed);
    const turn = held + 1;
    const lost = await this.records
      .findOneAndUpdate({ _id, turn, state: 'asked', askedAt: { $lte: new Date(askedAt.getTime() - this.patience) } }, { $set: { state: 'lost' } })
      .lean();
    if (lost) return true;
    if (await this.records.exists({ _id, turn, state: 'lost' })) return true;
    const fresh = { fan, network, deed, turn, state: 'asked' as const, askedAt, notBefore: null, wish: null, expires: null };
    // A first no about this turn; a yes asked at or after it outdates it.
    const reused = await this.records.updateOne(
      {
        _id,
        $or: [
          { turn: { $ne: turn }, state: { $in: ['asked', 'held', 'lost'] } },
          { state: 'held', yesAt: { $lt: askedAt } },
        ],
      },
      { $set: fresh },
    );
    if (reused.matchedCount > 0) return false;
    try {
      await this.records.create({ _id, ...fresh, yesAt: null });
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
    return false;
  }

  /** A yes about a deed: an older no is forgotten. */
  async yes(fan: string, deed: string, askedAt: Date): Promise<void> {
    await this.records.updateOne(
      { _id: idOf(fan, deed), state: 'asked', askedAt: { $lte: askedAt } },
      { $set: { state: 'held', yesAt: askedAt, expires: new Date(askedAt.getTime() + HELD_MS) } },
    );
    await this.records.updateOne(
      { _id: idOf(fan, deed), state: 'held', yesAt: { $lt: askedAt } },
      { $set: { yesAt: askedAt, expires: new Date(askedAt.getTime() + HELD_MS) } },
    );
  }

  /** A give that a limit holds back until `notBefore`. */
  async wait(fan: string, network: string, deed: string, turn: number, notBefore: Date, wish: NonNullable<DoubtRecord['wish']>): Promise<void> {
    await this.records
      .updateOne(
        { _id: idOf(fan, deed), state: { $ne: 'due' } },
        { $set: { fan, network, deed, turn, state: 'waiting', notBefore, wish, askedAt: null, yesAt: null, expires: null } },
        { upsert: true },
      )
      .catch((error: unknown) => {
        if (!isDuplicate(error)) throw error;
      });
  }

  /** Waiting gives whose time has come, each made `due` by this call alone. */
  async claimDue(now: Date, limit: number): Promise<DoubtRecord[]> {
    const claimed: DoubtRecord[] = [];
    // `due` ones are of a process that died between the two steps: settling again is safe.
    for (const one of await this.records
      .find({ state: { $in: ['waiting', 'due'] }, notBefore: { $lte: now } })
      .limit(limit)
      .lean<DoubtRecord[]>()) {
      const due = await this.records
        .findOneAndUpdate({ _id: one._id, turn: one.turn, state: one.state }, { $set: { state: 'due' } }, { returnDocument: 'after' })
        .lean<DoubtRecord>();
      if (due) claimed.push(due);
    }
    return claimed;
  }

  /** An undo takes a give back that still waits; one that is `due` is not touched. Answers whether one was taken. */
  async cancelWaiting(fan: string, deed: string): Promise<boolean> {
    return (await this.records.deleteOne({ _id: idOf(fan, deed), state: 'waiting' })).deletedCount === 1;
  }

  async find(fan: string, deed: string): Promise<DoubtRecord | null> {
    return this.records.findById(idOf(fan, deed)).lean<DoubtRecord>();
  }

  /** What was settled is no doubt any more. */
  async settled(fan: string, deed: string, turn: number): Promise<void> {
    await this.records.deleteOne({ _id: idOf(fan, deed), turn, state: { $in: ['lost', 'due'] } });
  }

  /** First no's that are old enough to be asked about again, and losses that a dead process did not settle. */
  async ripe(now: Date, limit: number): Promise<DoubtRecord[]> {
    const before = new Date(now.getTime() - this.patience);
    return this.records
      .find({ state: { $in: ['asked', 'lost'] }, askedAt: { $lte: before } })
      .sort({ askedAt: 1 })
      .limit(limit)
      .lean<DoubtRecord[]>();
  }
}
