import type { Connection, Model } from 'mongoose';
import { VillageError } from '../errors.js';
import type { Bus } from '../platform/bus.js';
import type { Clock } from '../platform/clock.js';
import { Fresh } from '../platform/fresh.js';
import type { Leases } from '../platform/leases.js';
import type { Log } from '../platform/logs.js';
import type { Metrics } from '../platform/metrics.js';
import type { RedisClients } from '../platform/redis.js';
import { Beats } from './beats.js';
import { Boards, readBoardCursor, type BoardPage } from './boards.js';
import { type After, type Entry, type Head } from './entry.js';
import { entryModel } from './entry.model.js';
import { Heads } from './heads.js';
import { Ledger } from './ledger.js';
import { nextMedal, thresholdsOf, type Medal } from './medals.js';
import type { Standing } from './needs.js';
import { Projector } from './projector.js';
import { Rebuild } from './rebuild.js';
import { Rules, type RuleSet } from './rules.js';
import { Scores } from './scores.js';
import { verifyLedger, type VerifyResult } from './verify.js';
import type { Outcome, Wish } from './wish.js';

export type { Outcome, Wish } from './wish.js';
export type { Entry, After, Cause } from './entry.js';
export type { Medal } from './medals.js';
export interface DeedState {
  turn: number;
  card: string;
  askedAt: Date;
  cause: string;
}
export interface PointsParts {
  connection: Connection;
  redis: RedisClients;
  bus: Bus;
  clock: Clock;
  leases: Leases;
  log: Log;
  metrics: Metrics;
  standing: Standing;
  timezone: string;
  /** Every board there is, the hub's first. */
  boards: string[];
}

/** Points: the ledger, the scores, the medals and the boards. Knows no network. */
export class Points {
  readonly rules: Rules;
  private readonly entries: Model<Entry>;
  private readonly seen = new Fresh<BoardPage | null>(500);
  private readonly scores: Scores;
  private readonly heads: Heads;
  private readonly ledger: Ledger;
  private readonly boards: Boards;
  private readonly projector: Projector;
  private readonly beats: Beats;
  private readonly rebuilder: Rebuild;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly parts: PointsParts) {
    const { connection, redis, bus, clock, leases, log, standing, timezone, metrics } = parts;
    this.entries = entryModel(connection);
    this.rules = new Rules(connection, clock);
    this.scores = new Scores(connection);
    this.heads = new Heads(connection, this.scores);
    this.boards = new Boards(redis);
    this.projector = new Projector(this.scores, this.boards, this.heads, standing, clock, log);
    this.rebuilder = new Rebuild(this.scores, this.boards, leases, log);
    this.ledger = new Ledger(
      connection,
      this.heads,
      this.rules,
      clock,
      timezone,
      (entries) => {
        for (const entry of entries) metrics.awards.inc({ cause: entry.cause });
        this.projector.written(entries);
        this.tell(entries);
      },
      (fans) => {
        this.projector.unsure(fans);
      },
    );
    this.beats = new Beats(connection, bus.process, this.projector, () => this.ledger.clearTo, clock, log);
    bus.on('fans:changed', ({ fan }) => this.projector.restand(fan));
  }

  /** Starts the beat, before anything may be recorded; the worker also heals boards and settles what dead processes left. */
  async start(worker: boolean): Promise<void> {
    await this.beats.start();
    if (!worker) return;
    let turn = 0;
    const look = (): void => {
      this.timer = setTimeout(() => {
        turn += 1;
        void this.heal()
          .then(() => (turn % 5 === 0 ? this.beats.sweep() : 0))
          .catch(() => 0)
          .finally(() => {
            if (this.timer) look();
          });
      }, 1000);
    };
    look();
  }

  async stop(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    await this.ledger.idle();
    await this.beats.stop();
  }

  /** All entries of a flush become one piece of news, a line a fan. */
  private tell(entries: Entry[]): void {
    const fans = new Map<string, Entry[]>();
    for (const entry of entries) {
      const list = fans.get(entry.fan);
      if (list) list.push(entry);
      else fans.set(entry.fan, [entry]);
    }
    const moves = [...fans].map(([fan, list]) => {
      const last = list.at(-1) as Entry;
      return {
        fan,
        seq: last.seq,
        points: last.after.points,
        medal: last.delta > 0 ? (last.after.medals['hub']?.[0] ?? null) : null,
        items: list.map(({ deed, athlete, delta }) => ({ deed, athlete, delta })),
      };
    });
    this.parts.bus.tell('points:moved', { moves });
  }

  /** Records a wish durably, exactly once; see `Ledger`. Throws `busy` or `unavailable`. */
  record(wish: Wish): Promise<Outcome> {
    return this.ledger.record(wish);
  }

  /** Records many wishes of one fan, in order. */
  recordMany(fan: string, wishes: Wish[]): Promise<Outcome[]> {
    return this.ledger.recordMany(fan, wishes);
  }

  /** A fan's newest standing, from the ledger itself. */
  async head(fan: string): Promise<Head> {
    return (await this.heads.fresh([fan])).get(fan) as Head;
  }

  /** The last turn of each of these deeds of a fan; a deed never done is absent. */
  async turns(fan: string, deeds: string[]): Promise<Map<string, DeedState>> {
    const found =
      deeds.length === 0
        ? []
        : await this.entries.collection
            .find<Entry>(
              { fan, deed: { $in: deeds } },
              { projection: { _id: 0, deed: 1, turn: 1, card: 1, askedAt: 1, cause: 1 }, readConcern: { level: 'majority' } },
            )
            .toArray();
    const last = new Map<string, DeedState>();
    for (const one of found)
      if ((last.get(one.deed)?.turn ?? 0) < one.turn) last.set(one.deed, { turn: one.turn, card: one.card, askedAt: one.askedAt, cause: one.cause });
    return last;
  }

  /** The last turn of every deed a fan ever did. */
  async deeds(fan: string): Promise<Map<string, DeedState>> {
    const last = new Map<string, DeedState>();
    for await (const one of this.entries.collection.find<Entry>(
      { fan },
      { projection: { _id: 0, deed: 1, turn: 1, card: 1, askedAt: 1, cause: 1 }, readConcern: { level: 'majority' } },
    )) {
      if ((last.get(one.deed)?.turn ?? 0) < one.turn) last.set(one.deed, { turn: one.turn, card: one.card, askedAt: one.askedAt, cause: one.cause });
    }
    return last;
  }

  /** How many deeds whose key begins so are held, by all fans together. Reads every entry of them: for what is asked rarely. */
  async heldCount(prefix: string): Promise<number> {
    const [sum] = await this.entries.aggregate<{ n: number }>([
      { $match: { deed: { $gte: prefix, $lt: `${prefix}\uffff` } } },
      { $group: { _id: null, n: { $sum: '$delta' } } },
    ]);
    return sum?.n ?? 0;
  }

  /** A fan's statement, newest first, behind the entry `before`. */
  async statement(fan: string, limit: number, before?: number): Promise<Entry[]> {
    return this.entries
      .find({ fan, ...(before !== undefined ? { seq: { $lt: before } } : {}) }, { _id: 0 })
      .sort({ seq: -1 })
      .limit(limit)
      .lean<Entry[]>();
  }

  /** A page of a board; null while it is being counted or Redis is away. Throws `board_not_found`, `bad_cursor`. */
  async board(board: string, ask: { limit: number; offset?: number; around?: string; cursor?: string; me?: string }): Promise<BoardPage | null> {
    if (!this.parts.boards.includes(board)) throw new VillageError('board_not_found', { board });
    const { cursor: text, ...rest } = ask;
    const cursor = text === undefined ? undefined : readBoardCursor(text);
    if (cursor === null) throw new VillageError('bad_cursor');
    return this.boards.page(board, { ...rest, ...(cursor ? { cursor } : {}) }).catch(() => null);
  }

  /** The top of the hub's board as every visitor sees it, at most half a second old. */
  top(limit: number): ReturnType<Points['board']> {
    return this.seen.get(String(limit), () => this.board('hub', { limit }));
  }

  /** Rebuilds every board that Redis has lost. */
  heal(): Promise<string[]> {
    return this.rebuilder.heal(this.parts.boards);
  }

  /** Rebuilds every board. Answers false when a rebuild is under way already. */
  rebuild(): Promise<boolean> {
    return this.rebuilder.rebuild(this.parts.boards);
  }

  /** Checks the whole ledger and the scores against it. */
  async verify(): Promise<VerifyResult> {
    return verifyLedger(this.parts.connection, this.scores, await this.rules.read(), this.parts.timezone);
  }

  /** Settles what processes that died left behind. */
  sweep(): Promise<number> {
    return this.beats.sweep();
  }

  /** Resolves when everything this process acknowledged is in scores and boards. */
  async settled(): Promise<void> {
    await this.ledger.idle();
    await this.projector.idle();
  }
}

/** The medals of a standing, one line a scope, with what comes next. */
export function medalsOf(
  after: After,
  rules: RuleSet,
): { scope: string; medal: Medal | null; points: number; next: { medal: Medal; at: number; missing: number } | null; thresholds: readonly number[] }[] {
  const scopes = ['hub', ...Object.keys(after.disciplines).sort((a, b) => (after.disciplines[b]?.[0] ?? 0) - (after.disciplines[a]?.[0] ?? 0))];
  return scopes
    .map((scope) => {
      const points = scope === 'hub' ? after.points : (after.disciplines[scope]?.[0] ?? 0);
      const medal = after.medals[scope]?.[0] ?? null;
      return { scope, medal, points, next: nextMedal(points, scope, medal, rules.now), thresholds: thresholdsOf(rules.now, scope) };
    })
    .filter((one) => one.scope === 'hub' || one.points > 0 || one.medal !== null);
}
