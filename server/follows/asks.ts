import { Schema, type Connection, type Model } from 'mongoose';
import { BatchLoader } from '../platform/batch-loader.js';
import type { Clock } from '../platform/clock.js';
import { randomId } from '../platform/ids.js';
import { Silence, steadyTime, type Steady } from '../platform/leases.js';
import { model, updateAll, updater, type Update } from '../platform/mongo.js';

/**
 * The right to ask one network about one fan, and how far a long asking is. `_id` = fan and
 * network.
 */
interface AskRecord {
  _id: string;
  holder: string | null;
  /** Grows at each renewal: a sign of life that no clock can spoil. */
  beat: number;
  /**
   * Grows with each asking: what an asking heard is older than what a later one heard, whatever the
   * clocks said.
   */
  round: number;
  askedAt: Date;
  until: Date;
  done: number;
  total: number;
  awarded: number;
  /**
   * The accounts of a short asking; null for a long one. Whoever finds an asking that ended
   * half-way asks about them again.
   */
  about: string[] | null;
  /** An asking that ended half-way is asked again already. */
  chased: boolean;
}
const schema = new Schema<AskRecord>({
  _id: String,
  holder: String,
  beat: Number,
  round: Number,
  askedAt: Date,
  until: Date,
  done: Number,
  total: Number,
  awarded: Number,
  about: [String],
  chased: Boolean,
});
schema.index({ holder: 1 });

export interface Progress {
  done: number;
  total: number;
  awarded: number;
  running: boolean;
  at: Date;
}
type Steps = Pick<Progress, 'done' | 'total' | 'awarded'>;
export interface AskLease {
  /** The place of this asking among all of this fan and network. */
  readonly round: number;
  /** Whether this asking still holds the lease; says how far it is, and that it lives. */
  renew(progress: Steps): Promise<boolean>;
  /** Ends the asking; says how far it came. */
  release(progress: Steps): Promise<void>;
}

/**
 * An asking that ended half-way: by whom it was made, and about which accounts if they were few.
 */
export interface Abandoned {
  fan: string;
  network: string;
  holder: string;
  only?: string[];
}

/** How long an asking may be silent before another process may ask. */
export const LEASE_MS = 30_000;
const LOOK_MS = 60;
/**
 * How far the clocks of two processes may be apart, and a clock be set back, without one asking
 * beside another (RELIABILITY F16).
 */
const SKEW_MS = 70 * 60_000;
/** Accounts of an asking that is remembered account by account. */
const FEW = 10;

/** Somebody who wants to ask: `holder` is theirs alone. */
interface Claim {
  _id: string;
  holder: string;
  about: string[] | null;
}
type Held = Pick<AskRecord, '_id' | 'holder' | 'beat' | 'round'>;

/**
 * One asking at a time a fan and network, over all processes (LEDGER 4). Many fans are asked about
 * at once, so what is said about leases goes to the store together: a few commands for all that
 * begin, go on and end within one round trip.
 */
export class Asks {
  private readonly records: Model<AskRecord>;
  private readonly silence: Silence;
  private readonly claims: BatchLoader<Held, Claim>;
  private readonly holders: BatchLoader<Held>;
  private readonly change: (change: Update) => Promise<void>;

  constructor(
    connection: Connection,
    private readonly clock: Clock,
    private readonly steady: Steady = steadyTime,
  ) {
    this.records = model(connection, 'Ask', schema, 'asks');
    this.silence = new Silence(steady);
    this.claims = new BatchLoader((claims) => this.claim(claims));
    this.holders = new BatchLoader((ids) => this.heldBy(ids));
    this.change = updater(this.records);
  }

  private static id(fan: string, network: string): string {
    return `${fan}|${network}`;
  }

  /** What makes an asking the one of this holder. */
  private taking({ holder, about }: Claim): object {
    const now = this.clock.now();
    const until = new Date(now.getTime() + LEASE_MS);
    return {
      $set: { holder, askedAt: now, until, done: 0, total: 0, awarded: 0, about, chased: false },
      $inc: { round: 1, beat: 1 },
    };
  }

  /**
   * Takes what is free: released, which put `until` to the beginning of time, or left so long ago
   * that no two clocks can disagree about it. Answers who holds each now.
   */
  private async claim(claims: Claim[]): Promise<Map<Claim, Held>> {
    const before = new Date(this.clock.now().getTime() - SKEW_MS);
    const ids = claims.map((one) => one._id);
    let held: Map<string, Held>;
    try {
      await updateAll(
        this.records,
        claims.map((one) => ({
          q: { _id: one._id, until: { $lte: before } },
          u: this.taking(one),
          upsert: true,
        })),
      );
      held = await this.heldBy(ids);
    } catch (error) {
      // Whoever was told nothing asks nobody: what was taken for them all the same would only keep
      // others waiting.
      this.giveBack(claims);
      throw error;
    }
    return new Map(
      claims.flatMap((one) => {
        const now = held.get(one._id);
        return now ? [[one, now] as const] : [];
      }),
    );
  }

  /**
   * Gives back what these may have taken without being told. Nobody waits for it: where the store
   * is away, leases end by themselves.
   */
  private giveBack(claims: Claim[]): void {
    const mine = {
      _id: { $in: claims.map((one) => one._id) },
      holder: { $in: claims.map((one) => one.holder) },
    };
    this.records
      .updateMany(mine, { $set: { holder: null, until: new Date(0) } })
      .catch(() => undefined);
  }

  private async heldBy(ids: string[]): Promise<Map<string, Held>> {
    const found = this.records.collection.find<Held>(
      { _id: { $in: ids } as never },
      { projection: { holder: 1, beat: 1, round: 1 }, readConcern: { level: 'majority' } },
    );
    return new Map((await found.toArray()).map((one) => [one._id, one]));
  }

  private async tryTake(
    fan: string,
    network: string,
    accounts: string[],
  ): Promise<AskLease | null> {
    const _id = Asks.id(fan, network);
    const holder = randomId();
    const claim: Claim = { _id, holder, about: accounts.length <= FEW ? accounts : null };
    let seen = this.steady();
    let held = await this.claims.load(claim);
    if (
      held &&
      held.holder !== holder &&
      held.holder !== null &&
      this.silence.over(_id, `${held.holder}|${held.beat}`, LEASE_MS)
    ) {
      const { holder: gone, beat } = held;
      seen = this.steady();
      held = await this.records
        .findOneAndUpdate({ _id, holder: gone, beat }, this.taking(claim), {
          returnDocument: 'after',
          projection: { holder: 1, beat: 1, round: 1 },
        })
        .lean<Held | null>()
        .catch((error: unknown) => {
          this.giveBack([claim]);
          throw error;
        });
    }
    // A store that is going away may answer nothing at all: then nobody has the lease.
    if (held?.holder !== holder) return null;
    const until = (): Date => new Date(this.clock.now().getTime() + LEASE_MS);
    return {
      round: held.round,
      renew: async (progress) => {
        // A short asking is over soon, and nobody looks how far it is: while it is young, also when
        // the answer comes, it is enough to read that nobody took it over, which costs the store
        // far less than a write.
        const young = (): boolean => this.steady() - seen < LEASE_MS / 3;
        if (claim.about && young()) {
          const mine = (await this.holders.load(_id))?.holder === holder;
          if (!mine || young()) return mine;
        }
        seen = this.steady();
        return (
          (
            await this.records.updateOne(
              { _id, holder },
              { $set: { until: until(), ...progress }, $inc: { beat: 1 } },
            )
          ).matchedCount === 1
        );
      },
      release: async (progress) => {
        await this.change({
          q: { _id, holder },
          u: { $set: { holder: null, until: new Date(0), ...progress } },
        });
      },
    };
  }

  /**
   * Takes the lease, waiting up to `patience` real ms for another process to finish; null when that
   * was not enough.
   */
  async take(
    fan: string,
    network: string,
    accounts: string[],
    patience: number,
  ): Promise<AskLease | null> {
    const end = performance.now() + patience;
    for (;;) {
      const lease = await this.tryTake(fan, network, accounts);
      if (lease) return lease;
      if (performance.now() >= end) return null;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /**
   * Askings whose process died between the question and what its answer means for the ledger:
   * nobody was told, so nobody else asks again. Each is answered until somebody says that it is
   * chased; an asking that lives after all is only asked a second time.
   */
  async abandoned(limit: number): Promise<Abandoned[]> {
    const before = new Date(this.clock.now().getTime() - LEASE_MS);
    const found = await this.records
      .find({ holder: { $gt: '' }, until: { $lte: before }, chased: { $ne: true } })
      .limit(limit)
      .lean<AskRecord[]>();
    return found.map(({ _id, holder, about }) => {
      const [fan = '', network = ''] = _id.split('|');
      return {
        fan,
        network,
        holder: holder ?? '',
        ...(about && about.length > 0 ? { only: about } : {}),
      };
    });
  }

  /** The job that asks again is stored: this one is not answered any more. */
  async chased({ fan, network, holder }: Abandoned): Promise<void> {
    await this.records.updateOne(
      { _id: Asks.id(fan, network), holder },
      { $set: { chased: true } },
    );
  }

  /** How far the last long asking is. */
  async progress(fan: string, network: string): Promise<Progress | null> {
    const one = await this.records.findById(Asks.id(fan, network)).lean();
    return one && one.total > 0
      ? {
          done: one.done,
          total: one.total,
          awarded: one.awarded,
          running: one.holder !== null && one.until > this.clock.now(),
          at: one.askedAt,
        }
      : null;
  }
}
