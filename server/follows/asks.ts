import { Schema, type Connection, type Model } from 'mongoose';
import type { Clock } from '../platform/clock.js';
import { randomId } from '../platform/ids.js';
import { isDuplicate, model } from '../platform/mongo.js';

/** The right to ask one network about one fan, and how far a long asking is. `_id` = fan and network. */
interface AskRecord {
  _id: string;
  holder: string | null;
  askedAt: Date;
  until: Date;
  done: number;
  total: number;
  awarded: number;
}
const schema = new Schema<AskRecord>({ _id: String, holder: String, askedAt: Date, until: Date, done: Number, total: Number, awarded: Number });

export interface Progress {
  done: number;
  total: number;
  awarded: number;
  running: boolean;
  at: Date;
}
type Steps = Pick<Progress, 'done' | 'total' | 'awarded'>;
export interface AskLease {
  renew(progress?: Steps): Promise<boolean>;
  /** Ends the asking; says how far it came. */
  release(progress: Steps): Promise<void>;
}

const LEASE_MS = 30_000;
const LOOK_MS = 60;

/** One asking at a time a fan and network, over all processes (LEDGER 4). */
export class Asks {
  private readonly records: Model<AskRecord>;

  constructor(
    connection: Connection,
    private readonly clock: Clock,
  ) {
    this.records = model(connection, 'Ask', schema, 'asks');
  }

  private static id(fan: string, network: string): string {
    return `${fan}|${network}`;
  }

  private async tryTake(fan: string, network: string): Promise<AskLease | null> {
    const _id = Asks.id(fan, network);
    const holder = randomId();
    const now = this.clock.now();
    const until = (): Date => new Date(this.clock.now().getTime() + LEASE_MS);
    try {
      const taken = await this.records
        .findOneAndUpdate(
          { _id, until: { $lte: now } },
          { $set: { holder, askedAt: now, until: until(), done: 0, total: 0, awarded: 0 } },
          { upsert: true, returnDocument: 'after' },
        )
        .lean();
      if (taken.holder !== holder) return null;
    } catch (error) {
      if (isDuplicate(error)) return null;
      throw error;
    }
    return {
      renew: async (progress) => (await this.records.updateOne({ _id, holder }, { $set: { until: until(), ...progress } })).matchedCount === 1,
      release: async (progress) => {
        await this.records.updateOne({ _id, holder }, { $set: { holder: null, until: new Date(0), ...progress } });
      },
    };
  }

  /** Takes the lease, waiting up to `patience` real ms for another process to finish; null when that was not enough. */
  async take(fan: string, network: string, patience: number): Promise<AskLease | null> {
    const end = Date.now() + patience;
    for (;;) {
      const lease = await this.tryTake(fan, network);
      if (lease) return lease;
      if (Date.now() >= end) return null;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** How far the last long asking is. */
  async progress(fan: string, network: string): Promise<Progress | null> {
    const one = await this.records.findById(Asks.id(fan, network)).lean();
    return one && one.total > 0 ? { done: one.done, total: one.total, awarded: one.awarded, running: one.until > this.clock.now(), at: one.askedAt } : null;
  }
}
