import type { Clock } from '../platform/clock.js';
import type { Log } from '../platform/logs.js';
import { inPieces } from '../platform/pieces.js';
import type { BoardTable } from './board-kinds.js';
import { moveTo, type Boards, type Move } from './boards.js';
import type { After, Entry } from './entry.js';
import type { UnsureFan } from './group-commit.js';
import type { Heads } from './heads.js';
import { earliest } from './instants.js';
import type { FanStanding, Standing } from './needs.js';
import type { ScoreRecord, Scores } from './scores.js';

/** How long moves are joined before they are written (LEDGER 3). */
const JOIN_MS = 100;
/** The longest wait for a store that is away. */
const MOST_WAIT_MS = 1000;
/**
 * Fans of one write: what a store refuses is tried again in parts of this size, not all at once.
 */
const WRITTEN_TOGETHER = 1000;
const SETTLED_TOGETHER = 200;
const UNKNOWN: FanStanding = { rankable: false, name: '', country: '', revision: 0 };

/** A fan's newest standing that is still to be written. */
interface Pending {
  seq: number;
  after: After;
  /** When the oldest of its entries was written, in ms. */
  since: number;
  /** The disciplines whose boards it touches. */
  disciplines: Set<string>;
}
type Standings = Map<string, FanStanding>;
type ReadonlyStandings = ReadonlyMap<string, FanStanding>;
/** By fan: the disciplines whose boards are to be touched. */
type Touched = ReadonlyMap<string, ReadonlySet<string>>;

/** What a projector reads from and writes to. */
export interface ProjectorParts {
  scores: Scores;
  boards: Boards;
  heads: Heads;
  standing: Standing;
  clock: Clock;
  log: Log;
}

/**
 * Copies heads into scores and boards after they were acknowledged, joined. One pass is in flight;
 * what a store that is away does not take stays pending and is tried again, scores and places
 * apart, so that a lost Redis holds up no score and no score is written twice. What a killed
 * process left is settled by another (`heartbeats.ts`). How a fan stands is read anew for every
 * pass: nothing here can be stale.
 */
export class Projector {
  /** Fans whose score is to be written. */
  private readonly unscored = new Map<string, Pending>();
  /** Fans whose score is written, and whose places on boards are not. */
  private readonly unplaced = new Map<string, Pending>();
  /** Fans to be read anew from the ledger, and since when (ms). */
  private readonly stale = new Map<string, number>();
  private running: Promise<void> | null = null;
  private isStopped = false;

  constructor(private readonly parts: ProjectorParts) {}

  /** Takes entries that were acknowledged, to be written to scores and boards. */
  add(entries: Entry[]): void {
    for (const { fan, seq, after, at, disciplines } of entries)
      join(this.unscored, fan, {
        seq,
        after,
        since: at.getTime(),
        disciplines: new Set(disciplines),
      });
    this.start();
  }

  /** Takes fans whose entries are not known, to be read anew from the ledger. */
  addUnsure(fans: UnsureFan[]): void {
    for (const { fan, since } of fans)
      this.stale.set(fan, Math.min(since, this.stale.get(fan) ?? since));
    this.start();
  }

  /** The instant before which every entry that was added is in scores and boards, in ms. */
  get settledTo(): number {
    let least = earliest(this.stale.values(), this.parts.clock.now().getTime());
    for (const pending of [this.unscored, this.unplaced])
      for (const { since } of pending.values()) if (since < least) least = since;
    return least;
  }

  /** Whether nothing is pending. */
  get isClear(): boolean {
    return this.unscored.size === 0 && this.unplaced.size === 0 && this.stale.size === 0;
  }

  /** Resolves when nothing is pending, or when it was stopped; never rejects. */
  async idle(): Promise<void> {
    while (this.running) await this.running;
  }

  /** Stops after the pass in flight, whatever is pending then. */
  stop(): void {
    this.isStopped = true;
  }

  /** Makes scores and boards follow the standing of these fans, which changed or may have. */
  async restand(fans: string[]): Promise<void> {
    const { standing, scores } = this.parts;
    for (const part of inPieces(fans, SETTLED_TOGETHER)) {
      const standings = await standing.standings(part);
      await scores.restand(standings);
      await this.place([...(await scores.byFans([...standings.keys()])).values()], standings);
    }
  }

  /** Reads heads from the ledger and writes them as scores and places, whatever was there. */
  async settle(fans: string[]): Promise<void> {
    for (const part of inPieces(fans, SETTLED_TOGETHER)) {
      const [heads, standings] = await Promise.all([
        this.parts.heads.read(part),
        this.parts.standing.standings(part),
      ]);
      const scores = scoresOf(
        [...heads].filter(([, head]) => head.seq > 0),
        standings,
      );
      await this.parts.scores.write(scores);
      await this.parts.scores.restand(standings);
      await this.place(scores, standings);
    }
  }

  private start(): void {
    this.running ??= this.run().finally(() => {
      this.running = null;
    });
  }

  private async run(): Promise<void> {
    for (let wait = JOIN_MS; !this.isStopped && !this.isClear;) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      try {
        await this.pass();
        wait = JOIN_MS;
      } catch (error) {
        if (wait === JOIN_MS)
          this.parts.log.warn({ err: error }, 'points: scores wait for a store');
        wait = Math.min(MOST_WAIT_MS, wait * 2);
      }
    }
  }

  /**
   * Writes what is pending, in parts; what is written is pending no more, unless something newer
   * came meanwhile. Throws at the first part that a store does not take.
   */
  private async pass(): Promise<void> {
    const standings: Standings = new Map();
    await this.writeScores(standings);
    // Behind the scores, because it places too: a Redis that is away holds up no score.
    await this.settleStale();
    await this.writePlaces(standings);
  }

  private async writeScores(standings: Standings): Promise<void> {
    for (const part of inPieces([...this.unscored], WRITTEN_TOGETHER)) {
      await this.readStandings(part, standings);
      await this.parts.scores.write(scoresOf(part, standings));
      for (const [fan, pending] of part) {
        join(this.unplaced, fan, pending);
        if (this.unscored.get(fan) === pending) this.unscored.delete(fan);
      }
    }
  }

  private async settleStale(): Promise<void> {
    for (const part of inPieces([...this.stale], SETTLED_TOGETHER)) {
      await this.settle(part.map(([fan]) => fan));
      for (const [fan, since] of part) if (this.stale.get(fan) === since) this.stale.delete(fan);
    }
  }

  private async writePlaces(standings: Standings): Promise<void> {
    for (const part of inPieces([...this.unplaced], WRITTEN_TOGETHER)) {
      await this.readStandings(part, standings);
      const touched = new Map(part.map(([fan, { disciplines }]) => [fan, disciplines]));
      await this.place(scoresOf(part, standings), standings, touched);
      for (const [fan, pending] of part)
        if (this.unplaced.get(fan) === pending) this.unplaced.delete(fan);
    }
  }

  /** Reads how these fans stand, those of them that `standings` lacks, and adds it there. */
  private async readStandings(part: [string, Pending][], standings: Standings): Promise<void> {
    const missing = part.map(([fan]) => fan).filter((fan) => !standings.has(fan));
    if (missing.length === 0) return;
    const found = await this.parts.standing.standings(missing);
    for (const fan of missing) standings.set(fan, found.get(fan) ?? UNKNOWN);
  }

  /** Sends places; what was refused as old is read anew, score and standing, and sent once more. */
  private async place(
    scores: ScoreRecord[],
    standings: ReadonlyStandings,
    touched?: Touched,
  ): Promise<void> {
    const refused = [...(await this.send(scores, standings, touched))];
    if (refused.length === 0) return;
    const [newer, fresh] = await Promise.all([
      this.parts.scores.byFans(refused),
      this.parts.standing.standings(refused),
    ]);
    await this.send([...newer.values()], fresh);
  }

  /**
   * Sends places to the boards they are on, one script a board, only the touched ones if given.
   * Answers the fans whose place was older than what is there.
   */
  private async send(
    scores: ScoreRecord[],
    standings: ReadonlyStandings,
    touched?: Touched,
  ): Promise<Set<string>> {
    const refused = await Promise.all(
      [...movesByBoard(this.parts.boards.table, scores, standings, touched)].map(([board, moves]) =>
        this.parts.boards.move(board, moves),
      ),
    );
    return new Set(refused.flatMap((fans) => fans ?? []));
  }
}

/**
 * Adds what is pending of a fan to what was pending before: the newer standing, the older instant.
 */
function join(to: Map<string, Pending>, fan: string, added: Pending): void {
  const known = to.get(fan);
  const newer = known && known.seq > added.seq ? known : added;
  to.set(fan, {
    seq: newer.seq,
    after: newer.after,
    since: Math.min(added.since, known?.since ?? added.since),
    disciplines: known ? new Set([...known.disciplines, ...added.disciplines]) : added.disciplines,
  });
}

const scoresOf = (
  part: [string, Pick<ScoreRecord, 'seq' | 'after'>][],
  standings: ReadonlyStandings,
): ScoreRecord[] =>
  part.map(([fan, { seq, after }]) => ({
    _id: fan,
    seq,
    after,
    standing: standings.get(fan) ?? UNKNOWN,
  }));

/** The places of these scores, by the board they are on. */
function movesByBoard(
  table: BoardTable,
  scores: ScoreRecord[],
  standings: ReadonlyStandings,
  touched?: Touched,
): Map<string, Move[]> {
  const boards = new Map<string, Move[]>();
  for (const { _id: fan, seq, after, ...score } of scores) {
    const standing = standings.get(fan) ?? score.standing;
    for (const place of table.placesOf(after, touched?.get(fan))) {
      const move = moveTo(place, fan, seq, standing);
      const moves = boards.get(place.board);
      if (moves) moves.push(move);
      else boards.set(place.board, [move]);
    }
  }
  return boards;
}
