import { Schema, type Connection, type Model } from 'mongoose';
import type { Clock } from '../platform/clock.js';
import { SwrCache } from '../platform/swr-cache.js';
import { isDuplicate, model } from '../platform/mongo.js';
import type { Head } from './entry.js';
import type { Rule, RuleSet, Thresholds } from './medals.js';

interface RuleRecord {
  _id: number;
  hub: [number, number, number];
  discipline: [number, number, number];
  from: string;
}
const schema = new Schema<RuleRecord>({
  _id: Number,
  hub: [Number],
  discipline: [Number],
  from: String,
});
const DEFAULTS: { hub: Thresholds; discipline: Thresholds } = {
  hub: [3, 10, 25],
  discipline: [2, 5, 10],
};
const FRESH_MS = 30_000;

export type { RuleSet } from './medals.js';

/**
 * The versions of the medal thresholds. Thresholds are stated by no source (RULES R4): the
 * organiser sets them.
 */
export class Rules {
  private readonly records: Model<RuleRecord>;
  private readonly known: SwrCache<RuleSet>;

  constructor(
    connection: Connection,
    private readonly clock: Clock,
  ) {
    this.records = model(connection, 'Rule', schema, 'rules');
    this.known = new SwrCache(FRESH_MS, 1, () => clock.now().getTime());
  }

  /** Adds a version; the earlier ones go on judging what was reached under them. */
  async set(thresholds: { hub: Thresholds; discipline: Thresholds }): Promise<Rule> {
    const last = await this.records.findOne().sort({ _id: -1 }).lean();
    const rule: Rule = {
      version: (last?._id ?? 0) + 1,
      ...thresholds,
      from: this.clock.now().toISOString(),
    };
    await this.records.create({
      _id: rule.version,
      hub: [...rule.hub],
      discipline: [...rule.discipline],
      from: rule.from,
    });
    this.known.invalidate();
    return rule;
  }

  /** Makes the first version, unless there is one: twice at once makes it once. */
  async seed(): Promise<void> {
    if (await this.records.exists({})) return;
    await this.set(DEFAULTS).catch((error: unknown) => {
      if (!isDuplicate(error)) throw error;
    });
  }

  private async load(): Promise<RuleSet> {
    const found = await this.records.find().sort({ _id: 1 }).lean();
    const all = new Map(
      found.map(({ _id: version, hub, discipline, from }): [number, Rule] => [
        version,
        { version, hub, discipline, from },
      ]),
    );
    const now = [...all.values()].at(-1);
    if (!now) throw new Error('no rule was seeded');
    return { now, all };
  }

  /**
   * The rule in force and all versions, at most half a minute old, but never older than `least`: a
   * medal reached under a version that another process has just made must be judged by it.
   */
  async read(least = 0): Promise<RuleSet> {
    const set = await this.known.get('all', () => this.load());
    if (set.now.version >= least) return set;
    this.known.invalidate();
    return this.known.get('all', () => this.load());
  }
}

/** The newest version of the rules that these standings name; 0 where they name none. */
export function newestRule(heads: Iterable<Pick<Head, 'after'>>): number {
  let newest = 0;
  for (const { after } of heads)
    for (const [, version] of Object.values(after.medals)) newest = Math.max(newest, version);
  return newest;
}
