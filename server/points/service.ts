import type { Connection, Model } from 'mongoose';
import { VillageError } from '../errors.js';
import { BatchLoader } from '../platform/batch-loader.js';
import type { Bus } from '../platform/bus.js';
import type { Clock } from '../platform/clock.js';
import { SwrCache } from '../platform/swr-cache.js';
import type { Leases } from '../platform/leases.js';
import type { Log } from '../platform/logs.js';
import type { Metrics } from '../platform/metrics.js';
import type { RedisClients } from '../platform/redis.js';
import type { Settings } from '../platform/settings.js';
import { StandingAudit } from './audit.js';
import { awardOf, type Written } from './award.js';
import { Heartbeats } from './heartbeats.js';
import { BoardTable, type BoardKind, type RunningSpans } from './board-kinds.js';
import type { BoardPage } from './board-page.js';
import { readBoardCursor } from './board-format.js';
import { Boards, type PageRequest } from './boards.js';
import type { Entry, Head } from './entry.js';
import { entryModel } from './entry.model.js';
import { Heads } from './heads.js';
import { Ledger } from './ledger.js';
import type { Standing } from './needs.js';
import { Projector } from './projector.js';
import { Rebuild } from './rebuild.js';
import { Rules } from './rules.js';
import { Scores } from './scores.js';
import { Seasons, type Season } from './seasons.js';
import { Turns, turnKey } from './turns.js';
import { LedgerCheck, type VerifyResult } from './verify.js';
import { windowKeys } from './windows.js';
import type { Outcome, Command } from './command.js';
import { Zone } from './zone.js';

export type { Outcome, Command } from './command.js';
export type { Entry, After, Cause } from './entry.js';
export type { Medal } from './medals.js';
export type { RuleSet } from './rules.js';
export { awardOf } from './award.js';
export { makeDeed, readDeed, type Deed, type DeedKind } from './deed.js';
export { medalsOf } from './present.js';
export type { Season } from './seasons.js';
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
  settings: Settings;
  standing: Standing;
  timezone: string;
  /** The table of boards, the hub's first. */
  boards: readonly BoardKind[];
}

/** Deeds of one fan, asked for. */
interface Asked {
  fan: string;
  deeds: string[];
}
/** All deeds that are asked for, by fan. */
function byFan(asked: Asked[]): Map<string, Set<string>> {
  const wanted = new Map<string, Set<string>>();
  for (const { fan, deeds } of asked)
    wanted.set(fan, new Set([...(wanted.get(fan) ?? []), ...deeds]));
  return wanted;
}
/**
 * The most deeds of a fan that are read together with those of others: a whole link at once would
 * keep them waiting.
 */
const FEW = 20;

/** Points: the ledger, the scores, the medals and the boards. Knows no network. */
export class Points {
  readonly rules: Rules;
  private readonly seasons: Seasons;
  private readonly entries: Model<Entry>;
  private readonly seen = new SwrCache<BoardPage | null>(500);
  private readonly turned: Turns;
  private readonly asked = new BatchLoader((asked: Asked[]) => this.lastTurns(asked));
  private readonly zone: Zone;
  private readonly scores: Scores;
  private readonly heads: Heads;
  private readonly ledger: Ledger;
  private readonly boards: Boards;
  private readonly projector: Projector;
  private readonly beats: Heartbeats;
  private readonly rebuilder: Rebuild;
  private readonly auditor: StandingAudit;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly parts: PointsParts) {
    const { connection, redis, bus, clock, leases, log, standing, settings, timezone, metrics } =
      parts;
    this.entries = entryModel(connection);
    this.turned = new Turns(connection);
    this.zone = new Zone(connection, timezone);
    this.rules = new Rules(connection, clock);
    this.seasons = new Seasons(connection, clock, leases, timezone);
    this.scores = new Scores(connection);
    this.heads = new Heads(connection, this.scores);
    this.boards = new Boards(redis, new BoardTable(parts.boards, () => this.spansNow()));
    this.projector = new Projector(this.scores, this.boards, this.heads, standing, clock, log);
    this.rebuilder = new Rebuild(this.scores, this.boards, leases, log);
    this.ledger = new Ledger(connection, this.heads, this.rules, this.seasons, clock, timezone, {
      written: (written) => {
        const entries = written.map(({ entry }) => entry);
        for (const entry of entries) metrics.awards.inc({ cause: entry.cause });
        this.projector.written(entries);
        this.tell(written);
      },
      unsure: (fans) => {
        this.projector.unsure(fans);
      },
      ready: async (at) => {
        await this.zone.claim();
        await this.beats.ready(at);
      },
    });
    this.beats = new Heartbeats(
      connection,
      bus.process,
      this.projector,
      () => this.ledger.clearTo,
      clock,
      log,
    );
    this.auditor = new StandingAudit(standing, settings, (fans) => this.projector.restand(fans));
    bus.on('fans:changed', ({ fan }) => this.projector.restand([fan]));
  }

  /** Makes what must be there before the first entry. */
  async release(): Promise<void> {
    await this.rules.seed();
  }

  /**
   * Whether this process may write here at all: throws a ConfigError when its time zone is not the
   * ledger's (LEDGER 5).
   */
  check(): Promise<void> {
    return this.zone.check();
  }

  /**
   * Starts the beat, before anything may be recorded; the worker also heals boards and settles what
   * dead processes left.
   */
  async start(worker: boolean): Promise<void> {
    await this.beats.start();
    if (!worker) return;
    let turn = 0;
    const look = (): void => {
      this.timer = setTimeout(() => {
        turn += 1;
        void Promise.allSettled([
          this.heal(),
          ...(turn % 5 === 0 ? [this.sweep(), this.audit()] : []),
        ]).finally(() => {
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
  private tell(written: Written[]): void {
    const fans = new Map<string, Written[]>();
    for (const one of written) {
      const list = fans.get(one.entry.fan);
      if (list) list.push(one);
      else fans.set(one.entry.fan, [one]);
    }
    this.parts.bus.tell('points:moved', { moves: [...fans.values()].map(awardOf) });
  }

  /** Records a command durably, exactly once; see `Ledger`. Throws `busy` or `unavailable`. */
  record(command: Command): Promise<Outcome> {
    return this.ledger.record(command);
  }

  /** Records many commands of one fan, in order. */
  recordMany(fan: string, commands: Command[]): Promise<Outcome[]> {
    return this.ledger.recordMany(fan, commands);
  }

  /** A fan's newest standing, from the ledger itself. */
  async head(fan: string): Promise<Head> {
    return (await this.heads.fresh([fan])).get(fan) as Head;
  }

  /**
   * The last turn of each of these deeds of a fan; a deed never done is absent. Few deeds of many
   * fans are read together.
   */
  async turns(fan: string, deeds: string[]): Promise<Map<string, DeedState>> {
    const asked = { fan, deeds };
    if (deeds.length === 0) return new Map();
    return (
      (deeds.length > FEW
        ? (await this.lastTurns([asked])).get(asked)
        : await this.asked.load(asked)) ?? new Map<string, DeedState>()
    );
  }

  private async lastTurns(asked: Asked[]): Promise<Map<Asked, Map<string, DeedState>>> {
    const found = await this.turned.find(byFan(asked), ['card', 'askedAt', 'cause']);
    return new Map(
      asked.map((one) => {
        const last = new Map<string, DeedState>();
        for (const deed of one.deeds) {
          const turn = found.get(turnKey(one.fan, deed))?.at(-1);
          if (turn)
            last.set(deed, {
              turn: turn.turn,
              card: turn.card,
              askedAt: turn.askedAt,
              cause: turn.cause,
            });
        }
        return [one, last] as const;
      }),
    );
  }

  /** Which of these deeds each fan held after their entry `seq`, for many fans at once. */
  async heldAt(asked: { fan: string; seq: number; deeds: string[] }[]): Promise<Set<string>[]> {
    const found = await this.turned.find(byFan(asked), ['seq']);
    const held = (fan: string, deed: string, seq: number): boolean =>
      (found.get(turnKey(fan, deed))?.findLast((turn) => turn.seq <= seq)?.turn ?? 0) % 2 === 1;
    return asked.map(
      ({ fan, deeds, seq }) => new Set(deeds.filter((deed) => held(fan, deed, seq))),
    );
  }

  /** The last turn of every deed that each of these fans ever did. */
  async deeds(fans: string[]): Promise<Map<string, Map<string, DeedState>>> {
    const last = new Map<string, Map<string, DeedState>>(fans.map((fan) => [fan, new Map()]));
    for await (const one of this.entries.collection.find<Entry>(
      { fan: { $in: fans } },
      {
        projection: { _id: 0, fan: 1, deed: 1, turn: 1, card: 1, askedAt: 1, cause: 1 },
        readConcern: { level: 'majority' },
      },
    )) {
      const deeds = last.get(one.fan);
      if (deeds && (deeds.get(one.deed)?.turn ?? 0) < one.turn)
        deeds.set(one.deed, {
          turn: one.turn,
          card: one.card,
          askedAt: one.askedAt,
          cause: one.cause,
        });
    }
    return last;
  }

  /**
   * How many deeds whose key begins so are held, by all fans together. Reads every entry of them:
   * for what is asked rarely.
   */
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

  /**
   * A page of a board; null while it is being counted or Redis is away. Throws `board_not_found`,
   * `bad_cursor`.
   */
  async board(
    board: string,
    ask: Omit<PageRequest, 'cursor'> & { cursor?: string },
  ): Promise<BoardPage | null> {
    if (!(await this.boards.table.has(board))) throw new VillageError('board_not_found', { board });
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
    return this.rebuilder.heal();
  }

  /** Rebuilds every board. Answers false when a rebuild is under way already. */
  rebuild(): Promise<boolean> {
    return this.rebuilder.rebuildAll();
  }

  /** Checks the whole ledger and the scores against it. */
  async verify(): Promise<VerifyResult> {
    const { connection, timezone } = this.parts;
    return new LedgerCheck(connection, this.scores, await this.rules.read(), timezone).run();
  }

  /**
   * Adds a season, which counts from the first instant of its first day. Throws `bad_input` for one
   * that cannot be, `busy` while another is being added; see `Seasons`.
   */
  addSeason(season: Season): Promise<void> {
    return this.seasons.add(season);
  }

  /** The keys of the spans that run now. */
  private async spansNow(): Promise<RunningSpans> {
    const keys = windowKeys(this.parts.clock.now(), this.parts.timezone);
    return { ...keys, season: (await this.seasons.read()).seasonAt(keys.day) };
  }

  /**
   * Makes scores and boards follow fans whose standing changed, whether or not that was heard;
   * answers how many were looked at.
   */
  audit(): Promise<number> {
    return this.auditor.run();
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
