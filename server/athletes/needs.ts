import type { NetworkId } from '../networks/network.js';

/** A verified account as the directory shows it. */
export interface ListedAccount {
  /** The network's own id: what the follow doors call `account`. */
  id: string;
  network: NetworkId;
  handle: string;
  url: string;
  since: Date;
}

/** What the directory needs from the registry. */
export interface Accounts {
  /** The verified accounts of these athletes, by athlete, from memory. */
  listed(athletes: string[]): Promise<Map<string, ListedAccount[]>>;
}
