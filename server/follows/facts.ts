import type { Award } from '../events.js';
import type { FactSource, FollowedAcross, FollowQuestion } from '../locks/needs.js';
import type { Networks } from '../networks/service.js';
import type { Medal, Points } from '../points/service.js';
import type { Registry } from '../registry/service.js';
import { isHeld } from './deed-states.js';
import { namedDeeds, type NamedDeed } from './deeds.js';

const moves = ({ items }: Award, deed: string): boolean => items.some((item) => item.deed === deed);

/**
 * What was followed around an award: the deeds it moved itself, and of the others those that were
 * held beside it.
 */
function followedAround(
  award: Award,
  named: readonly NamedDeed[],
  isHeld: (deed: string) => boolean,
): FollowedAcross {
  // A deed that was moved by +1 is held after the award, one moved by -1 was before it.
  const namesMovedBy = (delta: number): Set<string> => {
    const isFollowed = (deed: string): boolean =>
      moves(award, deed)
        ? award.items.some((item) => item.deed === deed && item.delta === delta)
        : isHeld(deed);
    return new Set(named.filter(({ deed }) => isFollowed(deed)).map(({ name }) => name));
  };
  return { before: namesMovedBy(-1), after: namesMovedBy(1) };
}

/**
 * What locks ask about a fan: read from the ledger, never questions of a network. Satisfies
 * `FactSource` of locks.
 */
export class FollowFacts implements FactSource {
  constructor(private readonly parts: { registry: Registry; networks: Networks; points: Points }) {}

  /** Which accounts of these athletes a fan follows now, as `athlete:network`. */
  async followed(fan: string, athletes: string[]): Promise<Set<string>> {
    const named = await namedDeeds(this.parts, athletes);
    const states = await this.parts.points.turns(
      fan,
      named.map(({ deed }) => deed),
    );
    const held = named.filter(({ deed }) => isHeld(states.get(deed)));
    return new Set(held.map(({ name }) => name));
  }

  /**
   * Which accounts of these athletes a fan followed before an award and after it; null when the
   * award itself does not tell it all.
   */
  async followedByAward(award: Award, athletes: string[]): Promise<FollowedAcross | null> {
    const { items, points, related = {} } = award;
    const named = await namedDeeds(this.parts, athletes);
    // Whoever has no points but these holds nothing else.
    const isAll = points === items.reduce((sum, { delta }) => sum + delta, 0);
    const isTold = named.every(({ deed }) => related[deed] !== undefined || moves(award, deed));
    return isTold || isAll ? followedAround(award, named, (deed) => related[deed] === true) : null;
  }

  /**
   * The same for awards of many fans, in one read; what an award moved itself is not read.
   */
  async readFollowed(questions: FollowQuestion[]): Promise<FollowedAcross[]> {
    const items = await Promise.all(
      questions.map(async ({ award, athletes }) => ({
        award,
        named: await namedDeeds(this.parts, athletes),
      })),
    );
    const held = await this.parts.points.heldAt(
      items.map(({ award, named }) => ({
        fan: award.fan,
        seq: award.seq,
        deeds: named.map(({ deed }) => deed).filter((deed) => !moves(award, deed)),
      })),
    );
    return items.map(({ award, named }, index) =>
      followedAround(award, named, (deed) => held[index]?.has(deed) === true),
    );
  }

  /** The medal a fan holds in each scope (`hub` or a discipline). */
  async medals(fan: string): Promise<Map<string, Medal>> {
    const { medals } = (await this.parts.points.head(fan)).after;
    return new Map(Object.entries(medals).map(([scope, [medal]]) => [scope, medal]));
  }
}
