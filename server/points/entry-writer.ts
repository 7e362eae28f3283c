import type { Connection, Model } from 'mongoose';
import { insertAll } from '../platform/mongo.js';
import { outcomeOf } from './command.js';
import type { Entry } from './entry.js';
import { entryModel } from './entry.model.js';
import type { Heads } from './heads.js';
import { jitter } from './jitter.js';
import type { RelatedMemory } from './related.js';
import type { Attempt, Submission } from './submission.js';
import { turnKey, type DeedTurns } from './turns.js';

/** The indexes, among the entries of one insert, of those that were not stored. */
export type Refused = ReadonlySet<number>;
const NONE: Refused = new Set();

/**
 * Sends entries to the store, and makes of its answers what commands and memory learn from them.
 */
export class EntryWriter {
  private readonly records: Model<Entry>;

  constructor(
    connection: Connection,
    private readonly heads: Heads,
    private readonly related: RelatedMemory,
    /** Hears every entry that is known to be durable, in order for each fan. */
    private readonly written: (entries: Attempt[]) => void,
  ) {
    this.records = entryModel(connection);
  }

  /**
   * Writes single entries as one unordered insert. Each is of another fan, so that a refusal of one
   * never touches another.
   */
  async writeSingles(entries: Attempt[]): Promise<void> {
    await this.reconcile(entries, await this.send(entries, false));
  }

  /**
   * Sends entries in one insert, noted as attempts of their commands. Answers which of them a
   * unique key refused and, if ordered, all behind the first of these. Throws when the store does
   * not answer: then they may or may not be stored, and `recognise` finds out.
   */
  async send(entries: Attempt[], ordered: boolean): Promise<Refused> {
    if (entries.length === 0) return NONE;
    for (const entry of entries) entry.submission.attempts[entry.index]?.push(entry);
    const documents = entries.map(({ id, entry }) => ({ _id: id, ...entry }));
    const refused = new Set(await insertAll(this.records, documents, ordered));
    if (ordered && refused.size > 0)
      for (let index = Math.min(...refused); index < entries.length; index += 1) refused.add(index);
    return refused;
  }

  /**
   * Gives acknowledged entries to their commands. What was refused stays open: the heads it was
   * decided behind are forgotten, and the next flush reads and decides again.
   */
  async reconcile(entries: Attempt[], refused: Refused): Promise<void> {
    const acknowledged = entries.filter((_entry, index) => !refused.has(index));
    for (const attempt of acknowledged) {
      const outcome = outcomeOf(attempt);
      this.heads.remember(attempt.entry.fan, outcome.head);
      this.related.keep(attempt);
      attempt.submission.outcomes[attempt.index] = outcome;
    }
    if (acknowledged.length > 0) this.written(acknowledged);
    if (refused.size === 0) return;
    this.heads.forget([...refused].map((index) => (entries[index] as Attempt).entry.fan));
    await jitter();
  }

  /**
   * Finds entries of ours among the turns that were read, sent by an earlier flush and never
   * acknowledged: their commands are answered from them, whatever was written behind them since.
   */
  recognise({ outcomes, attempts }: Submission, turns: DeedTurns): void {
    for (const [index, sent] of attempts.entries()) {
      if (outcomes[index]) continue;
      // Not the last attempt alone: an insert without an answer may be stored while the one after
      // it is refused.
      const stored = sent.find(({ id, entry }) =>
        turns.get(turnKey(entry.fan, entry.deed))?.some((turn) => turn._id.equals(id)),
      );
      if (!stored) continue;
      outcomes[index] = outcomeOf(stored);
      this.written([stored]);
    }
  }
}
