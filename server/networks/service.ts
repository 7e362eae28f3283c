import type { Config } from '../config.js';
import type { Clock } from '../platform/clock.js';
import { typed } from './addresses.js';
import { FacebookAdapter } from './facebook/adapter.js';
import { beyondFacebook } from './facebook/addresses.js';
import type { Adapter, NetworkId, Parsed } from './network.js';
import type { OutcomeListener } from './outward.js';
import { XAdapter } from './x/adapter.js';

/** The networks that the hub speaks with, an adapter each. */
export class Networks {
  private readonly adapters: Record<NetworkId, Adapter>;

  constructor(settings: Config['networks'], clock: Clock, onOutcome: OutcomeListener) {
    this.adapters = {
      x: new XAdapter(settings.x, clock, onOutcome),
      facebook: new FacebookAdapter(settings.facebook, clock, onOutcome),
    };
  }

  /** The adapter of a network. */
  adapter(network: NetworkId): Adapter {
    return this.adapters[network];
  }

  /** Every adapter, in the order of `NETWORKS`. */
  all(): Adapter[] {
    return Object.values(this.adapters);
  }

  /**
   * The network and the account that a text means: an address names its network, `@name` and a
   * plain name mean X. `none` stands for an address there that is no account; null is answered for
   * a text that means nothing on any of our networks.
   */
  parse(text: string): { network: NetworkId; parsed: Exclude<Parsed, null> } | null {
    const meant = beyondFacebook(text);
    for (const adapter of this.all()) {
      const parsed = adapter.parse(meant);
      if (parsed) return { network: adapter.id, parsed };
    }
    const plain = /^\w{1,15}$/.exec(typed(text));
    return plain ? { network: 'x', parsed: { handle: plain[0] } } : null;
  }
}
