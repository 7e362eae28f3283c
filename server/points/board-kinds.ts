import type { After, Span } from './standing.js';

/** A fan's place on a board, as a standing says it. */
export interface Place {
  board: string;
  points: number;
  /** When these points were reached, in ms: first there is first inside a tie. */
  reachedAt: number;
}

/** The keys of the spans that run now. */
export type RunningSpans = Record<Span, string>;

/** One kind of board: a row of the table below. */
export interface BoardKind {
  /** Names of the boards there are: the same for ever, or those of the spans that run now. */
  boards: readonly string[] | ((now: RunningSpans) => readonly string[]);
  /**
   * The places that a standing means on boards of this kind. `touched` are the disciplines that
   * changed since the places were last told; without it all are told.
   */
  placesOf(after: After, touched?: ReadonlySet<string>): Place[];
}

/**
 * The kinds of board that people see. The board of the running season, or of another span, would be
 * one row more:
 *
 * @example
 * {
 *   boards: (now) => [`season:${now.season}`],
 *   placesOf: ({ windows: { season: [key, points, reachedAt] } }) => [
 *     { board: `season:${key}`, points, reachedAt },
 *   ],
 * }
 */
export const boardKinds = (disciplines: readonly string[]): BoardKind[] => [
  {
    boards: ['hub'],
    placesOf: ({ points, reachedAt }) => [{ board: 'hub', points, reachedAt }],
  },
  {
    boards: disciplines.map((slug) => `discipline:${slug}`),
    placesOf: (after, touched) =>
      Object.entries(after.disciplines)
        .filter(([slug]) => touched?.has(slug) ?? true)
        .map(([slug, [points, reachedAt]]) => ({ board: `discipline:${slug}`, points, reachedAt })),
  },
];

/** The table of all kinds of board: which boards there are, and where a fan stands on them. */
export class BoardTable {
  private readonly lasting: string[];
  private readonly running: ((now: RunningSpans) => readonly string[])[];

  constructor(
    private readonly kinds: readonly BoardKind[],
    /** Reads which spans run now; asked only where there are boards of them. */
    private readonly spans: () => Promise<RunningSpans>,
  ) {
    const boards = kinds.map((kind) => kind.boards);
    this.lasting = boards.flatMap((names) => (typeof names === 'function' ? [] : names));
    this.running = boards.filter((names) => typeof names === 'function');
  }

  /** Every board there is now, the hub's first. */
  async names(): Promise<string[]> {
    if (this.running.length === 0) return this.lasting;
    const now = await this.spans();
    return [...this.lasting, ...this.running.flatMap((names) => names(now))];
  }

  /** Whether there is such a board now. */
  async has(board: string): Promise<boolean> {
    return this.lasting.includes(board) || (await this.names()).includes(board);
  }

  /**
   * The places that a standing means: all, or those that entries about these disciplines changed.
   */
  placesOf(after: After, touched?: ReadonlySet<string>): Place[] {
    return this.kinds.flatMap((kind) => kind.placesOf(after, touched));
  }
}
