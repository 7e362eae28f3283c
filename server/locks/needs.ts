import type { Award } from '../events.js';

/** Which accounts a fan followed before an award and after it, as `athlete:network`. */
export interface Around {
  before: Set<string>;
  after: Set<string>;
}

/** What locks need to know of a fan; stated here, satisfied from above. */
export interface FactSource {
  /** Followed accounts of these athletes, as `athlete:network`. */
  followed(fan: string, athletes: string[]): Promise<Set<string>>;
  /**
   * The same around an award as far as the award itself tells it, or null: then it is to be read.
   */
  carried(award: Award, athletes: string[]): Promise<Around | null>;
  /**
   * The same around awards, read, of many fans in one read; the answers in the order of the
   * questions.
   */
  around(asked: { award: Award; athletes: string[] }[]): Promise<Around[]>;
  /** The medal a fan holds in a scope (`hub` or a discipline), or null. */
  medals(fan: string): Promise<Map<string, 'bronze' | 'silver' | 'gold'>>;
}
