import type { Connection, Model } from 'mongoose';
import type { NetworkId } from '../networks/network.js';
import type { Audit } from '../platform/audit.js';
import type { Clock } from '../platform/clock.js';
import type { Log } from '../platform/logs.js';
import { isDuplicate } from '../platform/mongo.js';
import type { Settings } from '../platform/settings.js';
import { SwrCache } from '../platform/swr-cache.js';
import {
  takeBackModel,
  type TakeBackRecord,
  type TakeBackRelease,
  type TakeBackStop,
} from './take-back.model.js';

/** How much of what is held an hour may take back before a person is asked. */
export interface TakeBackLimits {
  /** A share of the deeds held on a network, from 0 to 1. */
  share: number;
  /** A number of deeds that is always allowed. */
  least: number;
}
/** The limits that hold until an organiser sets others. */
export const DEFAULT_LIMITS: TakeBackLimits = { share: 0.02, least: 50 };
/** The setting of the hub that overrides them. */
const SETTING = 'follows.takeBackLimit';
/** Who the audit log says stopped a network: nobody did, the limit was passed. */
export const BY_LIMIT = 'take_back_limit';
/** What the audit log is asked about for a network. */
export const auditSubject = (network: string): string => `take_back:${network}`;

const SLICE_MS = 5 * 60_000;
const HOUR_SLICES = 12;
/** How long take-backs that a person released stay allowed: two rounds of checks and a night. */
const RELEASED_MS = 48 * 3_600_000;
/** How old the list of stopped networks may be. */
const STOPS_KEPT_MS = 5000;
/** How old the number of held deeds may be that the share is taken of. */
const HELD_KEPT_MS = 10 * 60_000;

/** Deeds that may be taken back. */
export interface Reservation {
  /** Returns those that were not taken back after all. */
  giveBack(unused: number): Promise<void>;
}

/** What the limit on take-backs is built of. */
export interface TakeBackLimitParts {
  connection: Connection;
  settings: Settings;
  audit: Audit;
  clock: Clock;
  log: Log;
  /** How many deeds are held on a network now. */
  held: (network: NetworkId) => Promise<number>;
}

/**
 * The limit on take-backs, a circuit breaker: a network that says no by mistake must not empty the
 * hub. When the second no's of all processes together would take back more than a share of a
 * network's held deeds in an hour, taking back stops there until a person releases it. What fans
 * undo themselves is never counted and never stopped.
 */
export class TakeBackLimit {
  private readonly records: Model<TakeBackRecord>;
  private readonly stopped: SwrCache<Map<string, TakeBackStop>>;
  private readonly held: SwrCache<number>;
  /** The last reservation of each network, which the next one waits for. */
  private readonly queues = new Map<NetworkId, Promise<void>>();

  constructor(private readonly parts: TakeBackLimitParts) {
    this.records = takeBackModel(parts.connection);
    const now = (): number => parts.clock.now().getTime();
    this.stopped = new SwrCache(STOPS_KEPT_MS, 1, now);
    this.held = new SwrCache(HELD_KEPT_MS, 10, now);
  }

  /**
   * Reserves so many take-backs, all or none, before the ledger is called; null when they would be
   * too many, which stops the network, or when it is stopped already. Reservations of one network
   * are made one behind the other, and what another process counted meanwhile is read again: a
   * refused one takes nothing from anybody, so that exactly as many are granted as may be.
   */
  reserve(network: NetworkId, deeds: number): Promise<Reservation | null> {
    const reservation = (this.queues.get(network) ?? Promise.resolve()).then(() =>
      this.tryReserve(network, deeds),
    );
    const done = (): void => undefined;
    this.queues.set(network, reservation.then(done, done));
    return reservation;
  }

  private async tryReserve(network: NetworkId, deeds: number): Promise<Reservation | null> {
    for (;;) {
      const now = this.parts.clock.now();
      if (await this.useReleased(network, deeds, now))
        return { giveBack: (unused) => this.giveBack(network, 'slack', unused) };
      const record = await this.open(network);
      if (record.stop) return null;
      const slice = Math.floor(now.getTime() / SLICE_MS);
      const taken = takenInHour(record.slices, slice);
      const { held, limit } = await this.limitFor(network, taken + deeds);
      const unchanged = { _id: network, stop: null, counted: record.counted ?? null };
      if (taken + deeds > limit) {
        const stop = { at: now, taken, wanted: deeds, held, limit };
        if (await this.stop(network, unchanged, stop)) return null;
        continue;
      }
      const counted = await this.records.updateOne(unchanged, {
        $inc: { [`slices.${slice}`]: deeds, counted: 1 },
        ...dropOld(record.slices, slice),
      });
      if (counted.modifiedCount === 1)
        return { giveBack: (unused) => this.giveBack(network, `slices.${slice}`, -unused) };
    }
  }

  /** Reserves out of what a person has released, if so much of it is left. */
  private async useReleased(network: NetworkId, deeds: number, now: Date): Promise<boolean> {
    const used = await this.records.updateOne(
      { _id: network, stop: null, slack: { $gte: deeds }, slackUntil: { $gt: now } },
      { $inc: { slack: -deeds } },
    );
    return used.modifiedCount === 1;
  }

  /**
   * Returns what was not taken back after all. A release meanwhile has begun to count anew: then
   * nothing is returned to it.
   */
  private async giveBack(network: NetworkId, field: string, unused: number): Promise<void> {
    await this.records.updateOne(
      { _id: network, [field]: { $gte: -unused } },
      { $inc: { [field]: unused } },
    );
  }

  /**
   * How many deeds an hour may take back. What is held is only counted above what is always
   * allowed.
   */
  private async limitFor(
    network: NetworkId,
    wanted: number,
  ): Promise<{ held: number; limit: number }> {
    const { least, share } = await this.limits();
    if (wanted <= least) return { held: 0, limit: least };
    const held = await this.held.get(network, () => this.parts.held(network));
    return { held, limit: Math.max(least, Math.floor(share * held)) };
  }

  /** The record of a network, made if need be. */
  private async open(network: NetworkId): Promise<TakeBackRecord> {
    const found = await this.records.findById(network).lean<TakeBackRecord | null>();
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

  /** Stops a network as it was counted; answers false when its count has moved since. */
  private async stop(network: NetworkId, unchanged: object, stop: TakeBackStop): Promise<boolean> {
    const { modifiedCount } = await this.records.updateOne(unchanged, { $set: { stop } });
    if (modifiedCount !== 1) return false;
    this.stopped.invalidate();
    this.parts.log.error(
      { network, ...stop },
      'follows: taking back is stopped, a person must release it',
    );
    await this.parts.audit.add({
      by: BY_LIMIT,
      act: 'take_back.stopped',
      on: auditSubject(network),
      after: stop,
    });
    return true;
  }

  /** The networks where taking back is stopped, as the store had it five seconds ago at most. */
  async stops(): Promise<Map<string, TakeBackStop>> {
    return this.stopped.get('all', async () => {
      const found = await this.records.find({ stop: { $ne: null } }).lean<TakeBackRecord[]>();
      return new Map(found.map(({ _id, stop }) => [_id, stop as TakeBackStop]));
    });
  }

  /** Whether a network is stopped now, and its last release. */
  async stateOf(
    network: string,
  ): Promise<{ stop: TakeBackStop | null; release: TakeBackRelease | null }> {
    const found = await this.records.findById(network).lean<TakeBackRecord | null>();
    return { stop: found?.stop ?? null, release: found?.release ?? null };
  }

  /**
   * Releases a network by a person's decision: `deeds` more may be taken back at once, and the hour
   * is counted anew. Answers false when it was not stopped, or not by the stop that the person saw.
   */
  async release(
    network: NetworkId,
    seenStop: Date,
    { by, reason, deeds }: Omit<TakeBackRelease, 'at'>,
  ): Promise<boolean> {
    const now = this.parts.clock.now();
    const before = await this.records
      .findOneAndUpdate(
        { _id: network, 'stop.at': seenStop },
        {
          $set: {
            stop: null,
            slices: {},
            slack: deeds,
            slackUntil: new Date(now.getTime() + RELEASED_MS),
            release: { at: now, by, reason, deeds },
          },
        },
        { returnDocument: 'before' },
      )
      .lean<TakeBackRecord | null>();
    if (!before) return false;
    this.stopped.invalidate();
    this.parts.log.warn({ network, by, deeds }, 'follows: a person released taking back');
    await this.parts.audit.add({
      by,
      act: 'take_back.released',
      on: auditSubject(network),
      reason,
      before: before.stop,
      after: { deeds },
    });
    return true;
  }

  /** Reads how much an hour may take: what organisers set, else the defaults. */
  async limits(): Promise<TakeBackLimits> {
    return {
      ...DEFAULT_LIMITS,
      ...((await this.parts.settings.get<Partial<TakeBackLimits>>(SETTING)) ?? {}),
    };
  }

  /** Sets how much an hour may take, with a line in the audit log. */
  async setLimits(limits: TakeBackLimits, by: string): Promise<void> {
    const before = await this.limits();
    await this.parts.settings.set(SETTING, limits);
    await this.parts.audit.add({
      by,
      act: 'take_back.limited',
      on: 'take_back',
      before,
      after: limits,
    });
  }
}

/**
 * Deeds taken back in the hour before the end of a slice. Slices that seem to be yet to come were
 * counted before a clock was set back: they count.
 */
const takenInHour = (slices: Record<string, number>, slice: number): number =>
  Object.entries(slices).reduce(
    (sum, [key, taken]) => sum + (Number(key) > slice - HOUR_SLICES ? taken : 0),
    0,
  );

/** What drops the slices of hours ago, once they are many. */
function dropOld(slices: Record<string, number>, slice: number): object {
  const old = Object.keys(slices).filter((key) => Number(key) < slice - 3 * HOUR_SLICES);
  return old.length > HOUR_SLICES
    ? { $unset: Object.fromEntries(old.map((key) => [`slices.${key}`, ''])) }
    : {};
}
