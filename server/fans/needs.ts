import type { NetworkId } from '../networks/network.js';

/**
 * What sign-in needs from those who ask networks: to hear of a new link. It may be heard twice and
 * must bear it.
 */
export interface Linked {
  linked(fan: string, network: string): Promise<void>;
}

/**
 * What sign-in needs from those who know whose account is whose: to hear, at every sign-in, which
 * accounts of a network a fan has shown to be theirs: all of them, and none else. It may be heard
 * twice and must bear it.
 */
export interface Proved {
  proved(fan: string, network: NetworkId, accounts: string[]): Promise<void>;
}

/**
 * What names need from the registry: the verified accounts and whose they are, so that nobody else
 * is called as they are.
 */
export interface Listed {
  verified(): Promise<
    readonly { network: string; accountId: string; handle: string; athlete: { name: string } }[]
  >;
}
