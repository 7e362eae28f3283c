import { Schema, type Connection, type Model } from 'mongoose';
import type { Clock } from './clock.js';
import { randomId } from './ids.js';
import { isDuplicate, model } from './mongo.js';

interface LeaseRecord {
  _id: string;
  holder: string;
  until: Date;
}
const schema = new Schema<LeaseRecord>({ _id: String, holder: String, until: Date });

/** A right to do something alone for a while; `renew` and `release` only work for who still holds it. */
export interface Lease {
  renew(): Promise<boolean>;
  release(): Promise<void>;
}

/** Leases in MongoDB: compare-and-set on a document, so a lost Redis never lets two in. */
export class Leases {
  private readonly records: Model<LeaseRecord>;

  constructor(
    connection: Connection,
    private readonly clock: Clock,
  ) {
    this.records = model(connection, 'Lease', schema, 'leases');
  }

  /** Takes the lease `name` for `ms`, or answers null when somebody else holds it. */
  async take(name: string, ms: number): Promise<Lease | null> {
    const holder = randomId();
    const now = this.clock.now();
    const until = () => new Date(this.clock.now().getTime() + ms);
    try {
      const taken = await this.records
        .findOneAndUpdate({ _id: name, until: { $lte: now } }, { $set: { holder, until: until() } }, { upsert: true, returnDocument: 'after' })
        .lean();
      if (taken.holder !== holder) return null;
    } catch (error) {
      if (isDuplicate(error)) return null;
      throw error;
    }
    return {
      renew: async () => (await this.records.updateOne({ _id: name, holder }, { $set: { until: until() } })).matchedCount === 1,
      release: async () => {
        await this.records.deleteOne({ _id: name, holder });
      },
    };
  }
}
