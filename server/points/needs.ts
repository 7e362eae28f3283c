/**
 * How a fan stands on boards: staff and athletes earn but do not rank. `revision` grows with every
 * change.
 */
export interface FanStanding {
  rankable: boolean;
  name: string;
  country: string;
  revision: number;
}

/** What boards need from the fans. Unknown fans are absent from the answer. */
export interface Standing {
  standings(fans: string[]): Promise<Map<string, FanStanding>>;
  /**
   * Fans whose standing changed behind a number of the count of all such changes, and how far that
   * count was when they were read. A change that is being written has its number already: who reads
   * on from `to` must look back by as long as a write may take.
   */
  changedSince(from: number): Promise<{ fans: string[]; to: number }>;
}

/**
 * Who is not shown any more: a statement keeps its lines and says nothing of whom they were about.
 */
export interface Hidden {
  hidden(): Promise<ReadonlySet<string>>;
}
