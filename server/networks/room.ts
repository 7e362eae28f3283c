import type { Platform } from '../platform/platform.js';
import { Signer } from '../platform/secrets.js';
import { Cards } from './cards.js';
import { Networks } from './service.js';

/** Builds the adapters of all networks, and the signed cards that say which deeds earn there. */
export function createNetworks({
  config,
  connection,
  bus,
  clock,
  metrics,
}: Pick<Platform, 'config' | 'connection' | 'bus' | 'clock' | 'metrics'>): {
  networks: Networks;
  cards: Cards;
} {
  const networks = new Networks(config.networks, clock, (network, outcome) => {
    metrics.networkCalls.inc({ network, outcome });
  });
  return { networks, cards: new Cards(connection, new Signer(config.signingKey), bus, clock) };
}
