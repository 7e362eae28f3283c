import DataLoader from 'dataloader';
import { setImmediate, setTimeout } from 'node:timers/promises';

/** A wait shorter than this, in ms, is not worth a timer. */
const LEAST_WAIT_MS = 0.5;

/**
 * A `DataLoader` that keeps a pace: it turns many single reads (or writes) into few, of which one
 * is in flight; what is asked for meanwhile is in the next. A key asked for twice in one batch is
 * read once; objects are keys by identity. Nothing is cached: every answer is as fresh as its
 * question.
 */
export class BatchLoader<V, K = string> {
  private readonly loader: DataLoader<K, V | null>;
  /** Settles when no batch is in flight or waiting. */
  private lastTurn: Promise<unknown> = Promise.resolve();
  private reading: Promise<unknown> = Promise.resolve();
  private turnsLeft = 0;
  private lastBegan = -Infinity;

  /**
   * @param read answers the keys it finds; the others are null @param maxBatchSize keys of one read
   * @param paceMs the least time between the beginnings of two reads: a command costs a process as
   * much as ten keys, so that under load few and full batches are quicker
   */
  constructor(
    private readonly read: (keys: K[]) => Promise<Map<K, V>>,
    maxBatchSize = 500,
    private readonly paceMs = 0,
  ) {
    this.loader = new DataLoader<K, V | null>((keys) => this.readBatch(keys), {
      maxBatchSize,
      batchScheduleFn: (dispatch) => {
        this.lastTurn = this.takeTurn(this.lastTurn, dispatch);
      },
    });
  }

  /** The value of a key, or null where there is none. Throws what the read of its batch throws. */
  load(key: K): Promise<V | null> {
    return this.loader.load(key);
  }

  /** Sends a batch when the one before it was answered, and not before the pace allows it. */
  private async takeTurn(before: Promise<unknown>, dispatch: () => void): Promise<void> {
    this.turnsLeft += 1;
    // What is asked for in this turn of the event loop joins the first batch.
    await (this.turnsLeft === 1 ? setImmediate() : before);
    const wait = this.paceMs - (performance.now() - this.lastBegan);
    if (wait > LEAST_WAIT_MS) await setTimeout(wait);
    this.lastBegan = performance.now();
    dispatch();
    await this.reading;
    this.turnsLeft -= 1;
  }

  private readBatch(keys: readonly K[]): Promise<(V | null)[]> {
    // DataLoader's cache serves only to find a key twice in a batch: from now on it is asked anew.
    for (const key of keys) this.loader.clear(key);
    const answers = this.answer(keys);
    this.reading = answers.catch(() => undefined);
    return answers;
  }

  private async answer(keys: readonly K[]): Promise<(V | null)[]> {
    const found = await this.read([...new Set(keys)]);
    return keys.map((key) => found.get(key) ?? null);
  }
}
