import { Agenda, exponential, type Job } from 'agenda';
import type { Connection } from 'mongoose';
import { VillageError } from '../errors.js';
import type { Audit } from './audit.js';
import type { Bus } from './bus.js';
import { within, type Clock } from './clock.js';
import type { Log } from './logs.js';
import type { Metrics } from './metrics.js';
import { JobOverview, type EndedJob } from './job-overview.js';
import { JobStore, type RunAgain } from './job-store.js';
import { JobWake } from './job-wake.js';
import type { Merge } from './job.model.js';

export type { EndedJob } from './job-overview.js';
export type { RunAgain } from './job-store.js';

/**
 * Carries out a kind of job; the payload is what `add` was given, so the handler knows its shape.
 * It ends early when `signal` is aborted. Answers when to run next, or null for a job that is done.
 */
export type Handler = (payload: never, signal: AbortSignal) => Promise<RunAgain | null>;

/** How jobs of a kind are run; what is left out is as in `DEFAULTS`. */
export interface KindOptions {
  /** How many of this kind a process runs at once; other kinds do not wait for them. */
  concurrency?: number;
  /** Of two due jobs of this kind the one with the higher priority goes first. */
  priority?: number;
  /** How long a run may take, in ms. */
  limitMs?: number;
  /** How often a job is begun before it is given up and left to the staff. */
  attempts?: number;
  /** The first wait after a failure, in ms, doubled each time up to an hour. */
  backoffMs?: number;
  /** Makes one payload from two for the same job; by default the later one stands for both. */
  merge?: Merge;
}
const DEFAULTS = {
  concurrency: 1,
  priority: 0,
  limitMs: 5 * 60_000,
  attempts: 12,
  backoffMs: 2000,
  merge: (_earlier: never, later: never): unknown => later,
};
/** How often Agenda looks for jobs that nobody told us of, in ms. */
const LOOK_MS = 1000;
/**
 * How long a process that leaves waits for the jobs in hand, and how long a job whose time is up
 * may still take to end, in ms.
 */
const LEAVE_MS = 5000;
const HOUR_MS = 3_600_000;

/**
 * The hub's background jobs: documents in MongoDB, carried out by Agenda (DESIGN 5). Each kind has
 * places of its own, so that a slow kind holds no other up. Workers hear of a new job over the bus;
 * the bus may lose, and then Agenda's look every second finds it. A handler may be run twice,
 * because the job of a killed worker is taken over when its lease ends, and must bear that.
 */
export class Jobs {
  private readonly store: JobStore;
  private readonly overview: JobOverview;
  private readonly agenda: Agenda;
  private readonly wake: JobWake;
  private readonly kinds = new Map<string, Required<KindOptions>>();
  private started = false;
  private draining: Promise<number> = Promise.resolve(0);

  constructor(
    connection: Connection,
    bus: Bus,
    private readonly audit: Audit,
    metrics: Metrics,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.store = new JobStore(connection, clock, (kind) => this.rules(kind));
    this.overview = new JobOverview(connection, clock);
    this.overview.watch(metrics.registry);
    this.wake = new JobWake(bus, (kind) => {
      this.store.heedAdded(kind);
    });
    const backend = {
      name: 'MongoDB',
      repository: this.store,
      ownsConnection: false,
      connect: () => this.store.connect(),
      disconnect: () => Promise.resolve(),
    };
    this.agenda = new Agenda({
      backend,
      notificationChannel: this.wake,
      processEvery: LOOK_MS,
      maxConcurrency: Number.MAX_SAFE_INTEGER,
    });
    this.agenda.on('error', (error) => {
      log.debug({ err: error }, 'jobs: a look failed');
    });
    this.agenda.on('fail', (error, job) => {
      log.warn({ err: error, job: 'attrs' in job ? job.attrs.name : '' }, 'jobs: a job failed');
    });
    this.agenda.on('complete', (job) => {
      // Its place comes free behind this event; Agenda itself would look for the next one only a
      // second later.
      if ('attrs' in job) setImmediate(() => void this.wake.look(job.attrs.name));
    });
  }

  /** Registers the handler of a kind of job, and how its jobs are run. */
  handle(kind: string, options: KindOptions, handler: Handler): void {
    const rules = { ...DEFAULTS, ...options };
    this.kinds.set(kind, rules);
    this.agenda.define(kind, (job: Job) => this.run(job, rules, handler), {
      concurrency: rules.concurrency,
      lockLimit: rules.concurrency,
      // Agenda looks after a lock twice in its life, with a timer that outlives the job: a short
      // life leaves none behind.
      lockLifetime: LOOK_MS,
      backoff: exponential({
        delay: rules.backoffMs,
        maxDelay: HOUR_MS,
        maxRetries: rules.attempts - 1,
        jitter: 0.25,
      }),
    });
  }

  private rules(kind: string): Required<KindOptions> {
    const found = this.kinds.get(kind);
    if (!found) throw new Error(`no handler is registered for jobs of the kind ${kind}`);
    return found;
  }

  private async run(job: Job, { limitMs }: Required<KindOptions>, handler: Handler): Promise<void> {
    const hand = this.store.hand(String(job.attrs._id));
    if (!hand) return;
    const late = new AbortController();
    const limit = setTimeout(() => {
      late.abort(new Error(`it took longer than ${limitMs} ms`));
    }, limitMs);
    const signal = AbortSignal.any([late.signal, hand.leaving.signal]);
    const over = new Promise<never>((_resolve, reject) => {
      late.signal.addEventListener('abort', () => {
        setTimeout(reject, LEAVE_MS, late.signal.reason).unref();
      });
    });
    try {
      hand.again = await Promise.race([handler(hand.record.data as never, signal), over]);
      late.signal.throwIfAborted();
    } finally {
      clearTimeout(limit);
    }
  }

  /**
   * Asks for a job and answers its id. One of the same name that waits takes the payload in (see
   * `merge`) and runs at the earlier of both times; behind one that runs, another run follows.
   */
  async add(
    kind: string,
    name: string,
    payload: unknown,
    options: { at?: Date; priority?: number } = {},
  ): Promise<string> {
    const { at = this.clock.now(), priority = this.rules(kind).priority } = options;
    await this.store.add(kind, name, { data: payload, at, priority });
    await this.wake.publish({ jobName: kind });
    return `${kind}:${name}`;
  }

  /** Asks for many jobs of a kind together, each as `add` does. */
  async addMany(kind: string, jobs: { name: string; payload: unknown }[]): Promise<void> {
    if (jobs.length === 0) return;
    const { priority } = this.rules(kind);
    const at = this.clock.now();
    await this.store.addMany(
      kind,
      jobs.map(({ name: key, payload: data }) => ({ key, data, at, priority })),
    );
    await this.wake.publish({ jobName: kind });
  }

  /** The jobs that were given up, the latest first, and how many there are in all. */
  ended(limit: number): Promise<{ items: EndedJob[]; total: number }> {
    return this.overview.ended(limit);
  }

  /**
   * Starts a job again that had been given up, by order of a member of the staff. Throws
   * `job_not_found`, also for one that was started or asked for meanwhile.
   */
  async startAgain(id: string, by: string): Promise<void> {
    const found = await this.overview.revive(id);
    if (!found) throw new VillageError('job_not_found');
    await this.audit.add({ by, act: 'job.started', on: `job:${found.kind}:${found.name}` });
    await this.wake.publish({ jobName: found.kind });
  }

  /** Carries out jobs until `stop`. */
  async start(): Promise<void> {
    this.started = true;
    await this.agenda.start();
  }

  /**
   * Takes no further job, gives those in hand five seconds, and hands back what is not done by
   * then, so that another process takes it over at once. Resolves also while the store is away:
   * then the leases end by themselves.
   */
  async stop(): Promise<void> {
    this.store.isLeaving = true;
    await this.agenda.stop(false);
    await within(this.store.idle(), LEAVE_MS);
    await this.store.handBack();
    await this.draining.catch(() => 0);
  }

  /**
   * Carries out every job that is due now, in a process that does not work by itself. Answers how
   * many there were.
   */
  drain(): Promise<number> {
    this.draining = this.draining.catch(() => 0).then(() => this.workOff());
    return this.draining;
  }

  private async workOff(): Promise<number> {
    const { ended } = this.store;
    if (!this.started) await this.agenda.start();
    let taken: number;
    do {
      ({ taken } = this.store);
      await Promise.all([...this.kinds.keys()].map((kind) => this.wake.look(kind)));
      await this.store.idle();
    } while (this.store.taken !== taken);
    if (!this.started) await this.agenda.stop(false);
    return this.store.ended - ended;
  }
}
