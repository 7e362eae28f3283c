import type { Networks } from '../networks/service.js';
import type { Registry, VerifiedAccount } from '../registry/service.js';

/** Which account on which network: all that a deed's key is made of, beside its kind. */
type AccountKey = Pick<VerifiedAccount, 'network' | 'accountId'>;

/**
 * The key of an account's one deed (LEDGER 1): a like where the network can only tell Page likes,
 * else a follow.
 */
export const accountDeed = (networks: Networks, { network, accountId }: AccountKey): string =>
  `${networks.adapter(network).accountDeed}:${network}:${accountId}`;

/**
 * The parts of a deed's key. Kind and network are read from the front; the rest is the account's or
 * post's id on that network, whatever signs it is made of (`did:plc:…`).
 */
export function parseDeed(deed: string): { kind: string; network: string; id: string } {
  const [kind = '', network = '', ...id] = deed.split(':');
  return { kind, network, id: id.join(':') };
}

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
