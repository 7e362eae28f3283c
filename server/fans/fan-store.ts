import type { Connection, Model, QueryFilter, UpdateQuery } from 'mongoose';
import { VillageError } from '../errors.js';
import { BatchLoader } from '../platform/batch-loader.js';
import type { Bus } from '../platform/bus.js';
import type { Settings } from '../platform/settings.js';
import { SwrCache } from '../platform/swr-cache.js';
import { fanModel, type FanRecord } from './fan.model.js';

/**
 * The count of changes of fans: each change bears its number, so that whoever missed the news finds
 * it.
 */
const CHANGED = 'fans.changed';
const CACHE_MS = 5000;
const MOST_CACHED = 50_000;

/** A change of a fan; its number is added when it is written. */
type Change = UpdateQuery<FanRecord> & { $set?: Partial<FanRecord> };

/** Reads fans, keeps them for five seconds, and numbers every change of them. */
export class FanStore {
  readonly records: Model<FanRecord>;
  private readonly bus: Bus;
  private readonly settings: Settings;
  private readonly loader: BatchLoader<FanRecord>;
  private readonly cache = new SwrCache<FanRecord | null>(CACHE_MS, MOST_CACHED);
  /** Grows with all news of any fan. */
  private news = 0;

  constructor({ connection, bus, settings }: FanStoreParts) {
    this.records = fanModel(connection);
    this.bus = bus;
    this.settings = settings;
    this.loader = new BatchLoader(async (ids) => {
      const found = await this.records.collection
        .find<FanRecord>({ _id: { $in: ids as never[] } })
        .toArray();
      return new Map(found.map((fan) => [fan._id, fan]));
    });
    for (const topic of ['fans:changed', 'fans:signed_out'] as const)
      bus.on(topic, ({ fan }) => {
        this.forget(fan);
      });
  }

  /** A fan, at most five seconds old (news make it newer); null for none. */
  get(id: string): Promise<FanRecord | null> {
    return this.cache.get(id, () => this.loader.load(id));
  }

  /** A fan, as fresh as `get`. Throws `fan_not_found`. */
  async require(id: string): Promise<FanRecord> {
    const fan = await this.get(id);
    if (!fan) throw new VillageError('fan_not_found');
    return fan;
  }

  /** Drops what is kept of a fan: the next read asks the store. */
  forget(fan: string): void {
    this.news += 1;
    this.cache.invalidate(fan);
  }

  /** How much news there has been; to be noted before a read whose fans are handed to `know`. */
  get asOf(): number {
    return this.news;
  }

  /**
   * Keeps a fan whom somebody else has read, unless news came since that read began, which it may
   * have missed.
   */
  know(fan: FanRecord, asOf: number): void {
    if (asOf === this.news) void this.cache.get(fan._id, () => Promise.resolve(fan));
  }

  /** The number of a change that is about to be written. */
  nextChange(): Promise<number> {
    return this.settings.next(CHANGED);
  }

  /** The fans who changed after a number of that count, and how far it was when they were read. */
  async changedSince(from: number): Promise<{ fans: string[]; to: number }> {
    // The count first: what is numbered after it is found by the next look.
    const to = (await this.settings.get<number>(CHANGED)) ?? 0;
    if (to <= from) return { fans: [], to };
    const found = await this.records
      .find({ changed: { $gt: from } }, { _id: 1 })
      .lean<{ _id: string }[]>();
    return { fans: found.map(({ _id }) => _id), to };
  }

  /** Changes a fan and spreads the news. Answers the fan as changed; throws `fan_not_found`. */
  async change(id: string, change: Change): Promise<FanRecord> {
    const fan = await this.records
      .findOneAndUpdate({ _id: id }, await this.numbered(change), { returnDocument: 'after' })
      .lean<FanRecord>();
    if (!fan) throw new VillageError('fan_not_found');
    this.announce(id);
    return fan;
  }

  /**
   * Changes a fan who is still as the filter says, and spreads the news. Answers whether they were:
   * of several processes that try, one does it.
   */
  async changeIf(filter: QueryFilter<FanRecord> & { _id: string }, change: Change) {
    const { modifiedCount } = await this.records.updateOne(filter, await this.numbered(change));
    if (modifiedCount === 0) return false;
    this.announce(filter._id);
    return true;
  }

  private async numbered(change: Change): Promise<UpdateQuery<FanRecord>> {
    return { ...change, $set: { ...change.$set, changed: await this.nextChange() } };
  }

  private announce(fan: string): void {
    this.forget(fan);
    this.bus.tell('fans:changed', { fan });
  }
}

/** What the store of fans stands on. */
export interface FanStoreParts {
  connection: Connection;
  bus: Bus;
  settings: Settings;
}
