import { VillageError } from '../errors.js';
import type { NetworkId } from '../networks/network.js';
import type { DeedState } from '../points/service.js';
import type { Registry, VerifiedAccount } from '../registry/service.js';
import { turnOf } from './deed-states.js';

/** A fan follows an athlete's account here, or undoes that. */
export interface FollowAct {
  fan: string;
  athlete: string;
  network: NetworkId;
  /** The account's id on the network; absent where the athlete's only one there is meant. */
  account?: string | undefined;
  /** The turn of the deed that the caller last saw; absent when they saw none. */
  turn?: number | undefined;
  /** The language in which to name what it opened. */
  language: string;
}

/**
 * Whether the deed has moved on since the caller saw it: a late repeat, which is answered with how
 * the deed stands and writes nothing (LEDGER 4).
 */
export const isLate = ({ turn }: FollowAct, state: DeedState | undefined): boolean =>
  turn !== undefined && turn !== turnOf(state);

/**
 * The verified account that is meant: the one of this id, else the only one. Throws `which_account`
 * with the list, `not_verified`, `account_not_found`.
 */
export async function requireAccount(
  registry: Registry,
  { athlete, network, account }: FollowAct,
): Promise<VerifiedAccount> {
  const isMeant = (id: string): boolean => account === undefined || id === account;
  const verified = (await registry.verifiedOf(athlete)).filter((each) => each.network === network);
  const [found, second] = verified.filter(({ accountId }) => isMeant(accountId));
  if (second) {
    const accounts = verified.map(({ accountId: id, handle, url }) => ({
      id,
      network,
      handle,
      url,
    }));
    throw new VillageError('which_account', { network }, { accounts });
  }
  if (found) return found;
  const isKnown = (await registry.publicOf(athlete)).some(
    (each) => each.network === network && isMeant(each.accountId),
  );
  throw isKnown
    ? new VillageError('not_verified', { network })
    : new VillageError('account_not_found', { account: account ?? network });
}
