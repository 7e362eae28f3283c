import type { Networks } from '../networks/service.js';
import type { Registry } from '../registry/service.js';

/**
 * The one deed of an account (LEDGER 1): a like where the network can only tell Page likes, else a
 * follow.
 */
export const deedOf = (
  kind: 'follow' | 'like',
  account: { network: string; accountId: string },
): string => `${kind}:${account.network}:${account.accountId}`;

/** A deed, with the account it is of as locks name it. */
export interface Named {
  deed: string;
  name: string;
  athlete: string;
}

/** The deeds of the verified accounts of these athletes, from memory. */
export async function namedDeeds(
  { registry, networks }: { registry: Registry; networks: Networks },
  athletes: Iterable<string>,
): Promise<Named[]> {
  return (await registry.verifiedAmong(athletes)).map((one) => ({
    deed: deedOf(networks.adapter(one.network).accountDeed, one),
    name: `${one.athlete.id}:${one.network}`,
    athlete: one.athlete.id,
  }));
}
