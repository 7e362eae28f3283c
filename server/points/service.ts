import type { Connection } from 'mongoose';
import { VillageError } from '../errors.js';
import type { Bus } from '../platform/bus.js';
import type { Clock } from '../platform/clock.js';
import { SwrCache } from '../platform/swr-cache.js';
import type { Leases } from '../platform/leases.js';
import type { Log } from '../platform/logs.js';
import type { Metrics } from '../platform/metrics.js';
import type { RedisClients } from '../platform/redis.js';
import type { Settings } from '../platform/settings.js';
import { StandingAudit } from './standing-audit.js';
import { awardOf, type Written } from './award.js';
import { Heartbeats } from './heartbeats.js';
import { readBoardCursor } from './board-format.js';
import { BoardTable, type BoardKind, type RunningSpans } from './board-kinds.js';
import type { BoardPage } from './board-page.js';
import { Boards, type PageRequest } from './boards.js';
import type { Entry, Head } from './entry.js';
import { Heads } from './heads.js';
import { Ledger, type LedgerHooks } from './ledger.js';
import type { Standing } from './needs.js';
import { Projector } from './projector.js';
import { Rebuild } from './rebuild.js';
import { Rules } from './rules.js';
import { Scores } from './scores.js';
import { Seasons, type Season } from './seasons.js';
import { Statements, type DeedState } from './statements.js';
import { LedgerCheck, type VerifyResult } from './verify.js';
import { windowKeys } from './windows.js';
import type { Outcome, Command } from './command.js';
import { Zone } from './zone.js';

export type { Outcome, Command } from './command.js';
export type { BoardPage } from './board-page.js';
export type { Entry, After, Cause, Head } from './entry.js';
export { MEDALS, type Medal } from './medals.js';
export type { DeedState } from './statements.js';
export { awardOf } from './award.js';
export { LAST_FREE_TURN } from './plan.js';
export { makeDeed, readDeed, type Deed, type DeedKind } from './deed.js';
export { medalsOf } from './present.js';
export type { RuleSet } from './rules.js';
export { isGive } from './turns.js';
export type { Season } from './seasons.js';

/** What points are made of. */
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

/** Points: the ledger, the scores, the medals and the boards. Knows no network. */
export class Points {
  readonly rules: Rules;
  private readonly seasons: Seasons;
  private readonly tops = new SwrCache<BoardPage | null>(500);
  private readonly statements: Statements;
  private readonly zone: Zone;
  private readonly scores: Scores;
  private readonly heads: Heads;
  private readonly ledger: Ledger;
  private readonly boards: Boards;
  private readonly projector: Projector;
  private readonly heartbeats: Heartbeats;
  private readonly rebuilder: Rebuild;
  private readonly auditor: StandingAudit;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly parts: PointsParts) {
    const { connection, redis, bus, clock, leases, log, standing, settings, timezone } = parts;
    this.statements = new Statements(connection);
    this.zone = new Zone(connection, timezone);
    this.rules = new Rules(connection, clock);
    this.seasons = new Seasons(connection, clock, leases, timezone);
    this.scores = new Scores(connection);
    this.heads = new Heads(connection, this.scores);
    this.boards = new Boards(redis, new BoardTable(parts.boards, () => this.spansNow()));
    const { rules, seasons, scores, heads, boards } = this;
    this.projector = new Projector({ scores, boards, heads, standing, clock, log });
    this.rebuilder = new Rebuild(scores, boards, leases, log);
    const hooks = this.ledgerHooks();
    this.ledger = new Ledger({ connection, heads, rules, seasons, clock, timezone, hooks });
    this.heartbeats = new Heartbeats({
      ...{ connection, clock, log, projector: this.projector },
      process: bus.process,
      clearTo: () => this.ledger.clearTo,
    });
    this.auditor = new StandingAudit(standing, settings, (fans) => this.projector.restand(fans));
    bus.on('fans:changed', ({ fan }) => this.projector.restand([fan]));
  }

  private ledgerHooks(): LedgerHooks {
    return {
      written: (written) => {
        const entries = written.map(({ entry }) => entry);
        for (const { cause } of entries) this.parts.metrics.awards.inc({ cause });
        this.projector.add(entries);
        this.tell(written);
      },
      unsure: (fans) => {
        this.projector.addUnsure(fans);
      },
      ready: async (at) => {
        await this.zone.claim();
        await this.heartbeats.ensureAnnouncedBefore(at);
      },
    };
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
   * Starts the heartbeat, before anything may be recorded. The worker also heals boards, settles
   * what dead processes left, and audits standings.
   */
  async start(worker: boolean): Promise<void> {
    await this.heartbeats.start();
    if (!worker) return;
    let seconds = 0;
    const waitForNext = (): void => {
      this.timer = setTimeout(() => {
        seconds += 1;
        void Promise.allSettled([
          this.heal(),
          ...(seconds % 5 === 0 ? [this.sweep(), this.audit()] : []),
        ]).finally(() => {
          if (this.timer) waitForNext();
        });
      }, 1000);
    };
    waitForNext();
  }

  /** Stops when everything this process took on is settled, or after a few seconds without it. */
  async stop(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    await this.ledger.idle();
    await this.heartbeats.stop();
  }

  /** All entries of a flush become one piece of news, a line a fan. */
  private tell(written: Written[]): void {
    const byFan = new Map<string, Written[]>();
    for (const line of written) {
      const lines = byFan.get(line.entry.fan);
      if (lines) lines.push(line);
      else byFan.set(line.entry.fan, [line]);
    }
    this.parts.bus.tell('points:moved', { moves: [...byFan.values()].map(awardOf) });
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
    return (await this.heads.read([fan])).get(fan) as Head;
  }

  /**
   * The last turn of each of these deeds of a fan; a deed never done is absent. Few deeds of many
   * fans are read together.
   */
  turns(fan: string, deeds: string[]): Promise<Map<string, DeedState>> {
    return this.statements.lastTurns(fan, deeds);
  }

  /** Which of these deeds each fan held after their entry `seq`, for many fans at once. */
  heldAt(queries: { fan: string; seq: number; deeds: string[] }[]): Promise<Set<string>[]> {
    return this.statements.heldAt(queries);
  }

  /** The last turn of every deed that each of these fans ever did. */
  deeds(fans: string[]): Promise<Map<string, Map<string, DeedState>>> {
    return this.statements.deeds(fans);
  }

  /**
   * How many deeds whose key begins with `prefix` are held, by all fans together. Reads every entry
   * of them: for what is asked rarely.
   */
  heldCount(prefix: string): Promise<number> {
    return this.statements.heldCount(prefix);
  }

  /** A fan's statement, newest entry first; only entries behind `before` if given. */
  statement(fan: string, limit: number, before?: number): Promise<Entry[]> {
    return this.statements.page(fan, limit, before);
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
    return this.tops.get(String(limit), () => this.board('hub', { limit }));
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
    return this.heartbeats.sweep();
  }

  /** Resolves when everything this process acknowledged is in scores and boards. */
  async settled(): Promise<void> {
    await this.ledger.idle();
    await this.projector.idle();
  }
}
