import { Types, type Connection, type Model } from 'mongoose';
import { VillageError } from '../errors.js';
import type { Clock } from '../platform/clock.js';
import { insertAll, isStoreAway } from '../platform/mongo.js';
import { chain, headOf, MOST_POINTS, type DeedFacts, type Entry, type Head } from './entry.js';
import { entryModel } from './entry.model.js';
import type { Heads } from './heads.js';
import { newestRule, type Rules, type RuleSet } from './rules.js';
import { nextDay, windowKeys } from './windows.js';
import { lastOf, type Attempt, type LastTurn, type Part, type Single, type Waiting } from './waiting.js';
import { stillStands, type Outcome, type Wish } from './wish.js';

const PATIENCE_MS = 2000;
/**
 * The fewest ms between the beginnings of two flushes. A flush costs four commands whatever it holds: at 500 wishes a second, flushes as
 * fast as they go spent nearly all of two cores on commands (p99 71 to 180 ms), at this pace p99 was 54 ms. A lone wish never waits.
 */
const PACE_MS = 12;
const QUEUE_LIMIT = 20_000;
const FLUSH_LIMIT = 400;
const CHAIN_LIMIT = 500;
/** Entries of one insert of a chain: while the store writes them the next ones are decided. */
const PART = 250;
const GIVES_A_DAY = 3;

/**
 * The append-only statements of all fans (LEDGER 2). Group commit: one flush is in flight in a process, what arrives meanwhile is the
 * next. A flush reads the heads and the last turns once, decides, and writes one unordered insert with at most one entry a fan; a fan
 * with many wishes gets an ordered insert of their own. A refused insert is never renumbered: it is read and decided again.
 */
export class Ledger {
  private readonly records: Model<Entry>;
  private queue: Waiting[] = [];
  private oldest = Infinity;
  private begun = -Infinity;
  private flushing: Promise<void> | null = null;

  constructor(
    connection: Connection,
    private readonly heads: Heads,
    private readonly rules: Rules,
    private readonly clock: Clock,
    private readonly zone: string,
    /** Hears every acknowledged entry, in order a fan, after it is durable. */
    private readonly written: (entries: Entry[]) => void,
    /** Hears of fans for whom an insert may or may not have been stored when the patience ended. */
    private readonly unsure: (fans: string[]) => void,
  ) {
    this.records = entryModel(connection);
  }

  /** Records one wish. Throws `busy` or `unavailable` (503): the wish may or may not be true then, and asking again is safe. */
  async record(wish: Wish): Promise<Outcome> {
    return (await this.recordMany(wish.fan, [wish]))[0] as Outcome;
  }

  /** Records many wishes of one fan, in order. Deeds must differ. */
  recordMany(fan: string, wishes: Wish[]): Promise<Outcome[]> {
    if (wishes.length === 0) return Promise.resolve([]);
    if (this.queue.length >= QUEUE_LIMIT) return Promise.reject(new VillageError('busy', { seconds: 2 }));
    return new Promise((resolve, reject) => {
      this.queue.push({ fan, wishes, since: Date.now(), resolve, reject, outcomes: wishes.map(() => null), tried: [] });
      this.flushing ??= this.run();
    });
  }

  /** The instant before which every entry of this process was acknowledged and heard, in ms. */
  get clearTo(): number {
    return Math.min(this.oldest, ...this.queue.map((one) => one.since), this.clock.now().getTime());
  }

  /** Resolves when nothing is queued or in flight. */
  async idle(): Promise<void> {
    while (this.flushing) await this.flushing;
  }

  private async run(): Promise<void> {
    // Let everything that arrives in this turn of the event loop join the first flush.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      while (this.queue.length > 0) {
        const wait = PACE_MS - (performance.now() - this.begun);
        if (wait > 0.5) await new Promise((resolve) => setTimeout(resolve, wait));
        this.begun = performance.now();
        const batch = this.take();
        this.oldest = Math.min(...batch.map((one) => one.since));
        await this.flush(batch);
      }
    } finally {
      this.oldest = Infinity;
      this.flushing = null;
    }
  }

  /** The next flush: first in, first out, one waiting a fan. */
  private take(): Waiting[] {
    const batch: Waiting[] = [];
    const rest: Waiting[] = [];
    const fans = new Set<string>();
    for (const one of this.queue) {
      if (batch.length < FLUSH_LIMIT && !fans.has(one.fan)) {
        fans.add(one.fan);
        batch.push(one);
      } else rest.push(one);
    }
    this.queue = rest;
    return batch;
  }

  private async flush(batch: Waiting[]): Promise<void> {
    const late = Date.now() - PATIENCE_MS;
    const again: Waiting[] = [];
    try {
      // Read beside heads and turns, and for all wishes at once: one round trip less.
      const standing = Promise.all(batch.map((one) => Promise.all(one.wishes.map(stillStands))));
      standing.catch(() => undefined);
      const heads = await this.heads.of(batch.map((one) => one.fan));
      const rules = await this.rules.read(newestRule(heads.values()));
      // Whoever has no entry has done no deed: there is no last turn to read.
      const open = batch.filter((one) => (heads.get(one.fan)?.seq ?? 0) > 0).flatMap((one) => one.wishes.filter((_wish, at) => !one.outcomes[at]));
      const last = await this.lastTurns(open);
      for (const one of batch) this.recognise(one, last);
      const stands = await standing;
      const singles: Single[] = [];
      const chains: Promise<void>[] = [];
      await Promise.all(
        batch.map(async (one, place) => {
          const head = heads.get(one.fan) as Head;
          if (one.outcomes.every((outcome) => outcome !== null)) return;
          if (one.wishes.length > 1) {
            chains.push(this.writeChain(one, head, last, rules, stands[place] ?? []));
            return;
          }
          const wish = one.wishes[0] as Wish;
          const decided = await this.decide(wish, head, last, rules, stands[place]?.[0] ?? false);
          if ('seq' in decided) {
            const attempt = { id: new Types.ObjectId(), entry: decided };
            singles.push({ one, at: 0, ...attempt });
            one.tried[0] = attempt;
          } else one.outcomes[0] = decided;
        }),
      );
      // All of them, also when one fails: what is still on its way must not meet the next flush.
      const done = await Promise.allSettled([this.writeSingles(singles), ...chains]);
      for (const one of done) if (one.status === 'rejected') throw one.reason;
    } catch (error) {
      if (!isStoreAway(error)) {
        this.heads.forget(batch.map((one) => one.fan));
        this.unsure(batch.map((one) => one.fan));
        for (const one of batch) one.reject(error);
        return;
      }
      // No answer: what was written is found when the deed is read again. Until the patience ends, try.
      this.heads.forget(batch.map((one) => one.fan));
      if (batch.some((one) => one.since > late)) await jitter();
    }
    for (const one of batch) {
      if (one.outcomes.every((outcome) => outcome !== null)) one.resolve(one.outcomes);
      else if (one.since < late) {
        if (one.tried.length > 0) this.unsure([one.fan]);
        one.reject(new VillageError('unavailable', { seconds: 2 }));
      } else again.push(one);
    }
    this.queue.unshift(...again);
  }

  /** The last turn of every deed of a flush, in one find on the unique index (fan, deed, turn). */
  private async lastTurns(wishes: Wish[]): Promise<Map<string, LastTurn>> {
    if (wishes.length === 0) return new Map();
    const fans = [...new Set(wishes.map((wish) => wish.fan))];
    const deeds = [...new Set(wishes.map((wish) => wish.deed))];
    const found = await this.records.collection
      .find<LastTurn>(
        { fan: fans.length === 1 ? fans[0] : { $in: fans }, deed: deeds.length === 1 ? deeds[0] : { $in: deeds } },
        {
          projection: { fan: 1, seq: 1, deed: 1, turn: 1, account: 1, athlete: 1, disciplines: 1, season: 1, earnedAt: 1 },
          readConcern: { level: 'majority' },
        },
      )
      .toArray();
    return lastOf(found);
  }

  /** An insert that nobody acknowledged and that is there all the same was ours: answer from it, and let it be heard. */
  private recognise(one: Waiting, last: Map<string, LastTurn>): void {
    for (const [at, attempt] of one.tried.entries()) {
      if (!attempt || one.outcomes[at]) continue;
      const { id, entry } = attempt;
      if (!last.get(`${entry.fan}\0${entry.deed}`)?._id.equals(id)) continue;
      one.outcomes[at] = { entry, turn: entry.turn, head: headOf(entry), limited: null, dropped: false };
      this.written([entry]);
    }
  }

  /** The entry that a wish means behind this head, or the outcome when nothing is to be written. */
  private async decide(wish: Wish, head: Head, last: Map<string, LastTurn>, rules: RuleSet, stands: boolean): Promise<Entry | Outcome> {
    const before = last.get(`${wish.fan}\0${wish.deed}`);
    const turn = before?.turn ?? 0;
    const nothing = (more: Partial<Outcome> = {}): Outcome => ({ entry: null, turn, head, limited: null, dropped: false, ...more });
    const next = turn + 1;
    const odd = next % 2 === 1;
    if (wish.seen !== undefined && wish.seen !== turn) return nothing();
    if (wish.want === 'give' ? !odd : wish.want === 'take' ? odd : wish.want.turn !== next) return nothing();
    const at = this.clock.now();
    if (odd) {
      if (head.after.points >= MOST_POINTS) return nothing({ dropped: true });
      const limited = next > 2 * GIVES_A_DAY ? await this.limitedUntil(wish, at) : null;
      if (limited) return nothing({ limited });
      if (!stands) return nothing({ dropped: true });
    }
    const facts: DeedFacts = before
      ? { account: before.account, athlete: before.athlete, disciplines: before.disciplines, season: before.season, earnedAt: before.earnedAt }
      : { ...wish.facts, season: windowKeys(at, this.zone).season, earnedAt: at };
    return chain(
      head,
      wish.fan,
      wish.deed,
      next,
      facts,
      { cause: wish.cause, card: wish.card, link: wish.link, evidence: wish.evidence, askedAt: wish.askedAt },
      { at, floor: head.after.reachedAt, zone: this.zone, rule: rules.now, rules: rules.all },
    );
  }

  /** When a deed has been given three times today: the instant it may be given again (LEDGER 4). */
  private async limitedUntil(wish: Wish, at: Date): Promise<Date | null> {
    const recent = await this.records.collection
      .find<Entry>({ fan: wish.fan, deed: wish.deed }, { projection: { at: 1, turn: 1 } })
      .sort({ turn: -1 })
      .limit(2 * GIVES_A_DAY)
      .toArray();
    const today = windowKeys(at, this.zone).day;
    const gives = recent.filter((entry) => entry.turn % 2 === 1 && windowKeys(entry.at, this.zone).day === today);
    return gives.length >= GIVES_A_DAY ? nextDay(at, this.zone) : null;
  }

  private accept(one: Waiting, at: number, entry: Entry): void {
    const head = headOf(entry);
    this.heads.put(entry.fan, head);
    one.outcomes[at] = { entry, turn: entry.turn, head, limited: null, dropped: false };
  }

  /** One unordered insert, at most one entry a fan: a refusal of one never touches another. */
  private async writeSingles(items: Single[]): Promise<void> {
    if (items.length === 0) return;
    const refused = await this.insert(items, false);
    const good = items.filter((_item, at) => !refused.has(at));
    for (const { one, entry, at } of good) this.accept(one, at, entry);
    if (good.length > 0) this.written(good.map(({ entry }) => entry));
    if (refused.size === 0) return;
    this.heads.forget(items.filter((_item, at) => refused.has(at)).map(({ entry }) => entry.fan));
    // The winner's insert may not be visible to a majority read yet: wait a moment before reading again.
    await jitter();
  }

  /**
   * Many entries of one fan, chained inside ordered inserts. A part is sent when all before it is stored, and decided while that is being
   * written; behind the first refusal everything is decided anew.
   */
  private async writeChain(one: Waiting, start: Head, last: Map<string, LastTurn>, rules: RuleSet, stands: boolean[]): Promise<void> {
    let [head, at, left] = [start, 0, CHAIN_LIMIT];
    let sent: Part | null = null;
    try {
      while (at < one.wishes.length && left > 0) {
        const part: Part = { entries: [], settled: [], refused: Promise.resolve(new Set<number>()) };
        for (; at < one.wishes.length && left > 0 && part.entries.length < PART; at += 1) {
          if (one.outcomes[at]) continue;
          const decided = await this.decide(one.wishes[at] as Wish, head, last, rules, stands[at] ?? false);
          if ('seq' in decided) {
            part.entries.push({ at, id: new Types.ObjectId(), entry: decided });
            head = headOf(decided);
            left -= 1;
          } else part.settled.push({ at, outcome: decided });
        }
        if (sent && !(await this.stored(one, sent))) return;
        for (const { at: place, id, entry } of part.entries) one.tried[place] = { id, entry };
        if (part.entries.length > 0) part.refused = this.insert(part.entries, true);
        part.refused.catch(() => undefined);
        sent = part;
        // It leaves before the next part is decided.
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (sent) await this.stored(one, sent);
    } finally {
      await sent?.refused.catch(() => undefined);
    }
  }

  /** Waits for a part of a chain to be stored and answers whether all of it is. */
  private async stored(one: Waiting, { entries, settled, refused }: Part): Promise<boolean> {
    const first = Math.min(entries.length, ...(await refused));
    const good = entries.slice(0, first);
    for (const { entry, at } of good) this.accept(one, at, entry);
    if (good.length > 0) this.written(good.map(({ entry }) => entry));
    if (first < entries.length) {
      this.heads.forget([one.fan]);
      await jitter();
      return false;
    }
    for (const { at, outcome } of settled) one.outcomes[at] = outcome;
    return true;
  }

  /** Sends entries; answers the places in the batch that a unique key refused (behind the first one, where they are chained). */
  private async insert(entries: Attempt[], ordered: boolean): Promise<Set<number>> {
    const refused = new Set(
      await insertAll(
        this.records,
        entries.map(({ id, entry }) => ({ _id: id, ...entry })),
        ordered,
      ),
    );
    if (ordered && refused.size > 0) for (let at = Math.min(...refused); at < entries.length; at += 1) refused.add(at);
    return refused;
  }
}

const jitter = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 45));
