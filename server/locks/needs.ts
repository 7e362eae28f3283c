import type { Award } from '../events.js';

/** The accounts a fan followed before an award and after it, as `athlete:network`. */
export interface FollowedAcross {
  before: Set<string>;
  after: Set<string>;
}

/** An award, and the athletes about whom locks ask. */
export interface FollowQuestion {
  award: Award;
  athletes: string[];
}

/** What locks need to know of a fan; a room above satisfies it. */
export interface FactSource {
  /** Reads which accounts of these athletes a fan follows now, as `athlete:network`. */
  followed(fan: string, athletes: string[]): Promise<Set<string>>;
  /**
   * Which accounts of these athletes the fan followed before an award and after it, by what the
   * award itself tells. Null when that is not all: then it must be read.
   */
  followedByAward(award: Award, athletes: string[]): Promise<FollowedAcross | null>;
  /**
   * Reads the same for many awards and fans in one read. The answers are in the order of the
   * questions.
   */
  readFollowed(questions: FollowQuestion[]): Promise<FollowedAcross[]>;
  /** Reads the medal a fan holds in each scope (`hub` or a discipline). */
  medals(fan: string): Promise<Map<string, 'bronze' | 'silver' | 'gold'>>;
}
