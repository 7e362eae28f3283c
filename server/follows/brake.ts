import { Schema, type Connection, type Model } from 'mongoose';
import type { NetworkId } from '../networks/network.js';
import type { Audit } from '../platform/audit.js';
import type { Clock } from '../platform/clock.js';
import { SwrCache } from '../platform/swr-cache.js';
import type { Log } from '../platform/logs.js';
import { isDuplicate, model } from '../platform/mongo.js';
import type { Settings } from '../platform/settings.js';
import type { Allowance, Reserved } from './doubts.js';

/** Why and when taking stopped on a network. */
export interface Stop {
  at: Date;
  /** Deeds taken in the hour before it, and those that would have been too many. */
  taken: number;
  wanted: number;
  /** Deeds that were held on the network, and how many of them an hour may take. */
  held: number;
  limit: number;
}
export interface Release {
  at: Date;
  by: string;
  reason: string;
  /** Deeds that were let go by it. */
  deeds: number;
}
interface BrakeRecord {
  /** The network. Kept whole: one document counts for all processes. */
  _id: string;
  /** Deeds taken, by slices of five minutes. */
  slices: Record<string, number>;
  /** Grows with each counting: whoever counts knows whether another one counted meanwhile. */
  counted: number;
  stop: Stop | null;
  release: Release | null;
  /** Deeds that a person let go and that are not taken yet, and until when they may be. */
  slack: number;
  slackUntil: Date | null;
}
const schema = new Schema<BrakeRecord>({
  _id: String,
  slices: Schema.Types.Mixed,
  counted: Number,
  stop: Schema.Types.Mixed,
  release: Schema.Types.Mixed,
  slack: Number,
  slackUntil: Date,
});

/** How much of what is held an hour may take before a person is asked. */
export interface BrakeLimits {
  share: number;
  least: number;
}
export const BRAKE_DEFAULTS: BrakeLimits = { share: 0.02, least: 50 };
/** The setting of the hub that overrides them. */
const SETTING = 'follows.brake';

const SLICE_MS = 5 * 60_000;
const HOUR_SLICES = 12;
/** How long what a person let go may take to be taken: two rounds of asking and a night. */
const SLACK_MS = 48 * 3_600_000;
const KNOWN_MS = 5000;
/** How old the number of held deeds may be that the share is taken of. */
const HELD_MS = 10 * 60_000;

export interface BrakeParts {
  connection: Connection;
  settings: Settings;
  audit: Audit;
  clock: Clock;
  log: Log;
  /** How many deeds are held on a network now. */
  held: (network: NetworkId) => Promise<number>;
}

/**
 * The brake on mass loss: a network that says no by mistake must not empty the hub. When the second
 * no's of all processes together would take more than a share of a network's held deeds in an hour,
 * taking stops there until a person lets it go on. What fans undo themselves is never counted and
 * never stopped.
 */
export class Brake implements Allowance {
  private readonly records: Model<BrakeRecord>;
  private readonly known: SwrCache<Map<string, Stop>>;
  private readonly held: SwrCache<number>;
  /** The last counting of each network. */
  private readonly turns = new Map<NetworkId, Promise<void>>();

  constructor(private readonly parts: BrakeParts) {
    this.records = model(parts.connection, 'Brake', schema, 'brakes');
    const now = (): number => parts.clock.now().getTime();
    this.known = new SwrCache(KNOWN_MS, 1, now);
    this.held = new SwrCache(HELD_MS, 10, now);
  }

  /**
   * Lets so many deeds be taken, all or none, counted before the ledger is called; answers how to
   * give back those that were not taken after all. The one that is too many stops the network. Of
   * one network one is counted behind the other, and what another process counted meanwhile is
   * looked at again: what was asked for and refused takes nothing from anybody, so that exactly as
   * many go as may.
   */
  reserve(network: NetworkId, deeds: number): Promise<Reserved | null> {
    const turn = (this.turns.get(network) ?? Promise.resolve()).then(() =>
      this.count(network, deeds),
    );
    this.turns.set(
      network,
      turn.then(
        () => undefined,
        () => undefined,
      ),
    );
    return turn;
  }

  private async count(network: NetworkId, deeds: number): Promise<Reserved | null> {
    for (;;) {
      const now = this.parts.clock.now();
      const letGo = await this.records.updateOne(
        { _id: network, stop: null, slack: { $gte: deeds }, slackUntil: { $gt: now } },
        { $inc: { slack: -deeds } },
      );
      if (letGo.modifiedCount === 1)
        return { back: (unused) => this.back(network, 'slack', unused) };
      const record = await this.open(network);
      if (record.stop) return null;
      const slice = Math.floor(now.getTime() / SLICE_MS);
      // Slices that seem to be yet to come were counted before a clock was set back: they count.
      const taken = Object.entries(record.slices).reduce(
        (sum, [key, n]) => sum + (Number(key) > slice - HOUR_SLICES ? n : 0),
        0,
      );
      const { held, limit } = await this.mayTake(network, taken + deeds);
      const same = { _id: network, stop: null, counted: record.counted ?? null };
      if (taken + deeds > limit) {
        if (await this.stopped(network, same, { at: now, taken, wanted: deeds, held, limit }))
          return null;
        continue;
      }
      const old = Object.keys(record.slices).filter((key) => Number(key) < slice - 3 * HOUR_SLICES);
      const forget =
        old.length > HOUR_SLICES
          ? { $unset: Object.fromEntries(old.map((key) => [`slices.${key}`, ''])) }
          : {};
      const done = await this.records.updateOne(same, {
        $inc: { [`slices.${slice}`]: deeds, counted: 1 },
        ...forget,
      });
      if (done.modifiedCount === 1)
        return { back: (unused) => this.back(network, `slices.${slice}`, -unused) };
    }
  }

  /**
   * Gives back what was not taken after all; what a person has let go meanwhile is counted anew,
   * and nothing is given back to it.
   */
  private async back(network: NetworkId, field: string, unused: number): Promise<void> {
    await this.records.updateOne(
      { _id: network, [field]: { $gte: -unused } },
      { $inc: { [field]: unused } },
    );
  }

  /**
   * How many deeds an hour may take, when it comes to so many: what is held is only asked for above
   * what is always allowed.
   */
  private async mayTake(
    network: NetworkId,
    wanted: number,
  ): Promise<{ held: number; limit: number }> {
    const { least, share } = await this.limits();
    if (wanted <= least) return { held: 0, limit: least };
    const held = await this.held.get(network, () => this.parts.held(network));
    return { held, limit: Math.max(least, Math.floor(share * held)) };
  }

  /** What is counted of a network, made if need be. */
  private async open(network: NetworkId): Promise<BrakeRecord> {
    const found = await this.records.findById(network).lean<BrakeRecord | null>();
    if (found) return found;
    await this.records
      .create({
        _id: network,
        slices: {},
        counted: 0,
        stop: null,
        release: null,
        slack: 0,
        slackUntil: null,
      })
      .catch((error: unknown) => {
        if (!isDuplicate(error)) throw error;
      });
    return this.open(network);
  }

  /** Stops a network as it was counted; answers false when it has moved on since. */
  private async stopped(network: NetworkId, same: object, stop: Stop): Promise<boolean> {
    if ((await this.records.updateOne(same, { $set: { stop } })).modifiedCount !== 1) return false;
    this.known.invalidate();
    this.parts.log.error(
      { network, ...stop },
      'follows: taking is stopped, a person must let it go on',
    );
    await this.parts.audit.add({
      by: 'brake',
      act: 'brake.stopped',
      on: `brake:${network}`,
      after: stop,
    });
    return true;
  }

  /** The networks where taking is stopped, as other processes knew it five seconds ago at most. */
  async stops(): Promise<Map<string, Stop>> {
    return this.known.get('all', async () => {
      const found = await this.records.find({ stop: { $ne: null } }).lean<BrakeRecord[]>();
      return new Map(found.map((one) => [one._id, one.stop as Stop]));
    });
  }

  /** What holds for a network now. */
  async stateOf(network: string): Promise<{ stop: Stop | null; release: Release | null }> {
    const found = await this.records.findById(network).lean<BrakeRecord | null>();
    return { stop: found?.stop ?? null, release: found?.release ?? null };
  }

  /**
   * A person lets taking go on: `deeds` more may be taken at once, and the hour is counted anew.
   * Answers false when it was not stopped, or not by the stop that the person saw.
   */
  async release(
    network: NetworkId,
    seen: Date,
    by: string,
    reason: string,
    deeds: number,
  ): Promise<boolean> {
    const now = this.parts.clock.now();
    const before = await this.records
      .findOneAndUpdate(
        { _id: network, 'stop.at': seen },
        {
          $set: {
            stop: null,
            slices: {},
            slack: deeds,
            slackUntil: new Date(now.getTime() + SLACK_MS),
            release: { at: now, by, reason, deeds },
          },
        },
        { returnDocument: 'before' },
      )
      .lean<BrakeRecord | null>();
    if (!before) return false;
    this.known.invalidate();
    this.parts.log.warn({ network, by, deeds }, 'follows: a person lets taking go on');
    await this.parts.audit.add({
      by,
      act: 'brake.released',
      on: `brake:${network}`,
      reason,
      before: before.stop,
      after: { deeds },
    });
    return true;
  }

  async limits(): Promise<BrakeLimits> {
    return {
      ...BRAKE_DEFAULTS,
      ...((await this.parts.settings.get<Partial<BrakeLimits>>(SETTING)) ?? {}),
    };
  }

  /** Sets how much an hour may take. */
  async limit(limits: BrakeLimits, by: string): Promise<void> {
    const before = await this.limits();
    await this.parts.settings.set(SETTING, limits);
    await this.parts.audit.add({ by, act: 'brake.limited', on: 'brake', before, after: limits });
  }
}
