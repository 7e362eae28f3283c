import type { LinkedAccount } from '../networks/network.js';
import type { Audit } from '../platform/audit.js';
import type { Bus } from '../platform/bus.js';
import type { FanStore } from './fan-store.js';
import type { Identities } from './identities.js';
import type { Linked, Proved } from './needs.js';
import type { Renaming } from './renaming.js';

/** Links accounts that fans have proved, and tells those who wait for it. */
export class Linking {
  private linkedTo: Linked | null = null;
  private provedTo: Proved | null = null;

  constructor(
    private readonly parts: {
      store: FanStore;
      identities: Identities;
      renaming: Renaming;
      audit: Audit;
      bus: Bus;
    },
  ) {}

  /** Names who is told of new links. */
  onLinked(linked: Linked): void {
    this.linkedTo = linked;
  }

  /** Names who is told, at every sign-in, which accounts fans have shown to be theirs. */
  onProved(proved: Proved): void {
    this.provedTo = proved;
  }

  /**
   * Links a further account to a fan, or renews one that is linked. Throws what `Identities.link`
   * throws.
   */
  async link(fan: string, linked: LinkedAccount): Promise<void> {
    const { store, identities, renaming, audit, bus } = this.parts;
    const { network } = linked.account;
    const outcome = await identities.link(fan, linked);
    await this.tellProved(fan, linked);
    await renaming.keepAllowed(await store.require(fan));
    if (outcome === 'renewed') return;
    await audit.add({
      by: fan,
      act: outcome === 'new' ? 'identity.linked' : 'identity.regained',
      on: `fan:${fan}`,
      after: { network },
    });
    bus.tell('fans:changed', { fan });
    await this.tellLinked(fan, network);
  }

  /** Tells which accounts of a network a fan has just shown to be theirs. */
  async tellProved(fan: string, { account, manages }: LinkedAccount): Promise<void> {
    await this.provedTo?.proved(fan, account.network, [account.id, ...manages]);
  }

  /** Tells that an account was linked. */
  async tellLinked(fan: string, network: string): Promise<void> {
    await this.linkedTo?.linked(fan, network);
  }
}
