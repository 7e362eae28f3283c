import type { Network } from './records.js';

/** A fault planted by a test or by the control plane. */
export interface Fault {
  network: Network;
  /** The start of the paths that it strikes. */
  path: string;
  /** The status that is answered; 0 cuts the connection. */
  status: number;
  /** How many more requests it strikes; a negative number for ever. */
  times: number;
  latencyMs: number;
  body: string | null;
}

/** A rate limit that replaces the network's own on a route, or on all of them (`*`). */
export interface Rate {
  network: Network;
  route: string;
  limit: number;
  windowS: number;
}

/** A request that was answered. */
export interface LoggedRequest {
  at: string;
  network: Network;
  method: string;
  path: string;
  status: number;
}

const WINDOW_S = 900;
const SECRETS =
  /((?:access_token|code|client_secret|appsecret_proof|fb_exchange_token|refresh_token)=)[^&]+/g;

/** What happens to requests on their way: planted faults, rate limits, and the log. */
export class Traffic {
  faults: Fault[] = [];
  rates: Rate[] = [];
  readonly log: LoggedRequest[] = [];
  private readonly counters = new Map<string, { from: number; used: number }>();

  constructor(private readonly now: () => Date) {}

  /** Forgets faults, limits and the log. */
  reset(): void {
    this.faults = [];
    this.rates = [];
    this.log.length = 0;
    this.counters.clear();
  }

  /** The planted fault that strikes this request, used up by one; null without. */
  takeFault(network: Network, path: string): Fault | null {
    const found = this.faults.find(
      (fault) => fault.network === network && path.startsWith(fault.path) && fault.times !== 0,
    );
    if (found && found.times > 0) found.times -= 1;
    return found ?? null;
  }

  /** Sets the limit of a route, in the place of an earlier one. */
  setRate(rate: Rate): void {
    this.rates = this.rates.filter(
      ({ network, route }) => network !== rate.network || route !== rate.route,
    );
    this.rates.push(rate);
  }

  /**
   * Counts a request of a token on a route. Answers the limit and what is left of it, as
   * rate-limit headers state them; `reset` in seconds since 1970.
   */
  count(
    network: Network,
    route: string,
    token: string,
    normal: number,
  ): { limit: number; remaining: number; reset: number; refused: boolean } {
    const set = this.rates.find(
      (rate) => rate.network === network && (rate.route === route || rate.route === '*'),
    );
    const limit = set?.limit ?? normal;
    const window = (set?.windowS ?? WINDOW_S) * 1000;
    const key = `${network}|${route}|${token}`;
    const now = this.now().getTime();
    let counter = this.counters.get(key);
    if (!counter || now - counter.from >= window)
      this.counters.set(key, (counter = { from: now, used: 0 }));
    const refused = counter.used >= limit;
    if (!refused) counter.used += 1;
    return {
      limit,
      remaining: Math.max(0, limit - counter.used),
      reset: Math.ceil((counter.from + window) / 1000),
      refused,
    };
  }

  /** Logs an answered request, with the secrets of its address cut out. */
  record(network: Network, method: string, path: string, status: number): void {
    this.log.push({
      at: this.now().toISOString(),
      network,
      method,
      path: path.replace(SECRETS, '$1[cut]'),
      status,
    });
    if (this.log.length > 20_000) this.log.splice(0, 10_000);
  }
}
