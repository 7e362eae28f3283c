/** What a fan can do that earns: follow an account, or like it (a Page, later a post). */
export type DeedKind = 'follow' | 'like';

/** What a deed key says: the kind of deed, the network it was done on, and what it was done to. */
export interface Deed {
  kind: DeedKind;
  network: string;
  /** The network's own id of the account or post: any text, `did:plc:…` and `at://…` included. */
  id: string;
}

/**
 * Makes the key of a deed, `<kind>:<network>:<id>`, under which the ledger knows it for ever.
 * Throws for a name of a network that could not be read back.
 */
export function makeDeed({ kind, network, id }: Deed): string {
  if (network === '' || network.includes(':')) throw new Error(`no name of a network: ${network}`);
  return `${kind}:${network}:${id}`;
}

/**
 * Reads a deed key. Kind and network end at the first two colons; all that follows is the id,
 * whatever signs are in it. Throws for a text that is no deed key.
 *
 * @example
 * readDeed('follow:bluesky:did:plc:abc').id === 'did:plc:abc'
 */
export function readDeed(key: string): Deed {
  const afterKind = key.indexOf(':');
  const afterNetwork = key.indexOf(':', afterKind + 1);
  const kind = key.slice(0, afterKind);
  if ((kind !== 'follow' && kind !== 'like') || afterNetwork - afterKind < 2)
    throw new Error(`not a deed: ${key}`);
  return {
    kind,
    network: key.slice(afterKind + 1, afterNetwork),
    id: key.slice(afterNetwork + 1),
  };
}
