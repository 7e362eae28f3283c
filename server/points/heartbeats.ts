import { Schema, type Connection, type Model } from 'mongoose';
import type { Clock } from '../platform/clock.js';
import type { Log } from '../platform/logs.js';
import { model } from '../platform/mongo.js';
import type { Entry } from './entry.js';
import { entryModel } from './entry.model.js';
import type { Projector } from './projector.js';

/** The last heartbeat of a process. */
interface HeartbeatRecord {
  /** The process. */
  _id: string;
  /** Every entry that it wrote before this instant is in scores and boards. */
  settledTo: Date;
  /** When the heartbeat was sent, by the sender's clock. */
  beat: Date;
}
const schema = new Schema<HeartbeatRecord>({ _id: String, settledTo: Date, beat: Date });

const INTERVAL_MS = 1000;
/**
 * A process is dead when we have watched its heartbeat stand still for this long: no clock that is
 * set misleads us then.
 */
const DEAD_MS = 10_000;
/** A heartbeat this old is of a dead process, even if a clock was set by an hour. */
const OLD_MS = 3_600_000 + DEAD_MS;
/**
 * How far before its mark a dead process's entries are looked for: clocks of processes differ, and
 * inserts take time.
 */
const MARGIN_MS = 15 * 60_000;
/** Fans that are settled together, and entries that are read in one batch. */
const FANS_TOGETHER = 5000;
/** How long a process that stops waits for what is not settled yet. */
const STOP_MS = 5000;

/** What heartbeats are made of, and whose they are. */
export interface HeartbeatParts {
  connection: Connection;
  /** The name of this process. */
  process: string;
  projector: Projector;
  /** The instant before which every entry of this process was acknowledged, in ms. */
  clearTo: () => number;
  clock: Clock;
  log: Log;
  /** A clock that is never set, in ms. */
  steady?: () => number;
}

/**
 * Settles what a killed process left (LEDGER 3): each process announces every second up to which
 * instant all its entries are settled, and another settles the rest when these heartbeats stop.
 */
export class Heartbeats {
  private readonly records: Model<HeartbeatRecord>;
  private readonly entries: Model<Entry>;
  private readonly steady: () => number;
  private timer: NodeJS.Timeout | null = null;
  /** The latest instant that the store may have as our `settledTo`, in ms. */
  private announced = -Infinity;
  private sending: Promise<unknown> = Promise.resolve();
  /** The last heartbeat seen of each other process, and when we first saw it. */
  private readonly watched = new Map<string, { beat: number; since: number }>();

  constructor(private readonly parts: HeartbeatParts) {
    this.records = model(parts.connection, 'Heartbeat', schema, 'heartbeats');
    this.entries = entryModel(parts.connection);
    this.steady = parts.steady ?? ((): number => performance.now());
  }

  /**
   * Sends a first heartbeat before anything is acknowledged, so that a process killed in its first
   * second is missed too; then one every second.
   */
  async start(): Promise<void> {
    await this.send();
    const sendNext = (): void => {
      this.timer = setTimeout(() => {
        void this.send()
          .catch(() => undefined)
          .finally(() => {
            if (this.timer) sendNext();
          });
      }, INTERVAL_MS);
    };
    sendNext();
  }

  /**
   * Stops in order: waits until all is settled and takes the heartbeat away, so that nobody looks
   * after us. While a store is away that cannot be, and others settle what is left.
   */
  async stop(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const { projector, process } = this.parts;
    const late = setTimeout(() => {
      projector.stop();
    }, STOP_MS);
    await projector.idle();
    clearTimeout(late);
    projector.stop();
    if (projector.isClear) await this.records.deleteOne({ _id: process }).catch(() => undefined);
  }

  /**
   * Sends a heartbeat: announces up to which instant all is settled. One is sent at a time, so that
   * an earlier one never arrives after a later one.
   */
  send(): Promise<void> {
    const { projector, clearTo, clock, process } = this.parts;
    const sent = this.sending.then(async () => {
      const settledTo = Math.min(projector.settledTo, clearTo());
      this.announced = Math.max(this.announced, settledTo);
      await this.records.updateOne(
        { _id: process },
        { $set: { beat: clock.now(), settledTo: new Date(settledTo) } },
        { upsert: true },
      );
      this.announced = settledTo;
    });
    this.sending = sent.catch(() => undefined);
    return sent;
  }

  /**
   * Makes sure that what is written at this instant (ms) will be looked for should we die. A clock
   * that was set back makes it earlier than what we announced as settled: that is taken back first.
   */
  async ensureAnnouncedBefore(at: number): Promise<void> {
    if (at < this.announced) await this.send();
  }

  /** Finds the last heartbeats of processes that are dead. */
  private async findDead(): Promise<HeartbeatRecord[]> {
    const found = await this.records.find({ _id: { $ne: this.parts.process } }).lean();
    const [now, old] = [this.steady(), this.parts.clock.now().getTime() - OLD_MS];
    for (const process of this.watched.keys())
      if (!found.some(({ _id }) => _id === process)) this.watched.delete(process);
    return found.filter(({ _id, beat }) => {
      const known = this.watched.get(_id);
      if (known?.beat !== beat.getTime())
        this.watched.set(_id, { beat: beat.getTime(), since: now });
      else if (now - known.since >= DEAD_MS) return true;
      return beat.getTime() < old;
    });
  }

  /**
   * Settles what dead processes left. Called by the worker every few seconds; answers how many fans
   * were settled.
   */
  async sweep(): Promise<number> {
    let settled = 0;
    for (const { _id, beat, settledTo } of await this.findDead()) {
      const fans = await this.settleSince(new Date(settledTo.getTime() - MARGIN_MS));
      // Not the heartbeat of a process that was taken for dead and has sent another one since.
      await this.records.deleteOne({ _id, beat });
      settled += fans;
      this.parts.log.info({ process: _id, fans }, 'points: settled what a dead process left');
    }
    return settled;
  }

  /**
   * Settles every fan who has an entry at or behind this instant; answers how many. Entries are
   * read as a stream and settled in parts: under load a quarter of an hour holds more fans than one
   * answer of the store may.
   */
  private async settleSince(since: Date): Promise<number> {
    let count = 0;
    let fans = new Set<string>();
    const settle = async (): Promise<void> => {
      await this.parts.projector.settle([...fans]);
      count += fans.size;
      fans = new Set();
    };
    for await (const { fan } of this.entries.collection.find<Entry>(
      { at: { $gte: since } },
      { projection: { _id: 0, fan: 1 }, batchSize: FANS_TOGETHER },
    )) {
      fans.add(fan);
      if (fans.size >= FANS_TOGETHER) await settle();
    }
    await settle();
    return count;
  }
}
