import type { Connection, Model } from 'mongoose';
import { BatchLoader } from '../platform/batch-loader.js';
import type { Clock } from '../platform/clock.js';
import { randomId } from '../platform/ids.js';
import { Silence, steadyTime, type Steady } from '../platform/leases.js';
import { updateAll, updater, type Update } from '../platform/mongo.js';
import { checkLeaseModel, type CheckLeaseRecord, type Holding } from './check-lease.model.js';

/** How far a check is: accounts answered, accounts in all, and points awarded. */
export interface Steps {
  done: number;
  total: number;
  awarded: number;
}
/** How far the last check of a fan and network is. */
export interface Progress extends Steps {
  running: boolean;
  /** When it began. */
  at: Date;
}
/** The right to check one fan on one network. */
export interface CheckLease {
  /** The place of this check among all of this fan and network. */
  readonly round: number;
  /** Records how far the check is, and answers whether it still holds the lease. */
  renew(steps: Steps): Promise<boolean>;
  /** Ends the check, and records how far it came. */
  release(steps: Steps): Promise<void>;
}
/** A check that ended half-way. */
export interface AbandonedCheck {
  fan: string;
  network: string;
  holder: string;
  /** The accounts it was about, if they were few. */
  only?: string[];
}

/** How long a check may give no sign of life before another process may take its lease, in ms. */
export const LEASE_MS = 30_000;
/** How often a process that waits for a lease looks whether it is free. */
const LOOK_MS = 60;
/**
 * How far the clocks of two processes may be apart, or a clock be set back, without a lease being
 * taken from the living (RELIABILITY F16).
 */
const SKEW_MS = 70 * 60_000;
/** Accounts of a check that is remembered account by account. */
const FEW = 10;

/** Somebody who wants a lease: `holder` is theirs alone. */
interface Claim {
  _id: string;
  holder: string;
  about: string[] | null;
}
const HOLDING = { holder: 1, beat: 1, round: 1 } as const;
const leaseId = (fan: string, network: string): string => `${fan}|${network}`;

/**
 * One check at a time a fan and network, over all processes (LEDGER 4). Many fans are checked at
 * once, so what is said about leases goes to the store together: a few commands for all checks that
 * begin, go on and end within one round trip.
 */
export class CheckLeases {
  private readonly records: Model<CheckLeaseRecord>;
  private readonly silence: Silence;
  private readonly claims: BatchLoader<Holding, Claim>;
  private readonly holders: BatchLoader<Holding>;
  private readonly write: (change: Update) => Promise<void>;

  constructor(
    connection: Connection,
    private readonly clock: Clock,
    private readonly steady: Steady = steadyTime,
  ) {
    this.records = checkLeaseModel(connection);
    this.silence = new Silence(steady);
    this.claims = new BatchLoader((claims) => this.claim(claims));
    this.holders = new BatchLoader((ids) => this.heldBy(ids));
    this.write = updater(this.records);
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
  ): Promise<CheckLease | null> {
    const end = performance.now() + patience;
    const about = accounts.length <= FEW ? accounts : null;
    for (;;) {
      const lease = await this.tryTake({ _id: leaseId(fan, network), holder: randomId(), about });
      if (lease) return lease;
      if (performance.now() >= end) return null;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  private async tryTake(claim: Claim): Promise<CheckLease | null> {
    const { _id, holder } = claim;
    let takenAt = this.steady();
    let held = await this.claims.load(claim);
    if (held && this.isSilent(held, holder)) {
      takenAt = this.steady();
      held = await this.takeOver(held, claim);
    }
    // A store that is going away may answer nothing at all: then nobody has the lease.
    if (held?.holder !== holder) return null;
    return {
      round: held.round,
      renew: this.renewal(claim, takenAt),
      release: (steps) =>
        this.write({
          q: { _id, holder },
          u: { $set: { holder: null, until: new Date(0), ...steps } },
        }),
    };
  }

  /** Whether somebody else holds a lease and has given no sign of life for its time. */
  private isSilent({ _id, holder, beat }: Holding, me: string): boolean {
    return (
      holder !== me && holder !== null && this.silence.over(_id, `${holder}|${beat}`, LEASE_MS)
    );
  }

  private takeOver({ _id, holder, beat }: Holding, claim: Claim): Promise<Holding | null> {
    return this.records
      .findOneAndUpdate({ _id, holder, beat }, this.taking(claim), {
        returnDocument: 'after',
        projection: HOLDING,
      })
      .lean<Holding | null>()
      .catch((error: unknown) => {
        this.giveBack([claim]);
        throw error;
      });
  }

  /**
   * Renews a lease that was last taken or renewed at `since`. A short check is over soon, and
   * nobody looks how far it is: while it is young, also when the answer comes, it is enough to read
   * that nobody took it over, which costs the store far less than a write.
   */
  private renewal({ _id, holder, about }: Claim, since: number): CheckLease['renew'] {
    let renewedAt = since;
    const isYoung = (): boolean => this.steady() - renewedAt < LEASE_MS / 3;
    return async (steps) => {
      if (about && isYoung()) {
        const isMine = (await this.holders.load(_id))?.holder === holder;
        if (!isMine || isYoung()) return isMine;
      }
      renewedAt = this.steady();
      const { matchedCount } = await this.records.updateOne(
        { _id, holder },
        { $set: { until: this.end(), ...steps }, $inc: { beat: 1 } },
      );
      return matchedCount === 1;
    };
  }

  private end(): Date {
    return new Date(this.clock.now().getTime() + LEASE_MS);
  }

  /** What makes a lease the one of this holder, and a new check begin. */
  private taking({ holder, about }: Claim): object {
    return {
      $set: {
        holder,
        askedAt: this.clock.now(),
        until: this.end(),
        done: 0,
        total: 0,
        awarded: 0,
        about,
        chased: false,
      },
      $inc: { round: 1, beat: 1 },
    };
  }

  /**
   * Takes what is free: released, which put `until` to the beginning of time, or left so long ago
   * that no two clocks can disagree about it. Answers who holds each lease now.
   */
  private async claim(claims: Claim[]): Promise<Map<Claim, Holding>> {
    const before = new Date(this.clock.now().getTime() - SKEW_MS);
    let held: Map<string, Holding>;
    try {
      await updateAll(
        this.records,
        claims.map((claim) => ({
          q: { _id: claim._id, until: { $lte: before } },
          u: this.taking(claim),
          upsert: true,
        })),
      );
      held = await this.heldBy(claims.map(({ _id }) => _id));
    } catch (error) {
      // Whoever is told nothing checks nothing: a lease that was taken for them all the same would
      // only keep others waiting.
      this.giveBack(claims);
      throw error;
    }
    return new Map(
      claims.flatMap((claim) => {
        const holding = held.get(claim._id);
        return holding ? [[claim, holding] as const] : [];
      }),
    );
  }

  /**
   * Gives back what may have been taken for these claims without their being told. Nobody waits for
   * it: where the store is away, leases end by themselves.
   */
  private giveBack(claims: Claim[]): void {
    const mine = {
      _id: { $in: claims.map(({ _id }) => _id) },
      holder: { $in: claims.map(({ holder }) => holder) },
    };
    this.records
      .updateMany(mine, { $set: { holder: null, until: new Date(0) } })
      .catch(() => undefined);
  }

  private async heldBy(ids: string[]): Promise<Map<string, Holding>> {
    const found = this.records.collection.find<Holding>(
      { _id: { $in: ids } as never },
      { projection: HOLDING, readConcern: { level: 'majority' } },
    );
    return new Map((await found.toArray()).map((holding) => [holding._id, holding]));
  }

  /**
   * Checks whose process died between the question and what its answer means for the ledger: nobody
   * was told, so nobody else repeats them. Each is answered until `markChased`; one that lives
   * after all is only made a second time.
   */
  async abandoned(limit: number): Promise<AbandonedCheck[]> {
    const before = new Date(this.clock.now().getTime() - LEASE_MS);
    const found = await this.records
      .find({ holder: { $gt: '' }, until: { $lte: before }, chased: { $ne: true } })
      .limit(limit)
      .lean<CheckLeaseRecord[]>();
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

  /** Notes that the job which repeats an abandoned check is stored. */
  async markChased({ fan, network, holder }: AbandonedCheck): Promise<void> {
    await this.records.updateOne(
      { _id: leaseId(fan, network), holder },
      { $set: { chased: true } },
    );
  }

  /** How far the last long check of a fan and network is; null when there was none. */
  async progress(fan: string, network: string): Promise<Progress | null> {
    const lease = await this.records.findById(leaseId(fan, network)).lean();
    if (!lease || lease.total === 0) return null;
    const { done, total, awarded, askedAt: at, holder, until } = lease;
    return { done, total, awarded, running: holder !== null && until > this.clock.now(), at };
  }
}
