import { Schema, type Connection, type Model } from 'mongoose';
import type { Clock } from './clock.js';
import { randomId } from './ids.js';
import { isDuplicate, model } from './mongo.js';

interface LeaseRecord {
  _id: string;
  holder: string;
  /** Grows at each renewal: a sign of life that no clock can spoil. */
  beat: number;
  until: Date;
}
const schema = new Schema<LeaseRecord>({ _id: String, holder: String, beat: Number, until: Date });

/** The right to do something alone for a while. */
export interface Lease {
  /** Prolongs the lease; false if somebody else holds it by now. */
  renew(): Promise<boolean>;
  /** Gives the lease back, unless somebody else holds it by now. */
  release(): Promise<void>;
}

/** A monotonic clock, in ms: no step of the system's clock moves it. */
export type Steady = () => number;
/** The monotonic clock of this process. */
export const steadyTime: Steady = () => performance.now();

/** How many marks are remembered. */
const MOST_MARKS = 50_000;

/**
 * Notices holders that give no sign of life for as long as they may hold something. It measures by
 * this process's monotonic clock, so that it is right also when a clock was set back or two
 * processes disagree about the hour (RELIABILITY F16).
 */
export class Silence {
  private readonly seen = new Map<string, { mark: string; since: number }>();

  constructor(private readonly steady: Steady = steadyTime) {}

  /** Notes the mark (holder and beat) that `id` has now; true if it has been the same for `ms`. */
  over(id: string, mark: string, ms: number): boolean {
    const known = this.seen.get(id);
    if (known?.mark === mark) return this.steady() - known.since >= ms;
    this.seen.delete(id);
    this.seen.set(id, { mark, since: this.steady() });
    if (this.seen.size > MOST_MARKS) this.seen.delete(this.seen.keys().next().value as string);
    return false;
  }
}

/**
 * Leases in MongoDB, by compare-and-set on a document: losing Redis never gives a lease to two. A
 * lease is free when its time is over by the clock, or when its holder was silent for that long, so
 * that a clock that was set back locks nobody out.
 */
export class Leases {
  private readonly records: Model<LeaseRecord>;
  private readonly silence: Silence;

  constructor(
    connection: Connection,
    private readonly clock: Clock,
    steady?: Steady,
  ) {
    this.records = model(connection, 'Lease', schema, 'leases');
    this.silence = new Silence(steady);
  }

  /** Takes the lease `name` for `ms`. Null when somebody else holds it, or may do so. */
  async take(name: string, ms: number): Promise<Lease | null> {
    const holder = randomId();
    const now = this.clock.now();
    const until = () => new Date(this.clock.now().getTime() + ms);
    const mine = { $set: { holder, until: until() }, $inc: { beat: 1 } } as const;
    try {
      const taken = await this.records
        .findOneAndUpdate({ _id: name, until: { $lte: now } }, mine, {
          upsert: true,
          returnDocument: 'after',
        })
        .lean<LeaseRecord | null>();
      if (taken?.holder !== holder) return null;
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      const held = await this.records.findById(name).lean<LeaseRecord | null>();
      if (!held || !this.silence.over(name, `${held.holder}|${held.beat}`, ms)) return null;
      const { holder: gone, beat } = held;
      if (
        (await this.records.updateOne({ _id: name, holder: gone, beat }, mine)).matchedCount !== 1
      )
        return null;
    }
    return {
      renew: async () =>
        (
          await this.records.updateOne(
            { _id: name, holder },
            { $set: { until: until() }, $inc: { beat: 1 } },
          )
        ).matchedCount === 1,
      release: async () => {
        await this.records.deleteOne({ _id: name, holder });
      },
    };
  }
}
