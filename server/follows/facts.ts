import type { Award } from '../events.js';
import type { Networks } from '../networks/service.js';
import type { Points } from '../points/service.js';
import type { Registry } from '../registry/service.js';
import { deedOf } from './asking.js';

/** What locks ask about follows: read from the ledger, never asked of a network. Satisfies `FactSource` of locks, but for the medals. */
export class FollowFacts {
  constructor(private readonly parts: { registry: Registry; networks: Networks; points: Points }) {}

  /** Verified accounts of these athletes, as locks name them, with their deeds. */
  private async deedsOf(athletes: string[]): Promise<{ deed: string; name: string }[]> {
    const { registry, networks } = this.parts;
    const accounts = (await Promise.all([...new Set(athletes)].map((one) => registry.verifiedOf(one)))).flat();
    return accounts.map((one) => ({ deed: deedOf(networks.of(one.network).accountDeed, one), name: `${one.athlete.id}:${one.network}` }));
  }

  /** Which accounts of these athletes a fan follows now, as `athlete:network`. */
  async followed(fan: string, athletes: string[]): Promise<Set<string>> {
    const deeds = await this.deedsOf(athletes);
    const turns = await this.parts.points.turns(
      fan,
      deeds.map((one) => one.deed),
    );
    return new Set(deeds.filter(({ deed }) => (turns.get(deed)?.turn ?? 0) % 2 === 1).map((one) => one.name));
  }

  /** The same before awards and after them, for many fans in one read; what an award says itself is not read. */
  async around(asked: { award: Award; athletes: string[] }[]): Promise<{ before: Set<string>; after: Set<string> }[]> {
    const named = await Promise.all(asked.map(({ athletes }) => this.deedsOf(athletes)));
    const held = await this.parts.points.heldAt(
      asked.map(({ award: { fan, seq, items, points } }, at) => {
        // Whose only points are these holds nothing else.
        const others = points === items.reduce((sum, { delta }) => sum + delta, 0) ? [] : (named[at] ?? []);
        return { fan, seq, deeds: others.map(({ deed }) => deed).filter((deed) => !items.some((one) => one.deed === deed)) };
      }),
    );
    return asked.map(({ award: { items } }, at) => {
      const names = (moved: number): Set<string> => {
        const deeds = new Set([...(held[at] ?? []), ...items.filter(({ delta }) => delta === moved).map(({ deed }) => deed)]);
        return new Set((named[at] ?? []).filter(({ deed }) => deeds.has(deed)).map(({ name }) => name));
      };
      return { before: names(-1), after: names(1) };
    });
  }
}
