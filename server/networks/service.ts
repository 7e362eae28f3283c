import type { Config } from '../config.js';
import type { Clock } from '../platform/clock.js';
import { typed } from './addresses.js';
import { FacebookAdapter } from './facebook/adapter.js';
import { beyond } from './facebook/addresses.js';
import type { Adapter, NetworkId, Parsed } from './network.js';
import type { OutcomeListener } from './outward.js';
import { XAdapter } from './x/adapter.js';

/** The networks the hub speaks with: one adapter each. */
export class Networks {
  private readonly adapters: Record<NetworkId, Adapter>;

  constructor(settings: Config['networks'], clock: Clock, onOutcome: OutcomeListener) {
    this.adapters = {
      x: new XAdapter(settings.x, clock, onOutcome),
      facebook: new FacebookAdapter(settings.facebook, clock, onOutcome),
    };
  }

  adapter(network: NetworkId): Adapter {
    return this.adapters[network];
  }

  all(): Adapter[] {
    return Object.values(this.adapters);
  }

  /**
   * Which network and account a text means, of any form: an address names its network, `@name` and
   * a plain name mean X. `none` = an address of a network that is no account; null = nothing of
   * ours.
   */
  parse(text: string): { network: NetworkId; parsed: Exclude<Parsed, null> } | null {
    const meant = beyond(text);
    for (const adapter of this.all()) {
      const parsed = adapter.parse(meant);
      if (parsed) return { network: adapter.id, parsed };
    }
    const plain = /^\w{1,15}$/.exec(typed(text));
    return plain ? { network: 'x', parsed: { handle: plain[0] } } : null;
  }
}
