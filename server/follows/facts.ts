import type { Award } from '../events.js';
import type { Networks } from '../networks/service.js';
import type { Medal, Points } from '../points/service.js';
import type { Registry } from '../registry/service.js';
import { namedDeeds, type Named } from './deeds.js';

/**
 * What of this an award found held and left held: what it moved, and of the rest what is held
 * beside it.
 */
function names(
  { items }: Award,
  named: readonly Named[],
  held: (deed: string) => boolean,
): { before: Set<string>; after: Set<string> } {
  const at = (moved: number): Set<string> => {
    const here = (deed: string): boolean =>
      items.some((one) => one.deed === deed && one.delta === moved);
    const other = (deed: string): boolean => !items.some((one) => one.deed === deed) && held(deed);
    return new Set(named.filter(({ deed }) => here(deed) || other(deed)).map(({ name }) => name));
  };
  return { before: at(-1), after: at(1) };
}

/**
 * What locks ask about a fan: read from the ledger, never asked of a network. Satisfies
 * `FactSource` of locks.
 */
export class FollowFacts {
  constructor(private readonly parts: { registry: Registry; networks: Networks; points: Points }) {}

  /** Which accounts of these athletes a fan follows now, as `athlete:network`. */
  async followed(fan: string, athletes: string[]): Promise<Set<string>> {
    const deeds = await namedDeeds(this.parts, athletes);
    const turns = await this.parts.points.turns(
      fan,
      deeds.map((one) => one.deed),
    );
    return new Set(
      deeds.filter(({ deed }) => (turns.get(deed)?.turn ?? 0) % 2 === 1).map((one) => one.name),
    );
  }

  /**
   * Which accounts of these athletes a fan followed before an award and after it, if the award
   * itself tells it all.
   */
  async followedByAward(
    award: Award,
    athletes: string[],
  ): Promise<{ before: Set<string>; after: Set<string> } | null> {
    const { items, points, beside = {} } = award;
    const named = await namedDeeds(this.parts, athletes);
    // Whose only points are these holds nothing else.
    const alone = points === items.reduce((sum, { delta }) => sum + delta, 0);
    const untold = named.some(
      ({ deed }) => beside[deed] === undefined && !items.some((one) => one.deed === deed),
    );
    return untold && !alone ? null : names(award, named, (deed) => beside[deed] === true);
  }

  /**
   * The same before awards and after them, for many fans in one read; what an award moved itself is
   * not read.
   */
  async readFollowed(
    asked: { award: Award; athletes: string[] }[],
  ): Promise<{ before: Set<string>; after: Set<string> }[]> {
    const named = await Promise.all(asked.map(({ athletes }) => namedDeeds(this.parts, athletes)));
    const held = await this.parts.points.heldAt(
      asked.map(({ award: { fan, seq, items } }, at) => ({
        fan,
        seq,
        deeds: (named[at] ?? [])
          .map(({ deed }) => deed)
          .filter((deed) => !items.some((one) => one.deed === deed)),
      })),
    );
    return asked.map(({ award }, at) =>
      names(award, named[at] ?? [], (deed) => held[at]?.has(deed) === true),
    );
  }

  /** The medal a fan holds in each scope (`hub` or a discipline). */
  async medals(fan: string): Promise<Map<string, Medal>> {
    const { medals } = (await this.parts.points.head(fan)).after;
    return new Map(Object.entries(medals).map(([scope, [medal]]) => [scope, medal]));
  }
}
