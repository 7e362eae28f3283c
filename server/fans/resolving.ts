import { NETWORKS, type NetworkId } from '../networks/network.js';
import type { FanRecord } from './fan.model.js';
import type { FanStore } from './fan-store.js';
import type { Identities } from './identities.js';
import { asName, nameKey } from './naming.js';

/**
 * Finds whom an operator means: a hub id, `network:handle`, `name:` and what the fan is called
 * here, or (the demo's people) a plain handle. Null for nobody.
 */
export async function resolveFan(
  { store, identities }: { store: FanStore; identities: Identities },
  text: string,
): Promise<FanRecord | null> {
  const byId = await store.records.findById(text).lean<FanRecord>();
  if (byId) return byId;
  const [prefix, rest = ''] = text.includes(':') ? text.split(':', 2) : [null, text];
  if (prefix === 'name')
    return store.records
      .findOne({ nameKey: { $eq: nameKey(asName(rest)), $ne: '' } })
      .lean<FanRecord>();
  for (const network of prefix ? [prefix as NetworkId] : NETWORKS) {
    const identity = await identities.findByHandle(network, rest);
    if (identity) return store.get(identity.fan);
  }
  return null;
}
