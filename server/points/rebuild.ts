import type { Leases } from '../platform/leases.js';
import type { Log } from '../platform/logs.js';
import { moveTo, type Boards, type Move } from './boards.js';
import type { Scores } from './scores.js';

const LEASE_MS = 120_000;
/** Moves that are gathered before they are written. */
const PART = 5000;

/** Renews the lease; answers false when it was lost. */
type Renew = () => Promise<boolean>;
/** Boards that are being built, and the generation of each. */
type Generations = ReadonlyMap<string, string>;

/**
 * Builds boards anew from the scores, under one lease: the hub's first, then all the others in one
 * pass.
 */
export class Rebuild {
  constructor(
    private readonly scores: Scores,
    private readonly boards: Boards,
    private readonly leases: Leases,
    private readonly log: Log,
  ) {}

  /**
   * Rebuilds what Redis has lost, and frees what a rebuild that died left half made; answers which
   * boards were rebuilt. Called by the worker every second, so a flushed Redis is whole again soon.
   */
  async heal(): Promise<string[]> {
    const { lost, building } = await this.boards.look(await this.boards.table.names());
    if (lost.length > 0) return (await this.rebuild(lost)) ? lost : [];
    if (building.length > 0)
      await this.alone(async () => {
        await Promise.all(
          building.map(({ board, generation }) => this.boards.abandon(board, generation)),
        );
      });
    return [];
  }

  /** Rebuilds every board; answers false when somebody else rebuilds already. */
  async rebuildAll(): Promise<boolean> {
    return this.rebuild(await this.boards.table.names());
  }

  private rebuild(boards: string[]): Promise<boolean> {
    return this.alone(async (renew) => {
      const begun = Date.now();
      if (boards.includes('hub')) await this.pass(['hub'], renew);
      const rest = boards.filter((board) => board !== 'hub');
      if (rest.length > 0) await this.pass(rest, renew);
      this.log.info({ boards: boards.length, ms: Date.now() - begun }, 'points: boards rebuilt');
    });
  }

  /** Under the one lease of all rebuilds: whatever is half made when it is had, nobody makes. */
  private async alone(work: (renew: Renew) => Promise<void>): Promise<boolean> {
    const lease = await this.leases.take('boards.rebuild', LEASE_MS);
    if (!lease) return false;
    try {
      await work(() => lease.renew());
      return true;
    } finally {
      await lease.release();
    }
  }

  /** Builds these boards in one reading of all scores. */
  private async pass(boards: string[], renew: Renew): Promise<void> {
    // Begun before the first read: a move that comes while we read goes into the new generation
    // too.
    const generations = new Map(
      await Promise.all(
        boards.map(async (board) => [board, await this.boards.begin(board)] as const),
      ),
    );
    // One part is written while the next is read.
    let writing: Promise<unknown> = Promise.resolve();
    for await (const part of this.parts(generations)) {
      await writing;
      writing = Promise.all([renew(), ...this.write(part, generations)]);
      writing.catch(() => undefined);
    }
    await writing;
    await Promise.all(
      [...generations].map(([board, generation]) => this.boards.finish(board, generation)),
    );
  }

  /** The places of all fans on these boards, by board, so many at a time. */
  private async *parts(wanted: Generations): AsyncGenerator<Map<string, Move[]>> {
    let part = new Map<string, Move[]>();
    let size = 0;
    for await (const { _id: fan, seq, after, standing } of this.scores.all()) {
      for (const place of this.boards.table.placesOf(after)) {
        if (!wanted.has(place.board)) continue;
        const move = moveTo(place, fan, seq, standing);
        const moves = part.get(place.board);
        if (moves) moves.push(move);
        else part.set(place.board, [move]);
        size += 1;
      }
      if (size < PART) continue;
      yield part;
      part = new Map();
      size = 0;
    }
    yield part;
  }

  private write(part: ReadonlyMap<string, Move[]>, generations: Generations): Promise<unknown>[] {
    return [...part].map(([board, moves]) =>
      this.boards.move(board, moves, generations.get(board) as string),
    );
  }
}
