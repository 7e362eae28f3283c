import type { Clock } from '../platform/clock.js';
import type { Log } from '../platform/logs.js';
import { placesOf, type Boards, type Move } from './boards.js';
import type { After, Entry } from './entry.js';
import type { Heads } from './heads.js';
import type { FanStanding, Standing } from './needs.js';
import type { ScoreRecord, Scores } from './scores.js';

/** How long moves are joined before they are written (LEDGER 3). */
const JOIN_MS = 100;
const UNKNOWN: FanStanding = { rankable: false, name: '', country: '', revision: 0 };
const CACHE = 100_000;

interface Pending {
  seq: number;
  after: After;
  since: number;
  disciplines: Set<string>;
}

/**
 * Copies heads into scores and boards after they were acknowledged, joined. One pass is in flight; whatever it cannot write (a store
 * that is away) stays pending and is tried again, and what a killed process left is settled by another (`beats.ts`).
 */
export class Projector {
  private pending = new Map<string, Pending>();
  private stale = new Set<string>();
  private inFlight: { since: number } | null = null;
  private running: Promise<void> | null = null;
  private readonly standings = new Map<string, FanStanding>();
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
    for (const entry of entries) {
      const known = this.pending.get(entry.fan);
      const disciplines = known?.disciplines ?? new Set<string>();
      for (const slug of entry.disciplines) disciplines.add(slug);
      this.pending.set(entry.fan, {
        seq: entry.seq,
        after: entry.after,
        since: known?.since ?? entry.at.getTime(),
        disciplines,
      });
    }
    this.go();
  }

  /** These fans are read anew from the ledger and settled. */
  unsure(fans: string[]): void {
    for (const fan of fans) this.stale.add(fan);
    this.go();
  }

  /** The instant before which every entry of this process is in scores and boards, in ms. */
  get settledTo(): number {
    const open = [...this.pending.values()].map((one) => one.since);
    return Math.min(this.inFlight?.since ?? Infinity, this.stale.size > 0 ? 0 : Infinity, ...open, this.clock.now().getTime());
  }

  get clear(): boolean {
    return this.pending.size === 0 && this.stale.size === 0 && !this.inFlight;
  }

  /** Resolves when everything heard so far is written; rejects never. */
  async idle(): Promise<void> {
    while (this.running) await this.running;
  }

  stop(): void {
    this.stopped = true;
  }

  /** A fan's standing changed: boards follow. */
  async restand(fan: string): Promise<void> {
    this.standings.delete(fan);
    const standing = (await this.standing.of([fan])).get(fan);
    if (!standing) return;
    this.remember(fan, standing);
    const score = await this.scores.restand(fan, standing);
    // Boards that do not take it now get it with the next settling.
    if (score)
      await this.place([score]).catch(() => {
        this.unsure([fan]);
      });
  }

  private remember(fan: string, standing: FanStanding): void {
    this.standings.set(fan, standing);
    if (this.standings.size > CACHE) this.standings.delete(this.standings.keys().next().value as string);
  }

  private async standingsOf(fans: string[]): Promise<Map<string, FanStanding>> {
    const missing = fans.filter((fan) => !this.standings.has(fan));
    if (missing.length > 0) {
      const found = await this.standing.of(missing);
      for (const fan of missing) this.remember(fan, found.get(fan) ?? UNKNOWN);
    }
    return new Map(fans.map((fan) => [fan, this.standings.get(fan) ?? UNKNOWN]));
  }

  private go(): void {
    this.running ??= this.run().finally(() => {
      this.running = null;
    });
  }

  private async run(): Promise<void> {
    for (let wait = JOIN_MS; !this.stopped && (this.pending.size > 0 || this.stale.size > 0);) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      const batch = this.pending;
      const stale = this.stale;
      this.pending = new Map();
      this.stale = new Set();
      this.inFlight = { since: Math.min(...[...batch.values()].map((one) => one.since), stale.size > 0 ? 0 : Infinity) };
      try {
        if (stale.size > 0) await this.settle([...stale]);
        if (batch.size > 0) await this.write(batch);
        wait = JOIN_MS;
      } catch (error) {
        if (wait === JOIN_MS) this.log.warn({ err: error }, 'points: scores wait for a store');
        for (const [fan, one] of batch) {
          const newer = this.pending.get(fan);
          if (newer) {
            newer.since = Math.min(newer.since, one.since);
            for (const slug of one.disciplines) newer.disciplines.add(slug);
          } else this.pending.set(fan, one);
        }
        for (const fan of stale) this.stale.add(fan);
        wait = Math.min(1000, wait * 2);
      }
      this.inFlight = null;
    }
  }

  private async write(batch: Map<string, Pending>): Promise<void> {
    const standings = await this.standingsOf([...batch.keys()]);
    const scores = [...batch].map(([fan, one]): ScoreRecord => ({ _id: fan, seq: one.seq, after: one.after, standing: standings.get(fan) ?? UNKNOWN }));
    await this.scores.write(scores);
    await this.place(scores, new Map([...batch].map(([fan, one]) => [fan, one.disciplines])));
  }

  /** Reads heads from the ledger and writes them as scores and places, whatever was there. */
  async settle(fans: string[]): Promise<void> {
    for (let from = 0; from < fans.length; from += 200) {
      const part = fans.slice(from, from + 200);
      for (const fan of part) this.standings.delete(fan);
      const [heads, standings] = await Promise.all([this.heads.fresh(part), this.standingsOf(part)]);
      const scores = part
        .map((fan) => ({ fan, head: heads.get(fan), standing: standings.get(fan) ?? UNKNOWN }))
        .filter((one) => (one.head?.seq ?? 0) > 0)
        .map((one): ScoreRecord => ({ _id: one.fan, seq: one.head?.seq ?? 0, after: one.head?.after as After, standing: one.standing }));
      await this.scores.write(scores);
      await this.place(scores);
    }
  }

  /** Sends places to the boards they are on, one script a board, only the touched ones if given. Answers the fans whose place was older than what is there. */
  private async send(scores: ScoreRecord[], touched?: ReadonlyMap<string, ReadonlySet<string>>): Promise<Set<string>> {
    const boards = new Map<string, Move[]>();
    for (const score of scores) {
      const only = touched?.get(score._id);
      for (const { board, points, reachedAt } of placesOf(score.after)) {
        if (only && board !== 'hub' && !only.has(board.slice('discipline:'.length))) continue;
        const move: Move = { fan: score._id, points: score.standing.rankable ? points : null, reachedAt, seq: score.seq, standing: score.standing };
        const list = boards.get(board);
        if (list) list.push(move);
        else boards.set(board, [move]);
      }
    }
    const refused = await Promise.all([...boards].map(([board, moves]) => this.boards.move(board, moves)));
    return new Set(refused.flatMap((fans) => fans ?? []));
  }

  /** Sends places; what was refused as old is read anew, score and standing, and sent once more. */
  private async place(scores: ScoreRecord[], touched?: ReadonlyMap<string, ReadonlySet<string>>): Promise<void> {
    const refused = [...(await this.send(scores, touched))];
    if (refused.length === 0) return;
    const [now, standings] = await Promise.all([this.scores.of(refused), this.standing.of(refused)]);
    for (const [fan, standing] of standings) this.remember(fan, standing);
    await this.send([...now.values()].map((score) => ({ ...score, standing: standings.get(score._id) ?? score.standing })));
  }
}
