import type { Connection, Model } from 'mongoose';
import type { NetworkId } from '../networks/network.js';
import { isDuplicate, updater, type Update } from '../platform/mongo.js';
import { inPieces } from '../platform/pieces.js';
import { CHANGES, isSecondNo, restAfter, type Heard } from './doubt.js';
import { filterFor } from './doubt-filter.js';
import { doubtModel, type DoubtRecord, type WaitingGive } from './doubt.model.js';
import type { TakeBackLimit } from './take-back-limit.js';

/** What a second no could make a loss now. */
export interface RipeDoubts {
  deeds: number;
  fans: number;
  /** The deeds that most of them are about. */
  most: { deed: string; fans: number }[];
}

/** How long a yes is remembered. */
const HELD_MS = 3 * 86_400_000;
/** A first no that nothing was heard about for so long is forgotten: the next check begins anew. */
const STALE_MS = 7 * 86_400_000;
/** What failed is tried again after this, behind what has waited longer. */
const RETRY_MS = 60_000;
/** Doubts that are claimed at a time. */
const CLAIMED_AT_ONCE = 20;

const idOf = (fan: string, deed: string): string => `${fan}|${deed}`;
const later = (time: Date | null | undefined, ms: number): Date =>
  new Date((time?.getTime() ?? 0) + ms);

/** The doubts of all fans, one a fan and deed. Every change is a compare-and-set. */
export class Doubts {
  private readonly records: Model<DoubtRecord>;
  /** Many fans are checked at once: what is heard of all of them is written together. */
  private readonly write: (change: Update) => Promise<void>;

  /** @param patience ms between a first and a second no that together count */
  constructor(
    connection: Connection,
    readonly patience: number,
    private readonly limit: Pick<TakeBackLimit, 'reserve'>,
  ) {
    this.records = doubtModel(connection);
    this.write = updater(this.records);
  }

  /**
   * Records the definite no's of one check about held deeds. Answers the deeds for which this was
   * the second no and which may be taken back: their doubt is `lost` now, and the even turn is to
   * be settled. A second no that may not take back yet stays one.
   */
  async recordNo(
    fan: string,
    network: NetworkId,
    denied: ReadonlyMap<string, Heard>,
  ): Promise<Set<string>> {
    if (denied.size === 0) return new Set();
    const ids = [...denied.keys()].map((deed) => idOf(fan, deed));
    const asked = await this.records
      .find({ _id: { $in: ids }, state: 'asked' })
      .lean<DoubtRecord[]>();
    const second = asked.filter((doubt) => {
      const heard = denied.get(doubt.deed);
      return heard !== undefined && isSecondNo(doubt, heard, this.patience);
    });
    if (second.length > 0) await this.lose(network, second, denied);
    const decided = new Set(second.map(({ deed }) => deed));
    await this.deny(
      fan,
      network,
      [...denied].filter(([deed]) => !decided.has(deed)),
    );
    const lost = await this.records
      .find({ _id: { $in: ids }, state: 'lost' })
      .lean<DoubtRecord[]>();
    return new Set(
      lost.filter(({ deed, turn }) => turn === denied.get(deed)?.turn).map(({ deed }) => deed),
    );
  }

  /** First no's: the network is asked again when the patience is over. */
  private async deny(fan: string, network: string, denied: [string, Heard][]): Promise<void> {
    await Promise.all(
      denied.map(([deed, { turn, askedAt, round }]) =>
        this.write({
          q: filterFor(idOf(fan, deed), 'deny', { turn, round }),
          u: {
            $set: {
              fan,
              network,
              deed,
              turn,
              state: CHANGES.deny.to,
              askedAt,
              noRound: round,
              tries: 0,
              undone: false,
              command: null,
              notBefore: later(askedAt, this.patience),
              expires: later(askedAt, STALE_MS),
            },
            $setOnInsert: { yesRound: null },
          },
          upsert: true,
        }),
      ),
    );
  }

  /** Second no's: lost if so many deeds may be taken back, else kept as ripe as they are. */
  private async lose(
    network: NetworkId,
    second: DoubtRecord[],
    denied: ReadonlyMap<string, Heard>,
  ): Promise<void> {
    const reservation = await this.limit.reserve(network, second.length);
    const { modifiedCount: changed } = await this.records.collection.bulkWrite(
      second.map(({ _id, deed, turn, state, noRound }) => {
        const askedAt = denied.get(deed)?.askedAt ?? null;
        const change = reservation
          ? { state: CHANGES.lose.to, askedAt, notBefore: null, expires: null }
          : { expires: later(askedAt, STALE_MS) };
        return {
          updateOne: {
            filter: { _id, turn, state, noRound: noRound ?? null },
            update: { $set: change },
          },
        };
      }) as never[],
      { ordered: false },
    );
    if (reservation && changed < second.length) await reservation.giveBack(second.length - changed);
  }

  /** Records the yeses of one check about held deeds: every no of an earlier check is outdated. */
  async recordYes(fan: string, network: string, held: ReadonlyMap<string, Heard>): Promise<void> {
    await Promise.all(
      [...held].map(([deed, { turn, askedAt, round }]) =>
        this.write({
          q: filterFor(idOf(fan, deed), 'confirm', { turn, round }),
          u: {
            $set: {
              state: CHANGES.confirm.to,
              yesRound: round,
              turn,
              tries: 0,
              notBefore: null,
              expires: later(askedAt, HELD_MS),
            },
            $setOnInsert: {
              fan,
              network,
              deed,
              askedAt: null,
              noRound: null,
              undone: false,
              command: null,
            },
          },
          upsert: true,
        }),
      ),
    );
  }

  /** Keeps a give that a limit holds back. */
  async wait({ fan, network, deed, turn, notBefore, command }: WaitingGive): Promise<void> {
    await this.records
      .updateOne(
        filterFor(idOf(fan, deed), 'wait', { turn }),
        {
          $set: {
            fan,
            network,
            deed,
            turn,
            state: CHANGES.wait.to,
            notBefore,
            askedAt: null,
            noRound: null,
            yesRound: null,
            tries: 0,
            undone: false,
            expires: null,
            command,
          },
        },
        { upsert: true },
      )
      .catch((error: unknown) => {
        if (!isDuplicate(error)) throw error;
      });
  }

  /**
   * Makes gives `due` whose day has come, each answered to one caller alone, those that have waited
   * longest first.
   */
  async claimDue(now: Date, limit: number): Promise<DoubtRecord[]> {
    return this.claim(
      { state: { $in: CHANGES.fallDue.from[0].states }, notBefore: { $lte: now } },
      limit,
      () => ({ $set: { state: CHANGES.fallDue.to, notBefore: later(now, RETRY_MS) } }),
    );
  }

  /** Losses that a process left unsettled when it died, each answered to one caller alone. */
  async claimLost(now: Date, limit: number): Promise<DoubtRecord[]> {
    return this.claim({ state: 'lost', notBefore: { $not: { $gt: now } } }, limit, () => ({
      $set: { notBefore: later(now, RETRY_MS) },
    }));
  }

  /**
   * First no's about which the network is to be asked again, each answered to one caller alone, the
   * longest due first; those of the networks `except` are left.
   */
  async claimRipe(now: Date, limit: number, except: string[] = []): Promise<DoubtRecord[]> {
    return this.claim(
      { state: 'asked', network: { $nin: except }, notBefore: { $not: { $gt: now } } },
      limit,
      ({ tries }) => ({
        $set: { notBefore: later(now, restAfter(tries ?? 0, this.patience)) },
        $inc: { tries: 1 },
      }),
    );
  }

  private async claim(
    filter: object,
    limit: number,
    update: (doubt: DoubtRecord) => object,
  ): Promise<DoubtRecord[]> {
    const claimed: (DoubtRecord | null)[] = [];
    const found = await this.records
      .find(filter)
      .sort({ notBefore: 1 })
      .limit(limit)
      .lean<DoubtRecord[]>();
    for (const piece of inPieces(found, CLAIMED_AT_ONCE)) {
      const updates = piece.map((doubt) => {
        const { _id, turn, state, notBefore } = doubt;
        return this.records
          .findOneAndUpdate({ _id, turn, state, notBefore: notBefore ?? null }, update(doubt), {
            returnDocument: 'after',
          })
          .lean<DoubtRecord | null>();
      });
      claimed.push(...(await Promise.all(updates)));
    }
    return claimed.filter((doubt) => doubt !== null);
  }

  /** Lets a due give wait on that a limit holds back again. */
  async postpone({ _id, turn }: DoubtRecord, notBefore: Date): Promise<void> {
    await this.records.updateOne(filterFor(_id, 'postpone', { turn }), {
      $set: { state: CHANGES.postpone.to, notBefore },
    });
  }

  /**
   * Undoes what is not held yet. A give that still waits is taken off (`cancelled`); one that is
   * due is marked, and answered, for the turn after it to be settled too; null if there is neither.
   */
  async undo(fan: string, deed: string): Promise<'cancelled' | DoubtRecord | null> {
    const _id = idOf(fan, deed);
    if ((await this.records.deleteOne(filterFor(_id, 'cancel'))).deletedCount === 1)
      return 'cancelled';
    return this.records
      .findOneAndUpdate(
        filterFor(_id, 'markUndone'),
        { $set: { undone: true } },
        { returnDocument: 'after' },
      )
      .lean<DoubtRecord | null>();
  }

  /** An undone give of a deed whose two turns may not be settled yet. */
  async findUndone(fan: string, deed: string): Promise<DoubtRecord | null> {
    return this.records
      .findOne({ _id: idOf(fan, deed), state: 'due', undone: true })
      .lean<DoubtRecord | null>();
  }

  /**
   * Drops a doubt that is settled. Answers false for a give that was undone meanwhile: the turn
   * after it is to be settled first, and the doubt then dropped `withUndo`.
   */
  async settle({ fan, deed, turn }: DoubtRecord, withUndo = false): Promise<boolean> {
    const _id = idOf(fan, deed);
    const change = withUndo ? 'settleUndone' : 'settle';
    const { deletedCount } = await this.records.deleteOne(filterFor(_id, change, { turn }));
    if (withUndo || deletedCount === 1) return true;
    const undone = { ...filterFor(_id, 'settleUndone', { turn }), undone: true };
    return (await this.records.exists(undone)) === null;
  }

  /**
   * Drops what was in doubt up to this turn: the ledger has the turn, or nobody can be asked about
   * it.
   */
  async end(fan: string, deed: string, turn: number): Promise<void> {
    await this.records.deleteOne(filterFor(idOf(fan, deed), 'end', { turn }));
  }

  /** What of a network a second no could make a loss now. */
  async countRipe(network: string, now: Date): Promise<RipeDoubts> {
    const match = {
      network,
      state: 'asked',
      askedAt: { $lte: later(now, -this.patience) },
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
      most: most.map(({ _id: deed, n: fans }) => ({ deed, fans })),
    };
  }

  /** Makes the no's of a network due again at once: a person lets taking back go on. */
  async wake(network: string, now: Date): Promise<void> {
    await this.records.updateMany(
      { network, state: 'asked', tries: { $gt: 0 } },
      { $set: { notBefore: now, tries: 0 } },
    );
  }
}
