import canonicalize from 'canonicalize';
import type { Connection, Model } from 'mongoose';
import { NO_HEAD, headOf, namesItsAct, type Entry, type Head } from './entry.js';
import { entryModel } from './entry.model.js';
import { sha256 } from '../platform/ids.js';
import type { RuleSet } from './rules.js';
import type { Scores } from './scores.js';
import { standingAfter } from './standing.js';

/** What a check of the whole ledger found; `bad` is the first line that is wrong. */
export interface VerifyResult {
  entries: number;
  fans: number;
  points: number;
  bad: { fan: string; seq: number; reason: string } | null;
}

/** How many fans' scores are read together. */
const TOGETHER = 500;

/** The fields of version 1, a closed list (`entry.ts`). */
const VERSION_1: Record<keyof Entry, true> = {
  ...{ v: true, fan: true, seq: true, deed: true, turn: true, delta: true, after: true },
  ...{ account: true, on: true, athlete: true, disciplines: true, season: true, earnedAt: true },
  ...{ rule: true, card: true, cause: true, act: true, link: true, evidence: true, askedAt: true },
  ...{ at: true, prev: true, hash: true },
};
const FIELDS: ReadonlySet<string> = new Set(Object.keys(VERSION_1));

/** What the entries of one fan have given so far. */
class Statement {
  head: Head = NO_HEAD;
  sum = 0;
  private readonly turns = new Map<string, Entry>();
  private readonly seasonsPast = new Set<string>();

  constructor(
    readonly fan: string,
    private readonly rules: RuleSet,
    private readonly zone: string,
  ) {}

  /** Takes the next entry; answers what is wrong with it, or null. */
  take(entry: Entry): string | null {
    const flaw =
      this.flawOfPlace(entry) ??
      this.flawOfFields(entry) ??
      this.flawOfHash(entry) ??
      this.flawOfFacts(entry) ??
      this.flawOfSeason(entry) ??
      this.flawOfStanding(entry);
    if (flaw !== null) return flaw;
    this.sum += entry.delta;
    this.turns.set(entry.deed, entry);
    this.head = headOf(entry);
    return null;
  }

  private flawOfPlace({ v, seq, turn, deed, delta }: Entry): string | null {
    if ((v as number) !== 1) return `format ${v} is unknown`;
    const last = this.turns.get(deed)?.turn ?? 0;
    if (seq !== this.head.seq + 1) return `sequence ${seq} after ${this.head.seq}`;
    if (turn !== last + 1) return `turn ${turn} of ${deed} after ${last}`;
    if (delta !== (turn % 2 === 1 ? 1 : -1)) return `delta ${delta} at turn ${turn}`;
    return null;
  }

  private flawOfHash({ hash, ...body }: Entry): string | null {
    if (body.prev !== this.head.hash) return 'prev is not the hash of the entry before';
    // By the library, not by the text that was spelled out: each judges the other.
    return sha256(canonicalize(body) ?? '') === hash ? null : 'the hash does not fit';
  }

  /** Version 1 has these fields and no other (`entry.ts`). */
  private flawOfFields(entry: Entry): string | null {
    const given = Object.keys(entry);
    const isWhole = given.length === FIELDS.size && given.every((name) => FIELDS.has(name));
    return isWhole ? null : 'it has not the fields of version 1';
  }

  private flawOfFacts(entry: Entry): string | null {
    if (!namesItsAct(entry)) return `cause ${entry.cause} with act ${entry.act ?? 'null'}`;
    if (entry.at.getTime() < this.head.after.reachedAt) return 'earlier than the entry before';
    const first = this.turns.get(entry.deed);
    if (!first && entry.earnedAt.getTime() !== entry.at.getTime())
      return 'earned at another time than turn 1';
    const isKept =
      !first ||
      (first.account === entry.account &&
        first.on === entry.on &&
        first.athlete === entry.athlete &&
        first.season === entry.season &&
        first.earnedAt.getTime() === entry.earnedAt.getTime() &&
        first.disciplines.join() === entry.disciplines.join());
    return isKept ? null : 'a later turn changed what turn 1 had fixed';
  }

  /**
   * Which season ran is told by the entry alone, so that no season added later changes what is
   * right. A deed is of the season of its turn 1, and a season that ended never comes back.
   */
  private flawOfSeason({ after, turn, season }: Entry): string | null {
    const [running] = after.windows.season;
    const [before] = this.head.after.windows.season;
    if (turn === 1 && season !== running) return `season ${season} at turn 1, in ${running}`;
    if (running !== before) this.seasonsPast.add(before);
    return this.seasonsPast.has(running) ? `season ${running} came back` : null;
  }

  private flawOfStanding(entry: Entry): string | null {
    const rule = this.rules.all.get(entry.rule);
    if (!rule) return `rule ${entry.rule} is unknown`;
    const after = standingAfter(this.head.after, {
      delta: entry.delta,
      at: entry.at,
      facts: entry,
      zone: this.zone,
      season: entry.after.windows.season[0],
      rules: { now: rule, all: this.rules.all },
    });
    const fits = canonicalize(after) === canonicalize(entry.after);
    return fits && after.points === this.sum + entry.delta
      ? null
      : 'the standing after it is not what the entries give';
  }
}

/**
 * Walks the whole ledger in order and checks every line: sequence without holes, turns without
 * gaps, deltas, hashes and their chain, what turn 1 fixed, the season, and the standing recomputed
 * from nothing; then every score against its fan's last line. Stops at the first bad one and names
 * it.
 */
export class LedgerCheck {
  private readonly records: Model<Entry>;
  private readonly result: VerifyResult = { entries: 0, fans: 0, points: 0, bad: null };
  /** Whose entries are all read, still to be compared with their scores: many in one read. */
  private read: Statement[] = [];

  constructor(
    connection: Connection,
    private readonly scores: Scores,
    private readonly rules: RuleSet,
    private readonly zone: string,
  ) {
    this.records = entryModel(connection);
  }

  /** Makes the check; once. */
  async run(): Promise<VerifyResult> {
    let statement = null as Statement | null;
    for await (const entry of this.entries()) {
      if (statement?.fan !== entry.fan) {
        if (statement && (await this.close(statement))) return this.result;
        statement = new Statement(entry.fan, this.rules, this.zone);
      }
      this.result.entries += 1;
      const flaw = statement.take(entry);
      if (flaw === null) continue;
      // What was read before a bad entry may be bad as well, and is named first.
      if (!(await this.compare())) this.name(entry.fan, entry.seq, flaw);
      return this.result;
    }
    if (statement && (await this.close(statement))) return this.result;
    await this.compare();
    return this.result;
  }

  private async *entries(): AsyncGenerator<Entry> {
    // Whole records: with a projection SecantusDB holds all of them before it answers the first.
    const options = { batchSize: 1000, readConcern: { level: 'majority' as const } };
    const found = this.records.collection.find<Entry & { _id: unknown }>({}, options);
    for await (const { _id, ...entry } of found.sort({ fan: 1, seq: 1 })) yield entry;
  }

  private name(fan: string, seq: number, reason: string): true {
    this.result.bad = { fan, seq, reason };
    return true;
  }

  /** Counts a statement that was read to its end; answers whether something is wrong. */
  private async close(statement: Statement): Promise<boolean> {
    this.result.fans += 1;
    this.result.points += statement.sum;
    this.read.push(statement);
    return this.read.length >= TOGETHER && (await this.compare());
  }

  /** Holds scores against the statements that were read; answers whether one is wrong. */
  private async compare(): Promise<boolean> {
    const scores = await this.scores.byFans(this.read.map(({ fan }) => fan));
    for (const { fan, head, sum } of this.read) {
      const score = scores.get(fan);
      if (!score || score.seq < head.seq) continue;
      if (score.seq > head.seq)
        return this.name(fan, score.seq, 'the score knows an entry that is not there');
      const { points } = score.after;
      if (points !== sum)
        return this.name(
          fan,
          score.seq,
          `the score says ${points} points, the entries sum to ${sum}`,
        );
    }
    this.read = [];
    return false;
  }
}
