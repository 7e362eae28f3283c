import type { Connection, Model } from 'mongoose';
import { NO_HEAD, headOf, type Entry, type Head } from './entry.js';
import { entryModel } from './entry.model.js';
import type { Scores } from './scores.js';
import { anyOf, inParts } from './turns.js';

/** Fans whose heads are remembered. */
const LIMIT = 200_000;

/**
 * The last entry of each fan: from memory as a hint (a stale one is refused by the unique index),
 * else from the score and the tail of the ledger behind it, for many fans in two reads.
 */
export class Heads {
  private readonly records: Model<Entry>;
  private readonly known = new Map<string, Head>();

  constructor(
    connection: Connection,
    private readonly scores: Scores,
  ) {
    this.records = entryModel(connection);
  }

  /** What is remembered of these fans: unproved hints. The others are absent. */
  recall(fans: string[]): Map<string, Head> {
    const found = new Map<string, Head>();
    for (const fan of fans) {
      const head = this.known.get(fan);
      if (head) found.set(fan, head);
    }
    return found;
  }

  /** Reads heads as the store has them now, and remembers them. */
  async refresh(fans: string[]): Promise<Map<string, Head>> {
    if (fans.length === 0) return new Map();
    const found = await this.read(fans);
    for (const [fan, head] of found) this.remember(fan, head);
    return found;
  }

  /**
   * Finds newer heads, as the store has them now, and remembers them; fans whose head here is still
   * their last are absent.
   */
  async findNewer(heads: ReadonlyMap<string, Head>): Promise<Map<string, Head>> {
    const found = await this.tail([...heads].map(([fan, { seq }]) => ({ fan, seq: { $gt: seq } })));
    for (const [fan, head] of found) this.remember(fan, head);
    return found;
  }

  /** Reads heads as the store has them now. */
  async read(fans: string[]): Promise<Map<string, Head>> {
    const scores = await this.scores.seqs(fans);
    // Fans without a score have a few entries at most, found by one list; the others are read from
    // where their score ends.
    const scored = fans
      .filter((fan) => scores.has(fan))
      .map((fan) => ({ fan, seq: { $gte: scores.get(fan) as number } }));
    const unscored = fans.filter((fan) => !scores.has(fan));
    const found = await this.tail([
      ...scored,
      ...(unscored.length > 0 ? [{ fan: { $in: unscored } }] : []),
    ]);
    return new Map(fans.map((fan) => [fan, found.get(fan) ?? NO_HEAD]));
  }

  /** The last entry of each fan among those that any of these filters finds. */
  private async tail(filters: object[]): Promise<Map<string, Head>> {
    const found = new Map<string, Head>();
    await Promise.all(
      inParts(filters).map(async (part) => {
        const tail = this.records.collection.find<Entry>(anyOf(part), {
          projection: { _id: 0, fan: 1, seq: 1, hash: 1, after: 1 },
          readConcern: { level: 'majority' },
        });
        for await (const entry of tail)
          if ((found.get(entry.fan)?.seq ?? 0) < entry.seq) found.set(entry.fan, headOf(entry));
      }),
    );
    return found;
  }

  /** Remembers the head of a fan; beyond the limit the one remembered longest ago is forgotten. */
  remember(fan: string, head: Head): void {
    this.known.delete(fan);
    this.known.set(fan, head);
    if (this.known.size > LIMIT) this.known.delete(this.known.keys().next().value as string);
  }

  /** Forgets the heads of these fans, so that they are read from the store next time. */
  forget(fans: string[]): void {
    for (const fan of fans) this.known.delete(fan);
  }
}
