import { Schema, type Connection, type Model } from 'mongoose';
import { model } from './mongo.js';

interface SettingRecord {
  _id: string;
  value: unknown;
  at: Date;
}
const schema = new Schema<SettingRecord>({ _id: String, value: Schema.Types.Mixed, at: Date });

/** Small facts that hold for the whole hub: counters, switches, what was seeded. Kept whole, never sharded. */
export class Settings {
  private readonly records: Model<SettingRecord>;

  constructor(connection: Connection) {
    this.records = model(connection, 'Setting', schema, 'settings');
  }

  async get<T>(name: string): Promise<T | null> {
    const found = await this.records.findById(name).lean();
    return found ? (found.value as T) : null;
  }

  /** Several at once; those that were never set are absent. */
  async many<T>(names: string[]): Promise<Map<string, T>> {
    const found = await this.records.collection.find<SettingRecord>({ _id: { $in: names as never[] } }).toArray();
    return new Map(found.map((one) => [one._id, one.value as T]));
  }

  async set(name: string, value: unknown): Promise<void> {
    await this.records.updateOne({ _id: name }, { $set: { value, at: new Date() } }, { upsert: true });
  }

  /** Adds one to a counter and answers its new value. */
  async next(name: string): Promise<number> {
    for (;;) {
      try {
        const found = await this.records
          .findOneAndUpdate({ _id: name }, { $inc: { value: 1 }, $set: { at: new Date() } }, { upsert: true, returnDocument: 'after' })
          .lean();
        return Number(found.value);
      } catch (error) {
        // Two first calls at once: the second finds the document now.
        if ((error as { code?: number }).code !== 11000) throw error;
      }
    }
  }
}
