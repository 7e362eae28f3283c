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
const DEAD_MS = 10_000;
/** How far back a dead process's entries are looked for behind its mark: clocks of processes differ, inserts take time. */
const MARGIN_MS = 15 * 60_000;
const PART = 5000;
/** How long one who leaves waits for what is not settled yet, in ms. */
const LEAVE_MS = 5000;

/** What a killed process left (LEDGER 3): every process says each second up to when it has settled; another settles the rest. */
export class Beats {
  private readonly records: Model<BeatRecord>;
  private readonly entries: Model<Entry>;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    connection: Connection,
    private readonly process: string,
    private readonly projector: Projector,
    private readonly clearTo: () => number,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    this.records = model(connection, 'Beat', schema, 'beats');
    this.entries = entryModel(connection);
  }

  /** Beats once before anything is acknowledged, so that a process killed in its first second is missed too; then every second. */
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

  /** Leaves in order: nothing is open, so nobody need look after us. While a store is away that cannot be, and others settle what is left. */
  async stop(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const late = setTimeout(() => {
      this.projector.stop();
    }, LEAVE_MS);
    await this.projector.idle();
    clearTimeout(late);
    this.projector.stop();
    if (this.projector.clear) await this.records.deleteOne({ _id: this.process }).catch(() => undefined);
  }

  async beat(): Promise<void> {
    const now = this.clock.now();
    const settledTo = new Date(Math.min(this.projector.settledTo, this.clearTo()));
    await this.records.updateOne({ _id: this.process }, { $set: { beat: now }, $max: { settledTo } }, { upsert: true });
  }

  /** Settles what dead processes left; the worker calls this every few seconds. Answers how many fans. */
  async sweep(): Promise<number> {
    const dead = await this.records.find({ beat: { $lt: new Date(this.clock.now().getTime() - DEAD_MS) }, _id: { $ne: this.process } }).lean();
    let settled = 0;
    for (const one of dead) {
      const since = new Date(one.settledTo.getTime() - MARGIN_MS);
      // Read as a stream and settled in parts: under load a quarter of an hour holds more fans than one answer of the store may.
      let fans = 0;
      let part = new Set<string>();
      const settle = async (): Promise<void> => {
        await this.projector.settle([...part]);
        fans += part.size;
        part = new Set();
      };
      for await (const { fan } of this.entries.collection.find<Entry>({ at: { $gte: since } }, { projection: { _id: 0, fan: 1 }, batchSize: 5000 })) {
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
