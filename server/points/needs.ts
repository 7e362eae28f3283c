/** How a fan stands on boards: staff and athletes earn but do not rank. `revision` grows with every change. */
export interface FanStanding {
  rankable: boolean;
  name: string;
  country: string;
  revision: number;
}

/** What boards need from the fans. Unknown fans are absent from the answer. */
export interface Standing {
  of(fans: string[]): Promise<Map<string, FanStanding>>;
}

/** Who is not shown any more: a statement keeps its lines and says nothing of whom they were about. */
export interface Hidden {
  hidden(): Promise<ReadonlySet<string>>;
}
