import { Schema, type AnyBulkWriteOperation, type Connection, type Model } from 'mongoose';
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

/** When a network was asked about a deed, and the turn the deed is held at. */
export interface Heard {
  turn: number;
  askedAt: Date;
}

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
   * Definite no's of one asking about held deeds. Answers the deeds for which this is the second no,
   * asked late enough after the first and after any yes: their doubt is `lost` now, and the even turn may be settled.
   */
  async no(fan: string, network: string, held: ReadonlyMap<string, Heard>): Promise<Set<string>> {
    if (held.size === 0) return new Set();
    await this.change(
      [...held].flatMap(([deed, { turn: at, askedAt }]) => {
        const fresh = { fan, network, state: 'asked' as const, askedAt, notBefore: null, wish: null, expires: null };
        const ripe = new Date(askedAt.getTime() - this.patience);
        const _id = idOf(fan, deed);
        const turn = at + 1;
        return [
          { updateOne: { filter: { _id, turn, state: 'asked', askedAt: { $lte: ripe } }, update: { $set: { state: 'lost' } } } },
          {
            // A first no about this turn; a yes asked at or after it outdates it, and one that waits for its day is left alone.
            updateOne: {
              filter: {
                _id,
                $or: [
                  { turn: { $ne: turn }, state: { $in: ['asked', 'held', 'lost'] } },
                  { state: 'held', yesAt: { $lt: askedAt } },
                ],
              },
              update: { $set: { ...fresh, deed, turn }, $setOnInsert: { yesAt: null } },
              upsert: true,
            },
          },
        ];
      }),
    );
    const lost = await this.records.find({ _id: { $in: [...held.keys()].map((deed) => idOf(fan, deed)) }, state: 'lost' }).lean<DoubtRecord[]>();
    return new Set(lost.filter((one) => one.turn === (held.get(one.deed)?.turn ?? 0) + 1).map((one) => one.deed));
  }

  /** Yeses of one asking about held deeds: every no asked before them is outdated. */
  async yes(fan: string, network: string, held: ReadonlyMap<string, Heard>): Promise<void> {
    if (held.size === 0) return;
    await this.change(
      [...held].map(([deed, { turn, askedAt }]) => ({
        updateOne: {
          filter: {
            _id: idOf(fan, deed),
            $or: [
              { state: 'asked', askedAt: { $lte: askedAt } },
              { state: 'held', yesAt: { $lt: askedAt } },
            ],
          },
          update: {
            $set: { state: 'held', yesAt: askedAt, expires: new Date(askedAt.getTime() + HELD_MS), turn: turn + 1 },
            $setOnInsert: { fan, network, deed, askedAt: null, notBefore: null, wish: null },
          },
          upsert: true,
        },
      })),
    );
  }

  /** Compare-and-sets in one round trip; an upsert that a doubt in another state refuses has nothing to do. */
  private async change(operations: AnyBulkWriteOperation<DoubtRecord>[]): Promise<void> {
    await this.records.collection.bulkWrite(operations as never[], { ordered: false }).catch((error: unknown) => {
      if (!isDuplicate(error)) throw error;
    });
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
