import { Types, type Connection, type Model } from 'mongoose';
import { VillageError } from '../errors.js';
import type { Clock } from '../platform/clock.js';
import { insertAll, isStoreAway } from '../platform/mongo.js';
import type { Written } from './award.js';
import { askedOf, besideAt, BesideMemory } from './beside.js';
import {
  chain,
  headOf,
  MOST_POINTS,
  namesItsAct,
  type DeedFacts,
  type Entry,
  type Head,
} from './entry.js';
import { entryModel } from './entry.model.js';
import type { Heads } from './heads.js';
import { newestRule, type Rules, type RuleSet } from './rules.js';
import type { SeasonCalendar, Seasons } from './seasons.js';
import { turnKey, Turns } from './turns.js';
import { nextDay, windowKeys } from './windows.js';
import {
  earliest,
  open,
  TURN_FIELDS,
  type Attempt,
  type DeedTurns,
  type Part,
  type Single,
  type Waiting,
} from './waiting.js';
import { nextTurn, outcomeOf, stillStands, type Outcome, type Command } from './command.js';

const PATIENCE_MS = 2000;
/**
 * The fewest ms between the beginnings of two flushes. A flush costs four commands whatever it
 * holds: at 500 commands a second, flushes as fast as they go spent nearly all of two cores on
 * commands (p99 71 to 180 ms), at this pace p99 was 54 ms. A lone command never waits.
 */
const PACE_MS = 12;
const QUEUE_LIMIT = 20_000;
const FLUSH_LIMIT = 400;
const CHAIN_LIMIT = 500;
/** Entries of one insert of a chain: while the store writes them the next ones are decided. */
const PART = 250;
const GIVES_A_DAY = 3;

/**
 * The append-only statements of all fans (LEDGER 2). Group commit: one flush is in flight in a
 * process, what arrives meanwhile is the next. A flush reads the heads and the last turns once,
 * decides, and writes one unordered insert with at most one entry a fan; a fan with many commands
 * gets an ordered insert of their own. A refused insert is never renumbered: it is read and decided
 * again.
 */
export class Ledger {
  private readonly records: Model<Entry>;
  private readonly turns: Turns;
  private readonly beside = new BesideMemory();
  private queue: Waiting[] = [];
  private oldest = Infinity;
  private begun = -Infinity;
  private flushing: Promise<void> | null = null;

  constructor(
    connection: Connection,
    private readonly heads: Heads,
    private readonly rules: Rules,
    private readonly seasons: Seasons,
    private readonly clock: Clock,
    private readonly zone: string,
    private readonly hears: {
      /** Hears every acknowledged entry, in order a fan, after it is durable. */
      written(entries: Written[]): void;
      /**
       * Hears of fans for whom an insert may or may not have been stored when the patience ended,
       * with when it was begun.
       */
      unsure(fans: { fan: string; since: number }[]): void;
      /** Awaited before anything is written at this instant. */
      ready(at: number): Promise<void>;
    },
  ) {
    this.records = entryModel(connection);
    this.turns = new Turns(connection);
  }

  /**
   * Records one command. Throws `busy` or `unavailable` (503): the command may or may not be true then,
   * and asking again is safe.
   */
  async record(command: Command): Promise<Outcome> {
    return (await this.recordMany(command.fan, [command]))[0] as Outcome;
  }

  /** Records many commands of one fan, in order. Deeds must differ. */
  recordMany(fan: string, commands: Command[]): Promise<Outcome[]> {
    if (commands.length === 0) return Promise.resolve([]);
    // Known before it is queued: a fault of one caller must not fail a flush of many.
    if (!commands.every(namesItsAct))
      return Promise.reject(new Error('a manual turn names the act of staff, and no other does'));
    if (this.queue.length >= QUEUE_LIMIT)
      return Promise.reject(new VillageError('busy', { seconds: 2 }));
    return new Promise((resolve, reject) => {
      const since = this.clock.now().getTime();
      const until = performance.now() + PATIENCE_MS;
      this.queue.push({
        fan,
        commands,
        since,
        until,
        resolve,
        reject,
        outcomes: commands.map(() => null),
        tried: commands.map(() => []),
      });
      this.flushing ??= this.run();
    });
  }

  /** The instant before which every entry of this process was acknowledged and heard, in ms. */
  get clearTo(): number {
    return earliest(
      this.queue.map((one) => one.since),
      Math.min(this.oldest, this.clock.now().getTime()),
    );
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
        this.oldest = earliest(batch.map((one) => one.since));
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
    const late = performance.now();
    const again: Waiting[] = [];
    const lose = (lost: Waiting[]): void => {
      this.hears.unsure(lost.map(({ fan, since }) => ({ fan, since })));
    };
    try {
      const now = this.clock.now();
      // A clock set back while they waited: what is written now bears the earlier instant.
      for (const one of batch) one.since = Math.min(one.since, now.getTime());
      await this.hears.ready(now.getTime());
      // Read beside heads and turns, and for all commands at once: one round trip less.
      const standing = Promise.all(batch.map((one) => Promise.all(one.commands.map(stillStands))));
      standing.catch(() => undefined);
      const hints = this.heads.hints(batch.map((one) => one.fan));
      const read = await this.heads.read(
        batch.map((one) => one.fan).filter((fan) => !hints.has(fan)),
      );
      const heads = new Map([...hints, ...read]);
      // Whoever has no entry, as the store says just now and not as we remember, has done no deed:
      // there is no turn to read.
      const known = (fan: string): ReadonlyMap<string, boolean> =>
        this.beside.at(fan, heads.get(fan) as Head);
      const doers = batch.filter(({ fan }) => (read.get(fan)?.seq ?? 1) > 0);
      const asked = doers.map(
        (one) => [one.fan, askedOf(one, heads.get(one.fan) as Head, known(one.fan))] as const,
      );
      const turns: DeedTurns = await this.turns.find(new Map(asked), TURN_FIELDS);
      for (const one of batch) this.recognise(one, turns);
      const stands = await standing;
      const doubtful = batch.filter((one, place) =>
        this.needsProof(
          one,
          heads.get(one.fan) as Head,
          hints.has(one.fan),
          turns,
          stands[place] ?? [],
        ),
      );
      const newer = await this.heads.newer(
        new Map(doubtful.map(({ fan }) => [fan, heads.get(fan) as Head])),
      );
      for (const [fan, head] of newer) heads.set(fan, head);
      const [rules, seasons] = await Promise.all([
        this.rules.read(newestRule(heads.values())),
        this.seasons.read(),
      ]);
      const singles: Single[] = [];
      const chains: Promise<void>[] = [];
      for (const [place, one] of batch.entries()) {
        const head = heads.get(one.fan) as Head;
        if (open(one).length === 0) continue;
        if (one.commands.length > 1) {
          chains.push(
            this.writeChain(one, head, {
              ...{ now, turns, rules, seasons },
              stands: stands[place] ?? [],
            }),
          );
          continue;
        }
        const decided = this.decide(
          one.commands[0] as Command,
          head,
          { now, turns, rules, seasons },
          stands[place]?.[0] ?? false,
        );
        if ('seq' in decided) {
          const beside = newer.has(one.fan)
            ? undefined
            : besideAt(one, head, turns, known(one.fan));
          const attempt = {
            id: new Types.ObjectId(),
            entry: decided,
            before: head.after.medals,
            beside,
          };
          singles.push({ one, at: 0, ...attempt });
          one.tried[0]?.push(attempt);
        } else one.outcomes[0] = decided;
      }
      // All of them, also when one fails: what is still on its way must not meet the next flush.
      const done = await Promise.allSettled([this.writeSingles(singles), ...chains]);
      for (const one of done) if (one.status === 'rejected') throw one.reason;
    } catch (error) {
      this.heads.forget(batch.map((one) => one.fan));
      if (!isStoreAway(error)) {
        lose(batch);
        for (const one of batch) one.reject(error);
        return;
      }
      // No answer: what was written is found when the deed is read again. Until the patience ends,
      // try.
      if (batch.some((one) => one.until > late)) await jitter();
    }
    for (const one of batch) {
      if (open(one).length === 0) one.resolve(one.outcomes as Outcome[]);
      else if (one.until < late) {
        if (one.tried.some((attempts) => attempts.length > 0)) lose([one]);
        one.reject(new VillageError('unavailable', { seconds: 2 }));
      } else again.push(one);
    }
    this.queue.unshift(...again);
  }

  /**
   * Whether a head must be looked at again before it is answered from. An insert proves the head it
   * is chained behind, so a remembered one serves for that; what is answered without an insert, or
   * with a turn that the head does not know yet, is answered from the store.
   */
  private needsProof(
    one: Waiting,
    head: Head,
    hint: boolean,
    turns: DeedTurns,
    stands: boolean[],
  ): boolean {
    return one.commands.some((command, at) => {
      if (one.outcomes[at]) return false;
      const last = turns.get(turnKey(command.fan, command.deed))?.at(-1);
      if ((last?.seq ?? 0) > head.seq) return true;
      const next = nextTurn(command, last?.turn ?? 0);
      const gives = next !== null && next % 2 === 1;
      return (
        hint &&
        (next === null ||
          (gives && (!stands[at] || next > 2 * GIVES_A_DAY || head.after.points >= MOST_POINTS)))
      );
    });
  }

  /**
   * An insert that nobody acknowledged and that is there all the same was ours, whatever came
   * behind it: answer from it, and let it be heard.
   */
  private recognise(one: Waiting, turns: DeedTurns): void {
    for (const [at, attempts] of one.tried.entries()) {
      if (one.outcomes[at]) continue;
      // Not the last one alone: an insert without an answer may be stored while the one after it is
      // refused.
      const attempt = attempts.find(({ id, entry }) =>
        turns.get(turnKey(entry.fan, entry.deed))?.some((turn) => turn._id.equals(id)),
      );
      if (!attempt) continue;
      one.outcomes[at] = outcomeOf(attempt);
      this.hears.written([attempt]);
    }
  }

  /** The entry that a command means behind this head, or the outcome when nothing is to be written. */
  private decide(
    command: Command,
    head: Head,
    known: { now: Date; turns: DeedTurns; rules: RuleSet; seasons: SeasonCalendar },
    stands: boolean,
  ): Entry | Outcome {
    const turns = known.turns.get(turnKey(command.fan, command.deed)) ?? [];
    const before = turns.at(-1);
    const turn = before?.turn ?? 0;
    const nothing = (more: Partial<Outcome> = {}): Outcome => ({
      entry: null,
      turn,
      head,
      before: head.after.medals,
      limited: null,
      dropped: false,
      ...more,
    });
    const next = nextTurn(command, turn);
    if (next === null) return nothing();
    // Time never runs backwards inside a statement, whatever the clock does (RELIABILITY F16): all
    // that is cut by days goes by this instant.
    const at = new Date(Math.max(known.now.getTime(), head.after.reachedAt));
    if (next % 2 === 1) {
      if (head.after.points >= MOST_POINTS) return nothing({ dropped: true });
      const limited = this.limitedUntil(turns, at);
      if (limited) return nothing({ limited });
      if (!stands) return nothing({ dropped: true });
    }
    const season = known.seasons.seasonAt(windowKeys(at, this.zone).day);
    const facts: DeedFacts = before
      ? {
          account: before.account,
          on: before.on,
          athlete: before.athlete,
          disciplines: before.disciplines,
          season: before.season,
          earnedAt: before.earnedAt,
        }
      : { ...command.facts, season, earnedAt: at };
    const { fan, deed, cause, act, card, link, evidence, askedAt } = command;
    const how = { cause, act, card, link, evidence, askedAt };
    return chain(
      head,
      { fan, deed, turn: next, facts, how },
      {
        at,
        zone: this.zone,
        season,
        rules: known.rules,
      },
    );
  }

  /** When a deed has been given three times today: the instant it may be given again (LEDGER 4). */
  private limitedUntil(turns: readonly { turn: number; at: Date }[], at: Date): Date | null {
    if (turns.length < 2 * GIVES_A_DAY) return null;
    const today = windowKeys(at, this.zone).day;
    const gives = turns.filter(
      (one) => one.turn % 2 === 1 && windowKeys(one.at, this.zone).day === today,
    );
    return gives.length >= GIVES_A_DAY ? nextDay(at, this.zone) : null;
  }

  private accept(one: Waiting, at: number, written: Written): void {
    const outcome = outcomeOf(written);
    this.heads.put(one.fan, outcome.head);
    this.beside.keep(written);
    one.outcomes[at] = outcome;
  }

  /** One unordered insert, at most one entry a fan: a refusal of one never touches another. */
  private async writeSingles(items: Single[]): Promise<void> {
    if (items.length === 0) return;
    const refused = await this.insert(items, false);
    const good = items.filter((_item, at) => !refused.has(at));
    for (const item of good) this.accept(item.one, item.at, item);
    if (good.length > 0) this.hears.written(good);
    if (refused.size === 0) return;
    this.heads.forget(items.filter((_item, at) => refused.has(at)).map(({ entry }) => entry.fan));
    // The winner's insert may not be visible to a majority read yet: wait a moment before reading
    // again.
    await jitter();
  }

  /**
   * Many entries of one fan, chained inside ordered inserts. A part is sent when all before it is
   * stored, and decided while that is being written; behind the first refusal everything is decided
   * anew.
   */
  private async writeChain(
    one: Waiting,
    start: Head,
    known: {
      now: Date;
      turns: DeedTurns;
      rules: RuleSet;
      seasons: SeasonCalendar;
      stands: boolean[];
    },
  ): Promise<void> {
    let [head, at, left] = [start, 0, CHAIN_LIMIT];
    let sent: Part | null = null;
    try {
      while (at < one.commands.length && left > 0) {
        const part: Part = {
          entries: [],
          settled: [],
          refused: Promise.resolve(new Set<number>()),
        };
        for (; at < one.commands.length && left > 0 && part.entries.length < PART; at += 1) {
          if (one.outcomes[at]) continue;
          const decided = this.decide(
            one.commands[at] as Command,
            head,
            known,
            known.stands[at] ?? false,
          );
          if ('seq' in decided) {
            part.entries.push({
              at,
              id: new Types.ObjectId(),
              entry: decided,
              before: head.after.medals,
            });
            head = headOf(decided);
            left -= 1;
          } else part.settled.push({ at, outcome: decided });
        }
        if (sent && !(await this.stored(one, sent))) return;
        for (const { at: place, ...attempt } of part.entries) one.tried[place]?.push(attempt);
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
    const first = earliest(await refused, entries.length);
    const good = entries.slice(0, first);
    for (const item of good) this.accept(one, item.at, item);
    if (good.length > 0) this.hears.written(good);
    if (first < entries.length) {
      this.heads.forget([one.fan]);
      await jitter();
      return false;
    }
    for (const { at, outcome } of settled) one.outcomes[at] = outcome;
    return true;
  }

  /**
   * Sends entries; answers the places in the batch that a unique key refused (behind the first one,
   * where they are chained).
   */
  private async insert(entries: Attempt[], ordered: boolean): Promise<Set<number>> {
    const refused = new Set(
      await insertAll(
        this.records,
        entries.map(({ id, entry }) => ({ _id: id, ...entry })),
        ordered,
      ),
    );
    if (ordered && refused.size > 0)
      for (let at = earliest(refused); at < entries.length; at += 1) refused.add(at);
    return refused;
  }
}

const jitter = (): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 45));
