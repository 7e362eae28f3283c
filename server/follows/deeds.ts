import type { Networks } from '../networks/service.js';
import { makeDeed } from '../points/service.js';
import type { Registry, VerifiedAccount } from '../registry/service.js';

/** Which account on which network: all that a deed's key is made of, beside its kind. */
type AccountKey = Pick<VerifiedAccount, 'network' | 'accountId'>;

/**
 * The key of an account's one deed (LEDGER 1): a like where the network can only tell Page likes,
 * else a follow.
 */
export const accountDeed = (networks: Networks, { network, accountId }: AccountKey): string =>
  makeDeed({ kind: networks.adapter(network).accountDeed, network, id: accountId });

/** A deed, under the name that locks know its account by. */
export interface NamedDeed {
  deed: string;
  /** `athlete:network`. */
  name: string;
  athlete: string;
}

/** The deeds of the verified accounts of these athletes, from memory. */
export async function namedDeeds(
  { registry, networks }: { registry: Registry; networks: Networks },
  athletes: Iterable<string>,
): Promise<NamedDeed[]> {
  return (await registry.verifiedAmong(athletes)).map((account) => ({
    deed: accountDeed(networks, account),
    name: `${account.athlete.id}:${account.network}`,
    athlete: account.athlete.id,
  }));
}
