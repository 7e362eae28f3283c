import { Schema, type Connection, type Model } from 'mongoose';
import type { NetworkId } from '../networks/network.js';
import { isDuplicate, model, updater, type Update } from '../platform/mongo.js';
import { inPieces } from '../platform/pieces.js';

/**
 * What is not settled about a deed (LEDGER 4). `asked`: one definite no. `held`: a yes, which
 * outdates every no asked before it. `lost`: two no, the even turn is being settled. `waiting`,
 * `due`: a give above a limit, and its time come.
 */
export type DoubtState = 'asked' | 'held' | 'lost' | 'waiting' | 'due';
export interface DoubtRecord {
  _id: string;
  fan: string;
  network: string;
  deed: string;
  /**
   * The turn that is doubted or waited for. A doubt ends with its turn: once the ledger has it,
   * there is nothing to doubt.
   */
  turn: number;
  state: DoubtState;
  /**
   * When the network was asked for the first no, for a `lost` one for the second. Measures the
   * patience, orders nothing.
   */
  askedAt: Date | null;
  /**
   * The askings (`AskLease.round`) of the first no and of the last yes: what came first, whatever
   * clocks say (RELIABILITY F16).
   */
  noRound: number | null;
  yesRound: number | null;
  /** From when a give may come, or a no is asked about again. */
  notBefore: Date | null;
  /** How often this no was asked about in vain. */
  tries: number;
  /** A give whose time had come was undone meanwhile: the turn after it is settled too. */
  undone: boolean;
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
  noRound: Number,
  yesRound: Number,
  notBefore: Date,
  tries: Number,
  undone: Boolean,
  wish: Schema.Types.Mixed,
  expires: Date,
});
schema.index({ fan: 1, network: 1 });
schema.index({ state: 1, notBefore: 1 });
schema.index({ network: 1, state: 1 });
schema.index({ expires: 1 }, { expireAfterSeconds: 0 });

/**
 * What one asking said of a held deed: the turn it is held at, when the network was asked, and
 * which asking it was.
 */
export interface Heard {
  turn: number;
  askedAt: Date;
  round: number;
}
/** Deeds that may be taken; those that were not taken after all are given back. */
export interface Reserved {
  back(unused: number): Promise<void>;
}
/** Lets so many deeds of a network be taken, all or none: the brake on mass loss. */
export interface Allowance {
  reserve(network: NetworkId, deeds: number): Promise<Reserved | null>;
}

const HELD_MS = 3 * 86_400_000;
/**
 * A first no that nothing was heard about for so long is forgotten: the next asking begins anew.
 */
const STALE_MS = 7 * 86_400_000;
/** What failed is tried again after so long, behind what has waited longer. */
const RETRY_MS = 60_000;
/** Doubts that are claimed at a time. */
const CLAIMED_AT_ONCE = 20;
const idOf = (fan: string, deed: string): string => `${fan}|${deed}`;
/**
 * The doubt of this id in one of these states. Inside an `$and`, because a store that finds an
 * `$or` beside an id may go by the indexes of its branches instead: 5 ms of 5,000 doubts, where the
 * id alone takes 0.6.
 */
const oneOf = (_id: string, states: object[]): object => ({ $and: [{ _id }, { $or: states }] });
/** Older than this asking; also what was written before askings were numbered. */
const before = (round: number): { $not: { $gte: number } } => ({ $not: { $gte: round } });

/**
 * Doubts, one a fan and deed. Every change is a compare-and-set made before the ledger is called.
 */
export class Doubts {
  private readonly records: Model<DoubtRecord>;
  /** Many fans are asked about at once: what is heard of all of them is written together. */
  private readonly heard: (change: Update) => Promise<void>;

  /** @param patience ms between a first and a second no that together count */
  constructor(
    connection: Connection,
    readonly patience: number,
    private readonly allowance: Allowance,
  ) {
    this.records = model(connection, 'Doubt', schema, 'doubts');
    this.heard = updater(this.records);
  }

  /**
   * Definite no's of one asking about held deeds. Answers the deeds for which this is the second
   * no, asked late enough after the first and after any yes, where the brake lets them go: their
   * doubt is `lost` now, and the even turn may be settled. A second no that is not let go stays
   * asked about.
   */
  async no(
    fan: string,
    network: NetworkId,
    denied: ReadonlyMap<string, Heard>,
  ): Promise<Set<string>> {
    if (denied.size === 0) return new Set();
    const ids = [...denied.keys()].map((deed) => idOf(fan, deed));
    const ripe = (
      await this.records.find({ _id: { $in: ids }, state: 'asked' }).lean<DoubtRecord[]>()
    ).filter((one) => {
      const now = denied.get(one.deed);
      return (
        now !== undefined &&
        one.turn === now.turn + 1 &&
        (one.noRound ?? 0) < now.round &&
        one.askedAt !== null &&
        one.askedAt.getTime() <= now.askedAt.getTime() - this.patience
      );
    });
    if (ripe.length > 0) await this.lose(network, ripe, denied);
    const second = new Set(ripe.map((one) => one.deed));
    await this.hear(
      [...denied]
        .filter(([deed]) => !second.has(deed))
        .map(([deed, { turn: at, askedAt, round }]) => {
          const turn = at + 1;
          return {
            // A first no about this turn; a yes of a later asking outdates it, and one that waits
            // for its day is left alone.
            q: oneOf(idOf(fan, deed), [
              {
                turn: { $lt: turn },
                state: { $in: ['asked', 'held', 'lost'] },
                yesRound: before(round),
              },
              { turn, state: 'held', yesRound: before(round) },
            ]),
            u: {
              $set: {
                ...{
                  fan,
                  network,
                  deed,
                  turn,
                  state: 'asked' as const,
                  askedAt,
                  noRound: round,
                  tries: 0,
                  undone: false,
                  wish: null,
                },
                notBefore: new Date(askedAt.getTime() + this.patience),
                expires: new Date(askedAt.getTime() + STALE_MS),
              },
              $setOnInsert: { yesRound: null },
            },
            upsert: true,
          };
        }),
    );
    const lost = await this.records
      .find({ _id: { $in: ids }, state: 'lost' })
      .lean<DoubtRecord[]>();
    return new Set(
      lost
        .filter((one) => one.turn === (denied.get(one.deed)?.turn ?? 0) + 1)
        .map((one) => one.deed),
    );
  }

  /** Second no's: lost if the brake lets them go, else kept as ripe as they are. */
  private async lose(
    network: NetworkId,
    ripe: DoubtRecord[],
    denied: ReadonlyMap<string, Heard>,
  ): Promise<void> {
    const allowed = await this.allowance.reserve(network, ripe.length);
    const { modifiedCount: changed } = await this.records.collection.bulkWrite(
      ripe.map(({ _id, deed, turn, noRound }) => {
        const askedAt = denied.get(deed)?.askedAt ?? null;
        const still = { _id, turn, state: 'asked' as const, noRound: noRound ?? null };
        if (allowed)
          return {
            updateOne: {
              filter: still,
              update: { $set: { state: 'lost', askedAt, notBefore: null, expires: null } },
            },
          };
        return {
          updateOne: {
            filter: still,
            update: { $set: { expires: new Date((askedAt?.getTime() ?? 0) + STALE_MS) } },
          },
        };
      }) as never[],
      { ordered: false },
    );
    if (allowed && changed < ripe.length) await allowed.back(ripe.length - changed);
  }

  /** Yeses of one asking about held deeds: every no asked before them is outdated. */
  async yes(fan: string, network: string, held: ReadonlyMap<string, Heard>): Promise<void> {
    if (held.size === 0) return;
    await this.hear(
      [...held].map(([deed, { turn: at, askedAt, round }]) => ({
        q: oneOf(idOf(fan, deed), [
          { turn: { $lte: at + 1 }, state: 'asked', noRound: before(round) },
          { turn: { $lte: at + 1 }, state: 'held', yesRound: before(round) },
          { turn: { $lt: at + 1 }, state: 'lost' },
        ]),
        u: {
          $set: {
            ...{ state: 'held', yesRound: round, turn: at + 1, tries: 0, notBefore: null },
            expires: new Date(askedAt.getTime() + HELD_MS),
          },
          $setOnInsert: {
            fan,
            network,
            deed,
            askedAt: null,
            noRound: null,
            undone: false,
            wish: null,
          },
        },
        upsert: true,
      })),
    );
  }

  /** Compare-and-sets; one that a doubt in another state refuses has nothing to do. */
  private async hear(changes: Update[]): Promise<void> {
    await Promise.all(changes.map(this.heard));
  }

  /**
   * A give that a limit holds back until `notBefore`. One whose time has come is not held back
   * again, unless it is of an earlier turn.
   */
  async wait(
    fan: string,
    network: string,
    deed: string,
    turn: number,
    notBefore: Date,
    wish: NonNullable<DoubtRecord['wish']>,
  ): Promise<void> {
    const fresh = {
      ...{ askedAt: null, noRound: null, yesRound: null, tries: 0, undone: false, expires: null },
      wish,
    };
    await this.records
      .updateOne(
        oneOf(idOf(fan, deed), [{ state: { $ne: 'due' } }, { turn: { $lt: turn } }]),
        { $set: { fan, network, deed, turn, state: 'waiting', notBefore, ...fresh } },
        { upsert: true },
      )
      .catch((error: unknown) => {
        if (!isDuplicate(error)) throw error;
      });
  }

  /**
   * Waiting gives whose time has come, each made `due` by this call alone, those that have waited
   * longest first.
   */
  async claimDue(now: Date, limit: number): Promise<DoubtRecord[]> {
    // `due` ones are of a process that died between the two steps: settling again is safe.
    return this.claim(
      { state: { $in: ['waiting', 'due'] }, notBefore: { $lte: now } },
      limit,
      () => ({
        $set: { state: 'due', notBefore: new Date(now.getTime() + RETRY_MS) },
      }),
    );
  }

  /** Losses that a dead process did not settle. */
  async claimLost(now: Date, limit: number): Promise<DoubtRecord[]> {
    return this.claim({ state: 'lost', notBefore: { $not: { $gt: now } } }, limit, () => ({
      $set: { notBefore: new Date(now.getTime() + RETRY_MS) },
    }));
  }

  /**
   * First no's that are old enough to be asked about again, the longest due first; those of the
   * networks `except` are left. Whatever comes of it, each is due again later and later: none is
   * asked about more than some twenty times before it is forgotten, none keeps others waiting.
   */
  async claimRipe(now: Date, limit: number, except: string[] = []): Promise<DoubtRecord[]> {
    return this.claim(
      { state: 'asked', network: { $nin: except }, notBefore: { $not: { $gt: now } } },
      limit,
      ({ tries }) => ({
        $set: {
          notBefore: new Date(
            now.getTime() +
              Math.min(this.patience, (this.patience / 12) * 2 ** Math.min(tries ?? 0, 10)),
          ),
        },
        $inc: { tries: 1 },
      }),
    );
  }

  private async claim(
    filter: object,
    limit: number,
    update: (one: DoubtRecord) => object,
  ): Promise<DoubtRecord[]> {
    const claimed: (DoubtRecord | null)[] = [];
    const found = await this.records
      .find(filter)
      .sort({ notBefore: 1 })
      .limit(limit)
      .lean<DoubtRecord[]>();
    for (const piece of inPieces(found, CLAIMED_AT_ONCE)) {
      const some = piece.map((one) => {
        const { _id, turn, state } = one;
        return this.records
          .findOneAndUpdate({ _id, turn, state, notBefore: one.notBefore ?? null }, update(one), {
            returnDocument: 'after',
          })
          .lean<DoubtRecord | null>();
      });
      claimed.push(...(await Promise.all(some)));
    }
    return claimed.filter((one) => one !== null);
  }

  /** A due give that a limit holds back again (a clock was set back over midnight): it waits on. */
  async waitOn({ _id, turn }: DoubtRecord, notBefore: Date): Promise<void> {
    await this.records.updateOne(
      { _id, turn, state: 'due', undone: { $ne: true } },
      { $set: { state: 'waiting', notBefore } },
    );
  }

  /**
   * An undo of a deed that is not held: a give that still waits is taken off (`cancelled`); one
   * that is due is marked, and answered, for the turn after it to be settled too; null when there
   * is neither.
   */
  async undo(fan: string, deed: string): Promise<'cancelled' | DoubtRecord | null> {
    const _id = idOf(fan, deed);
    if ((await this.records.deleteOne({ _id, state: 'waiting' })).deletedCount === 1)
      return 'cancelled';
    return this.records
      .findOneAndUpdate(
        { _id, state: 'due' },
        { $set: { undone: true } },
        { returnDocument: 'after' },
      )
      .lean<DoubtRecord | null>();
  }

  /** An undone give of a deed whose two turns may not be settled yet. */
  async undone(fan: string, deed: string): Promise<DoubtRecord | null> {
    return this.records
      .findOne({ _id: idOf(fan, deed), state: 'due', undone: true })
      .lean<DoubtRecord | null>();
  }

  /**
   * What was settled is no doubt any more. Answers false for a give that was undone meanwhile: the
   * turn after it is to be settled.
   */
  async settled(
    { fan, deed, turn }: Pick<DoubtRecord, 'fan' | 'deed' | 'turn'>,
    withUndo = false,
  ): Promise<boolean> {
    const done = { _id: idOf(fan, deed), turn, state: { $in: ['lost' as const, 'due' as const] } };
    if (
      (await this.records.deleteOne(withUndo ? done : { ...done, undone: { $ne: true } }))
        .deletedCount === 1
    )
      return true;
    return withUndo || (await this.records.exists({ ...done, undone: true })) === null;
  }

  /**
   * The ledger has this turn of a deed, or nobody can be asked about it: what was doubted up to it
   * is no doubt any more.
   */
  async ended(fan: string, deed: string, turn: number): Promise<void> {
    await this.records.deleteOne({
      _id: idOf(fan, deed),
      turn: { $lte: turn },
      state: { $in: ['asked', 'held', 'lost'] },
    });
  }

  /**
   * No's of a network that a second one could make a loss now: how many, of how many fans, and the
   * deeds they are most of.
   */
  async ripeOf(
    network: string,
    now: Date,
  ): Promise<{ deeds: number; fans: number; most: { deed: string; fans: number }[] }> {
    const match = {
      network,
      state: 'asked',
      askedAt: { $lte: new Date(now.getTime() - this.patience) },
    };
    const [[total], most] = await Promise.all([
      this.records.aggregate<{ deeds: number; fans: number }>([
        { $match: match },
        { $group: { _id: '$fan', n: { $sum: 1 } } },
        { $group: { _id: null, fans: { $sum: 1 }, deeds: { $sum: '$n' } } },
      ]),
      this.records.aggregate<{ _id: string; n: number }>([
        { $match: match },
        { $group: { _id: '$deed', n: { $sum: 1 } } },
        { $sort: { n: -1, _id: 1 } },
        { $limit: 5 },
      ]),
    ]);
    return {
      deeds: total?.deeds ?? 0,
      fans: total?.fans ?? 0,
      most: most.map((one) => ({ deed: one._id, fans: one.n })),
    };
  }

  /** The no's of a network that are old enough are asked about again at once: taking goes on. */
  async wake(network: string, now: Date): Promise<void> {
    await this.records.updateMany(
      { network, state: 'asked', tries: { $gt: 0 } },
      { $set: { notBefore: now, tries: 0 } },
    );
  }
}
