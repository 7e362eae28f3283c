import type { Card } from '../../networks/cards.js';
import type { NetworkId } from '../../networks/network.js';
import { MEDALS, type RuleSet } from '../../points/service.js';

/** The rules in force and the card of each network, as the page "how points count" shows them. */
export function presentRules(
  rule: RuleSet['now'],
  cards: { network: NetworkId; card: Card | null }[],
) {
  const thresholds = (points: readonly number[]) =>
    points.map((at, index) => ({ medal: MEDALS[index], at }));
  return {
    hub: thresholds(rule.hub),
    discipline: thresholds(rule.discipline),
    version: rule.version,
    from: rule.from,
    cards: cards.map(({ network, card }) => ({
      network,
      mode: card?.mode ?? 'off',
      from: card?.from ?? null,
    })),
  };
}
