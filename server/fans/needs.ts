import type { NetworkId } from '../networks/network.js';

/** Who asks networks about deeds, and is told of new links. */
export interface Linked {
  /** An account on a network was linked to a fan. May be told twice of the same link. */
  linked(fan: string, network: string): Promise<void>;
}

/** Who knows whose account is whose, and is told at every sign-in what it proved. */
export interface Proved {
  /**
   * A fan has shown these accounts of a network to be theirs, and no others. May be told twice of
   * the same sign-in.
   */
  proved(fan: string, network: NetworkId, accounts: string[]): Promise<void>;
}

/** Who knows the verified athletes, so that nobody else is called as they are. */
export interface Listed {
  /** The verified accounts, and whose they are. */
  verified(): Promise<
    readonly { network: string; accountId: string; handle: string; athlete: { name: string } }[]
  >;
}
