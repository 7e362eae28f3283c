import { randomId } from '../platform/ids.js';
import { inPieces } from '../platform/pieces.js';
import type { RedisClients } from '../platform/redis.js';
import type { BoardTable, Place } from './board-kinds.js';
import { pageOf, type BoardPage } from './board-page.js';
import { boardScore, STEP, writeShown, type BoardCursor } from './board-format.js';
import { boardScripts, type BoardScripts } from './board-scripts.js';
import type { FanStanding } from './needs.js';

/** One place on a board: absolute, never a difference. `points` null takes the fan off. */
export interface Move {
  fan: string;
  points: number | null;
  reachedAt: number;
  seq: number;
  standing: Pick<FanStanding, 'name' | 'country' | 'revision'>;
}

/** The move of a fan to a place, after this entry and as the fan stands on boards. */
export const moveTo = (
  { points, reachedAt }: Place,
  fan: string,
  seq: number,
  standing: FanStanding,
): Move => ({ fan, points: standing.rankable ? points : null, reachedAt, seq, standing });

/** Which page of a board: around a fan, behind a cursor, else from a place (0 is the first). */
export interface PageRequest {
  limit: number;
  offset?: number;
  around?: string;
  cursor?: BoardCursor;
  /** The fan who reads it. */
  me?: string;
}

/** How places and guards are written; boards of another form are counted anew. */
const FORM = 2;
/** Moves that one script makes: more would keep others waiting. */
const TOGETHER = 500;

/**
 * The sorted sets in Redis: a projection of the ledger that may be lost at any time and is rebuilt
 * from it. A board has a generation that is shown and, while it is rebuilt, one that is being
 * built.
 */
export class Boards {
  private readonly scripts: BoardScripts;

  constructor(
    private readonly clients: RedisClients,
    /** Which boards there are. */
    readonly table: BoardTable,
  ) {
    this.scripts = boardScripts(clients.commands);
  }

  /** What a board is written under: this run of Redis, and our form of it. */
  private async mark(): Promise<string> {
    return `${await this.clients.runId()}/${FORM}`;
  }

  /** All keys of a board share a hash tag, so a cluster keeps them together. */
  private key(board: string): string {
    return `${this.clients.prefix}{board:${board}}`;
  }

  /**
   * Sets places, in the generation that is being built alone if it is named. Answers the fans
   * whose move was older than what is there (to be read anew), or null when the board is lost and
   * waits to be rebuilt.
   */
  async move(
    board: string,
    moves: Move[],
    building: string | null = null,
  ): Promise<string[] | null> {
    const mark = await this.mark();
    const replies = await Promise.all(
      [...inPieces(moves, TOGETHER)].map((piece) =>
        this.scripts.move([this.key(board)], mark, building ?? '', ...piece.flatMap(moveArgs)),
      ),
    );
    const older: string[] = [];
    for (const reply of replies) {
      if (reply.state === 'lost') return null;
      older.push(...(reply.older ?? []));
    }
    return older;
  }

  /**
   * Which of these boards Redis has lost, or holds from an earlier run of itself; and the
   * generations that are being built.
   */
  async look(
    boards: string[],
  ): Promise<{ lost: string[]; building: { board: string; generation: string }[] }> {
    const mark = await this.mark();
    const found = await Promise.all(
      boards.map(async (board) => {
        const [shown, run, building] = await this.clients.commands.hmget(
          this.key(board),
          ...['gen', 'run', 'building'],
        );
        return { board, isLost: !shown || run !== mark, building };
      }),
    );
    return {
      lost: found.filter(({ isLost }) => isLost).map(({ board }) => board),
      building: found.flatMap(({ board, building }) =>
        building ? [{ board, generation: building }] : [],
      ),
    };
  }

  /**
   * Opens a new generation; moves go to it from now on, beside the old one if that is still of this
   * run.
   */
  async begin(board: string): Promise<string> {
    const { building } = await this.scripts.begin([this.key(board)], await this.mark(), randomId());
    return building;
  }

  /**
   * Shows the new generation, in one step, and frees the old one. Answers false when another
   * rebuild has begun meanwhile.
   */
  async finish(board: string, generation: string): Promise<boolean> {
    return (await this.scripts.end([this.key(board)], generation, 'show')).ended;
  }

  /** Frees a generation that nobody builds any more. */
  async abandon(board: string, generation: string): Promise<void> {
    await this.scripts.end([this.key(board)], generation, 'free');
  }

  /**
   * A page, in one round trip, or null while the board is being counted. Throws when Redis is away.
   */
  async page(board: string, request: PageRequest): Promise<BoardPage | null> {
    const { limit, offset, around, cursor: behind, me: reader } = request;
    const ask = JSON.stringify({ limit, step: STEP, offset, around, behind, reader });
    const reply = await this.scripts.page([this.key(board)], await this.mark(), ask);
    return reply.state === 'lost' ? null : pageOf(reply);
  }
}

/** A move as `board-move.lua` takes it. Nobody without points is on a board. */
const moveArgs = ({ fan, points, reachedAt, seq, standing }: Move): (string | number)[] => [
  fan,
  points === null || points <= 0 ? '' : String(boardScore(points, reachedAt)),
  seq,
  standing.revision,
  writeShown(standing),
];
