import client from 'prom-client';

/** The figures of one process, for Prometheus. */
export class Metrics {
  /** What Prometheus reads. */
  readonly registry = new client.Registry();
  private readonly requests = new client.Histogram({
    name: 'village_http_seconds',
    help: 'HTTP requests by kind',
    labelNames: ['method', 'status'],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.5, 2],
    registers: [this.registry],
  });
  /** Ledger entries written. */
  readonly awards = new client.Counter({
    name: 'village_entries_total',
    help: 'Ledger entries written',
    labelNames: ['cause'],
    registers: [this.registry],
  });
  /** Requests to networks, by what came of them. */
  readonly networkCalls = new client.Counter({
    name: 'village_network_calls_total',
    help: 'Requests to networks',
    labelNames: ['network', 'outcome'],
    registers: [this.registry],
  });
  /** Open sockets. */
  readonly sockets = new client.Gauge({
    name: 'village_sockets',
    help: 'Open sockets',
    registers: [this.registry],
  });
  /** Sockets that were cut, by the reason. */
  readonly cuts = new client.Counter({
    name: 'village_sockets_cut_total',
    help: 'Sockets that were cut',
    labelNames: ['why'],
    registers: [this.registry],
  });
  /** Errors that nobody caught. */
  readonly faults = new client.Counter({
    name: 'village_faults_total',
    help: 'Errors that nobody caught (RELIABILITY F19): each one is a mistake of ours',
    labelNames: ['kind'],
    registers: [this.registry],
  });

  private readonly kinds = new Map<string, client.Histogram.Internal<'method' | 'status'>>();

  constructor() {
    client.collectDefaultMetrics({ register: this.registry });
  }

  /** Adds a figure of this process, read at each scrape. */
  watch(name: string, help: string, read: () => number): void {
    new client.Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  /** Adds a figure of the whole hub, read from the store at each scrape; left out if that fails. */
  watchAll(
    name: string,
    help: string,
    label: string,
    read: () => Promise<ReadonlyMap<string, number>>,
  ): void {
    const gauge: client.Gauge = new client.Gauge({
      name,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect: async () => {
        gauge.reset();
        for (const [value, figure] of await read().catch(() => new Map<string, number>()))
          gauge.set({ [label]: value }, figure);
      },
    });
  }

  /** Counts a request that was answered after `ms`. */
  request(method: string, status: number, ms: number): void {
    const name = `${method} ${status}`;
    let kind = this.kinds.get(name);
    if (!kind) this.kinds.set(name, (kind = this.requests.labels(method, String(status))));
    kind.observe(ms / 1000);
  }
}
