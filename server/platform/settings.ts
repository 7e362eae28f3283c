import mongoose, { Schema, type Connection, type Model } from 'mongoose';
import { isDuplicate, model } from './mongo.js';

interface SettingRecord {
  _id: string;
  value: unknown;
  at: Date;
}
const schema = new Schema<SettingRecord>({ _id: String, value: Schema.Types.Mixed, at: Date });

/** How often a counter is tried while others create it at the same time. */
const FIRST_TRIES = 10;

/** Stores small facts about the whole hub: counters, switches, what was seeded. Never sharded. */
export class Settings {
  private readonly records: Model<SettingRecord>;

  constructor(connection: Connection) {
    this.records = model(connection, 'Setting', schema, 'settings');
  }

  /** A setting, or null if it was never set. */
  async get<T>(name: string): Promise<T | null> {
    const found = await this.records.findById(name).lean();
    return found ? (found.value as T) : null;
  }

  /** Several settings at once; those that were never set are absent. */
  async many<T>(names: string[]): Promise<Map<string, T>> {
    const found = await this.records.collection
      .find<SettingRecord>({ _id: { $in: names as never[] } })
      .toArray();
    return new Map(found.map(({ _id, value }) => [_id, value as T]));
  }

  /** Sets a setting. */
  async set(name: string, value: unknown): Promise<void> {
    await this.records.updateOne(
      { _id: name },
      { $set: { value, at: new Date() } },
      { upsert: true },
    );
  }

  /**
   * Adds one to a counter and answers its new value, which no other caller gets. Throws as the
   * store does, also where the store answers nothing.
   */
  async next(name: string): Promise<number> {
    for (let left = FIRST_TRIES; left > 0; left -= 1) {
      try {
        const found = await this.records
          .findOneAndUpdate(
            { _id: name },
            { $inc: { value: 1 }, $set: { at: new Date() } },
            { upsert: true, returnDocument: 'after' },
          )
          .lean<SettingRecord | null>();
        // When several calls create a counter at once, a store may answer nothing to some.
        if (found) return Number(found.value);
      } catch (error) {
        // Another call created it at the same time: now it is there.
        if (!isDuplicate(error)) throw error;
      }
    }
    throw new mongoose.mongo.MongoNetworkError(`the store does not count ${name}`);
  }
}
