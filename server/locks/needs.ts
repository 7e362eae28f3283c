/** What locks need to know of a fan; stated here, satisfied from above. */
export interface FactSource {
  /** Followed accounts of these athletes, as `athlete:network`. */
  followed(fan: string, athletes: string[]): Promise<Set<string>>;
  /** The medal a fan holds in a scope (`hub` or a discipline), or null. */
  medals(fan: string): Promise<Map<string, 'bronze' | 'silver' | 'gold'>>;
}
