import type { Connection, Model } from 'mongoose';
import { accountModel, EARNS, type AccountRecord } from './account.model.js';

/** Reads epochs uncached, because a give re-reads them when it decides (LEDGER 4). */
export class Epochs {
  private readonly records: Model<AccountRecord>;
  private readonly asked = new Map<string, { resolve: (epoch: number | null) => void; reject: (error: unknown) => void }[]>();

  constructor(connection: Connection) {
    this.records = accountModel(connection);
  }

  /**
   * The epoch of a verified account as the store has it now, null when it is not verified. What is asked in one turn of the event loop
   * is one read, so a flush of the ledger pays for it once.
   */
  of(id: string): Promise<number | null> {
    return new Promise((resolve, reject) => {
      const waiting = this.asked.get(id);
      if (waiting) {
        waiting.push({ resolve, reject });
        return;
      }
      if (this.asked.size === 0)
        setImmediate(() => {
          void this.askEpochs();
        });
      this.asked.set(id, [{ resolve, reject }]);
    });
  }

  private async askEpochs(): Promise<void> {
    const asked = new Map(this.asked);
    this.asked.clear();
    try {
      const found = await this.records.collection
        .find<AccountRecord>({ _id: { $in: [...asked.keys()] as never[] } }, { projection: { epoch: 1, state: 1 }, readConcern: { level: 'majority' } })
        .toArray();
      const epochs = new Map(found.filter((one) => EARNS.includes(one.state)).map((one) => [one._id, one.epoch]));
      for (const [id, list] of asked) for (const one of list) one.resolve(epochs.get(id) ?? null);
    } catch (error) {
      for (const list of asked.values()) for (const one of list) one.reject(error);
    }
  }
}
