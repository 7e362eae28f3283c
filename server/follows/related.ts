import type { Networks } from '../networks/service.js';
import type { Registry } from '../registry/service.js';
import { namedDeeds } from './deeds.js';
import type { Unlocks } from './needs.js';

const NONE: ReadonlyMap<string, number> = new Map();

/**
 * What the ledger is asked to look up with a give, so that what it opened is known without asking
 * again.
 */
export class RelatedDeeds {
  private unlocks: Unlocks | null = null;

  constructor(private readonly parts: { registry: Registry; networks: Networks }) {}

  /** Sets who knows what an award opens. */
  onUnlock(unlocks: Unlocks): void {
    this.unlocks = unlocks;
  }

  /**
   * The deeds that decide, along with a follow of this athlete, what it opens; each with the fewest
   * points that a fan needs for it to matter. From memory; empty when it cannot be known now, and
   * what was opened is then read behind the award.
   */
  async deedsFor(athlete: string): Promise<ReadonlyMap<string, number>> {
    const athletes = await this.unlocks?.relatedTo(athlete).catch(() => null);
    if (!athletes || athletes.size === 0) return NONE;
    const named = await namedDeeds(this.parts, athletes.keys()).catch(() => []);
    return new Map(named.map(({ deed, athlete }) => [deed, athletes.get(athlete) ?? 0]));
  }
}
