import { Schema, type Connection, type Model } from 'mongoose';
import type { Clock } from '../platform/clock.js';
import type { Log } from '../platform/logs.js';
import { model } from '../platform/mongo.js';
import type { Entry } from './entry.js';
import { entryModel } from './entry.model.js';
import type { Projector } from './projector.js';

interface BeatRecord {
  _id: string;
  settledTo: Date;
  beat: Date;
}
const schema = new Schema<BeatRecord>({ _id: String, settledTo: Date, beat: Date });
/**
 * A process is dead when its beat has stood still for so long before our eyes: clocks that are set
 * mislead nobody then.
 */
const DEAD_MS = 10_000;
/** A beat so old is nobody's, even if a clock was set by an hour. */
const OLD_MS = 3_600_000 + DEAD_MS;
/**
 * How far back a dead process's entries are looked for behind its mark: clocks of processes differ,
 * inserts take time.
 */
const MARGIN_MS = 15 * 60_000;
const PART = 5000;
/** How long one who leaves waits for what is not settled yet, in ms. */
const LEAVE_MS = 5000;

/**
 * What a killed process left (LEDGER 3): every process says each second up to when it has settled;
 * another settles the rest.
 */
export class Heartbeats {
  private readonly records: Model<BeatRecord>;
  private readonly entries: Model<Entry>;
  private timer: NodeJS.Timeout | null = null;
  /** What we last told as settled, and the telling under way. */
  private told = -Infinity;
  private telling: Promise<unknown> = Promise.resolve();
  /** The last beat seen of each other process, and when it was new to us. */
  private readonly watched = new Map<string, { beat: number; since: number }>();

  constructor(
    connection: Connection,
    private readonly process: string,
    private readonly projector: Projector,
    private readonly clearTo: () => number,
    private readonly clock: Clock,
    private readonly log: Log,
    /** A clock that is never set, in ms. */
    private readonly steady: () => number = () => performance.now(),
  ) {
    this.records = model(connection, 'Heartbeat', schema, 'heartbeats');
    this.entries = entryModel(connection);
  }

  /**
   * Beats once before anything is acknowledged, so that a process killed in its first second is
   * missed too; then every second.
   */
  async start(): Promise<void> {
    await this.beat();
    const turn = (): void => {
      this.timer = setTimeout(() => {
        void this.beat()
          .catch(() => undefined)
          .finally(() => {
            if (this.timer) turn();
          });
      }, 1000);
    };
    turn();
  }

  /**
   * Leaves in order: nothing is open, so nobody need look after us. While a store is away that
   * cannot be, and others settle what is left.
   */
  async stop(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const late = setTimeout(() => {
      this.projector.stop();
    }, LEAVE_MS);
    await this.projector.idle();
    clearTimeout(late);
    this.projector.stop();
    if (this.projector.clear)
      await this.records.deleteOne({ _id: this.process }).catch(() => undefined);
  }

  /**
   * Tells up to when all is settled. One telling at a time, so that an earlier one never comes
   * after a later one.
   */
  beat(): Promise<void> {
    const next = this.telling.then(async () => {
      const settledTo = Math.min(this.projector.settledTo, this.clearTo());
      this.told = Math.max(this.told, settledTo);
      await this.records.updateOne(
        { _id: this.process },
        { $set: { beat: this.clock.now(), settledTo: new Date(settledTo) } },
        { upsert: true },
      );
      this.told = settledTo;
    });
    this.telling = next.catch(() => undefined);
    return next;
  }

  /**
   * To be awaited before an entry is written at this instant: a clock that was set back makes it
   * earlier than what we have told as settled, so that is taken back first. Else whoever settles
   * after our death would not look for it.
   */
  async ready(at: number): Promise<void> {
    if (at < this.told) await this.beat();
  }

  /** Processes that have stopped beating. */
  private async dead(): Promise<BeatRecord[]> {
    const found = await this.records.find({ _id: { $ne: this.process } }).lean();
    const [now, old] = [this.steady(), this.clock.now().getTime() - OLD_MS];
    for (const id of this.watched.keys())
      if (!found.some((one) => one._id === id)) this.watched.delete(id);
    return found.filter(({ _id, beat }) => {
      const known = this.watched.get(_id);
      if (known?.beat !== beat.getTime())
        this.watched.set(_id, { beat: beat.getTime(), since: now });
      else if (now - known.since >= DEAD_MS) return true;
      return beat.getTime() < old;
    });
  }

  /**
   * Settles what dead processes left; the worker calls this every few seconds. Answers how many
   * fans.
   */
  async sweep(): Promise<number> {
    const dead = await this.dead();
    let settled = 0;
    for (const one of dead) {
      const since = new Date(one.settledTo.getTime() - MARGIN_MS);
      // Read as a stream and settled in parts: under load a quarter of an hour holds more fans than
      // one answer of the store may.
      let fans = 0;
      let part = new Set<string>();
      const settle = async (): Promise<void> => {
        await this.projector.settle([...part]);
        fans += part.size;
        part = new Set();
      };
      for await (const { fan } of this.entries.collection.find<Entry>(
        { at: { $gte: since } },
        { projection: { _id: 0, fan: 1 }, batchSize: 5000 },
      )) {
        part.add(fan);
        if (part.size >= PART) await settle();
      }
      await settle();
      await this.records.deleteOne({ _id: one._id, beat: one.beat });
      settled += fans;
      this.log.info({ process: one._id, fans }, 'points: settled what a dead process left');
    }
    return settled;
  }
}
