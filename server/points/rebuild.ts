import type { Leases } from '../platform/leases.js';
import type { Log } from '../platform/logs.js';
import { placesOf, type Boards, type Move } from './boards.js';
import type { Scores } from './scores.js';

const LEASE_MS = 120_000;

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
  async heal(all: string[]): Promise<string[]> {
    const { lost, building } = await this.boards.look(all);
    if (lost.length > 0) return (await this.rebuild(lost)) ? lost : [];
    if (building.length > 0)
      await this.alone(async () => {
        await Promise.all(
          building.map(({ board, generation }) => this.boards.abandon(board, generation)),
        );
      });
    return [];
  }

  /** Rebuilds these boards; answers false when somebody else does so already. */
  rebuild(boards: string[]): Promise<boolean> {
    return this.alone(async (renew) => {
      const begun = Date.now();
      if (boards.includes('hub')) await this.pass(['hub'], renew);
      const rest = boards.filter((board) => board !== 'hub');
      if (rest.length > 0) await this.pass(rest, renew);
      this.log.info({ boards: boards.length, ms: Date.now() - begun }, 'points: boards rebuilt');
    });
  }

  /** Under the one lease of all rebuilds: whatever is half made when it is had, nobody makes. */
  private async alone(work: (renew: () => Promise<boolean>) => Promise<void>): Promise<boolean> {
    const lease = await this.leases.take('boards.rebuild', LEASE_MS);
    if (!lease) return false;
    try {
      await work(() => lease.renew());
      return true;
    } finally {
      await lease.release();
    }
  }

  private async pass(boards: string[], renew: () => Promise<boolean>): Promise<void> {
    const wanted = new Set(boards);
    // `building` stands before the first read: a move that comes while we read goes into the new
    // generation too.
    const generations = new Map<string, string>();
    await Promise.all(
      boards.map(async (board) => {
        generations.set(board, await this.boards.begin(board));
      }),
    );
    let buffers = new Map<string, Move[]>();
    let size = 0;
    // One part is written while the next is read.
    let writing: Promise<unknown> = Promise.resolve();
    const flush = async (): Promise<void> => {
      const full = buffers;
      buffers = new Map();
      size = 0;
      await writing;
      writing = Promise.all([
        renew(),
        ...[...full].map(([board, moves]) =>
          this.boards.move(board, moves, generations.get(board) as string),
        ),
      ]);
      writing.catch(() => undefined);
    };
    for await (const score of this.scores.all()) {
      for (const { board, points, reachedAt } of placesOf(score.after)) {
        if (!wanted.has(board)) continue;
        const move: Move = {
          fan: score._id,
          points: score.standing.rankable ? points : null,
          reachedAt,
          seq: score.seq,
          standing: score.standing,
        };
        const list = buffers.get(board);
        if (list) list.push(move);
        else buffers.set(board, [move]);
        size += 1;
      }
      if (size >= 5000) await flush();
    }
    await flush();
    await writing;
    await Promise.all(
      boards.map((board) => this.boards.finish(board, generations.get(board) as string)),
    );
  }
}
