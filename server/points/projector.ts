import type { Clock } from '../platform/clock.js';
import type { Log } from '../platform/logs.js';
import { inPieces } from '../platform/pieces.js';
import { moveTo, type Boards, type Move } from './boards.js';
import type { After, Entry } from './entry.js';
import type { Heads } from './heads.js';
import type { FanStanding, Standing } from './needs.js';
import type { ScoreRecord, Scores } from './scores.js';
import { earliest } from './waiting.js';

/**
 * How long moves are joined before they are written (LEDGER 3), and the longest wait for a store
 * that is away.
 */
const JOIN_MS = 100;
const MOST_WAIT_MS = 1000;
/**
 * Fans of one write: what a store refuses is tried again in parts of this size, not all at once.
 */
const TOGETHER = 1000;
const SETTLED_TOGETHER = 200;
const UNKNOWN: FanStanding = { rankable: false, name: '', country: '', revision: 0 };

interface Pending {
  seq: number;
  after: After;
  since: number;
  disciplines: Set<string>;
}
type Standings = Map<string, FanStanding>;

/**
 * Copies heads into scores and boards after they were acknowledged, joined. One pass is in flight;
 * what a store that is away does not take stays pending and is tried again, scores and places
 * apart, so that a lost Redis holds up no score and no score is written twice. What a killed
 * process left is settled by another (`beats.ts`). How a fan stands is read anew for every pass:
 * nothing here can be stale.
 */
export class Projector {
  /**
   * Fans whose score is to be written, and those whose score is written and whose places are not.
   */
  private readonly unscored = new Map<string, Pending>();
  private readonly unplaced = new Map<string, Pending>();
  /** Fans to be read anew from the ledger, and since when. */
  private readonly stale = new Map<string, number>();
  private running: Promise<void> | null = null;
  private stopped = false;

  constructor(
    private readonly scores: Scores,
    private readonly boards: Boards,
    private readonly heads: Heads,
    private readonly standing: Standing,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Entries were acknowledged. */
  written(entries: Entry[]): void {
    for (const { fan, seq, after, at, disciplines } of entries)
      this.add(this.unscored, fan, {
        seq,
        after,
        since: at.getTime(),
        disciplines: new Set(disciplines),
      });
    this.go();
  }

  /** These fans are read anew from the ledger and settled. */
  unsure(fans: { fan: string; since: number }[]): void {
    for (const { fan, since } of fans)
      this.stale.set(fan, Math.min(since, this.stale.get(fan) ?? since));
    this.go();
  }

  private add(to: Map<string, Pending>, fan: string, one: Pending): void {
    const known = to.get(fan);
    const newer = known && known.seq > one.seq ? known : one;
    to.set(fan, {
      seq: newer.seq,
      after: newer.after,
      since: Math.min(one.since, known?.since ?? one.since),
      disciplines: known ? new Set([...known.disciplines, ...one.disciplines]) : one.disciplines,
    });
  }

  /** The instant before which every entry of this process is in scores and boards, in ms. */
  get settledTo(): number {
    let least = earliest(this.stale.values(), this.clock.now().getTime());
    for (const pending of [this.unscored, this.unplaced])
      for (const { since } of pending.values()) if (since < least) least = since;
    return least;
  }

  get clear(): boolean {
    return this.unscored.size === 0 && this.unplaced.size === 0 && this.stale.size === 0;
  }

  /** Resolves when everything heard so far is written; rejects never. */
  async idle(): Promise<void> {
    while (this.running) await this.running;
  }

  stop(): void {
    this.stopped = true;
  }

  /** The standing of these fans changed, or may have: scores and boards follow. */
  async restand(fans: string[]): Promise<void> {
    for (const part of inPieces(fans, SETTLED_TOGETHER)) {
      const standings = await this.standing.standings(part);
      await this.scores.restand(standings);
      await this.place([...(await this.scores.byFans([...standings.keys()])).values()], standings);
    }
  }

  private go(): void {
    this.running ??= this.run().finally(() => {
      this.running = null;
    });
  }

  private async run(): Promise<void> {
    for (let wait = JOIN_MS; !this.stopped && !this.clear;) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      try {
        await this.pass();
        wait = JOIN_MS;
      } catch (error) {
        if (wait === JOIN_MS) this.log.warn({ err: error }, 'points: scores wait for a store');
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
    for (const part of inPieces([...this.unscored], TOGETHER)) {
      const scores = await this.scored(part, standings);
      await this.scores.write(scores);
      for (const [fan, one] of part) {
        this.add(this.unplaced, fan, one);
        if (this.unscored.get(fan) === one) this.unscored.delete(fan);
      }
    }
    // Behind the scores, because it places too: a Redis that is away holds up no score.
    for (const part of inPieces([...this.stale], SETTLED_TOGETHER)) {
      await this.settle(part.map(([fan]) => fan));
      for (const [fan, since] of part) if (this.stale.get(fan) === since) this.stale.delete(fan);
    }
    for (const part of inPieces([...this.unplaced], TOGETHER)) {
      const scores = await this.scored(part, standings);
      await this.place(
        scores,
        standings,
        new Map(part.map(([fan, { disciplines }]) => [fan, disciplines])),
      );
      for (const [fan, one] of part) if (this.unplaced.get(fan) === one) this.unplaced.delete(fan);
    }
  }

  /** These as scores; `standings` has what was read of them in this pass, and gets the rest. */
  private async scored(part: [string, Pending][], standings: Standings): Promise<ScoreRecord[]> {
    const missing = part.map(([fan]) => fan).filter((fan) => !standings.has(fan));
    if (missing.length > 0) {
      const found = await this.standing.standings(missing);
      for (const fan of missing) standings.set(fan, found.get(fan) ?? UNKNOWN);
    }
    return part.map(([fan, { seq, after }]) => ({
      _id: fan,
      seq,
      after,
      standing: standings.get(fan) ?? UNKNOWN,
    }));
  }

  /** Reads heads from the ledger and writes them as scores and places, whatever was there. */
  async settle(fans: string[]): Promise<void> {
    for (const part of inPieces(fans, SETTLED_TOGETHER)) {
      const [heads, standings] = await Promise.all([
        this.heads.fresh(part),
        this.standing.standings(part),
      ]);
      const scores = [...heads]
        .filter(([, head]) => head.seq > 0)
        .map(([fan, { seq, after }]): ScoreRecord => ({
          _id: fan,
          seq,
          after,
          standing: standings.get(fan) ?? UNKNOWN,
        }));
      await this.scores.write(scores);
      await this.scores.restand(standings);
      await this.place(scores, standings);
    }
  }

  /**
   * Sends places to the boards they are on, one script a board, only the touched ones if given.
   * Answers the fans whose place was older than what is there.
   */
  private async send(
    scores: ScoreRecord[],
    standings: Standings,
    touched?: ReadonlyMap<string, ReadonlySet<string>>,
  ): Promise<Set<string>> {
    const boards = new Map<string, Move[]>();
    for (const { _id: fan, seq, after, ...score } of scores) {
      const standing = standings.get(fan) ?? score.standing;
      for (const place of this.boards.table.placesOf(after, touched?.get(fan))) {
        const move = moveTo(place, fan, seq, standing);
        const list = boards.get(place.board);
        if (list) list.push(move);
        else boards.set(place.board, [move]);
      }
    }
    const refused = await Promise.all(
      [...boards].map(([board, moves]) => this.boards.move(board, moves)),
    );
    return new Set(refused.flatMap((fans) => fans ?? []));
  }

  /** Sends places; what was refused as old is read anew, score and standing, and sent once more. */
  private async place(
    scores: ScoreRecord[],
    standings: Standings,
    touched?: ReadonlyMap<string, ReadonlySet<string>>,
  ): Promise<void> {
    const refused = [...(await this.send(scores, standings, touched))];
    if (refused.length === 0) return;
    const [now, fresh] = await Promise.all([
      this.scores.byFans(refused),
      this.standing.standings(refused),
    ]);
    await this.send([...now.values()], fresh);
  }
}
