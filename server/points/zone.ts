import { Schema, type Connection, type Model } from 'mongoose';
import { ConfigError } from '../config.js';
import { isDuplicate, model } from '../platform/mongo.js';

interface ZoneRecord {
  _id: 'zone';
  zone: string;
}
const schema = new Schema<ZoneRecord>({ _id: String, zone: String });

/**
 * The time zone that cuts the days of this ledger (LEDGER 5): claimed in the store before the first
 * entry, and no other may write after that. Whoever claims first is right, whatever other processes
 * were started with.
 */
export class Zone {
  private readonly records: Model<ZoneRecord>;
  private claimed: Promise<void> | null = null;

  constructor(
    connection: Connection,
    private readonly zone: string,
  ) {
    this.records = model(connection, 'Zone', schema, 'ledger');
  }

  /** Throws a ConfigError when the ledger's days are cut by another zone than ours. */
  async check(): Promise<void> {
    const found = await this.records.findById('zone').lean<ZoneRecord>();
    if (found && found.zone !== this.zone)
      throw new ConfigError([
        `TIMEZONE is ${this.zone}, but the points of this hub are counted by ${found.zone}: ` +
          'days, weeks and seasons cannot change once there are entries. ' +
          `Set TIMEZONE=${found.zone}.`,
      ]);
  }

  /**
   * Makes ours the ledger's, once and for ever; to be awaited before an entry is written. Throws as
   * `check`.
   */
  claim(): Promise<void> {
    this.claimed ??= this.write().catch((error: unknown) => {
      this.claimed = null;
      throw error;
    });
    return this.claimed;
  }

  private async write(): Promise<void> {
    await this.records.create({ _id: 'zone', zone: this.zone }).catch((error: unknown) => {
      if (!isDuplicate(error)) throw error;
    });
    await this.check();
  }
}
