/** A verified account as the directory shows it. */
export interface ListedAccount {
  /** The network's own id: what the follow doors call `account`. */
  id: string;
  network: string;
  handle: string;
  url: string;
  since: Date;
}

/**
 * What the directory needs from the registry: the verified accounts of these athletes, from memory.
 */
export interface Accounts {
  listed(athletes: string[]): Promise<Map<string, ListedAccount[]>>;
}
