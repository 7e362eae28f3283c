import {
  Agenda,
  exponential,
  toJobId,
  type Job,
  type NotificationChannel,
  type NotificationHandler,
} from 'agenda';
import type { Connection } from 'mongoose';
import { VillageError } from '../errors.js';
import type { Audit } from './audit.js';
import type { Bus } from './bus.js';
import { within, type Clock } from './clock.js';
import type { Log } from './logs.js';
import type { Metrics } from './metrics.js';
import { JobOverview, type EndedJob } from './job-overview.js';
import { JobStore, type Again, type Merge } from './job-store.js';

export type { EndedJob } from './job-overview.js';
export type { Again, Merge } from './job-store.js';

/**
 * What does a kind of job; the payload is what `add` was given, so its doer knows its shape. It
 * ends early when `signal` says so.
 */
export type Handler = (payload: never, signal: AbortSignal) => Promise<Again | null>;
export interface KindOptions {
  /** How many of this kind a process runs at once; other kinds do not wait for them. */
  concurrency?: number;
  /** Of two of this kind that are due the higher goes first. */
  priority?: number;
  /** How long one run may take, in ms. */
  limitMs?: number;
  /** How often it is begun before it is given up, and left to the staff. */
  attempts?: number;
  /** The first wait after a failure, in ms, doubled each time up to an hour. */
  backoffMs?: number;
  /** One payload from two of the same name; else the later one stands for both. */
  merge?: Merge;
}
const USUAL = {
  concurrency: 1,
  priority: 0,
  limitMs: 5 * 60_000,
  attempts: 12,
  backoffMs: 2000,
  merge: (_before: never, after: never): unknown => after,
};
/** What nobody woke us for is found within, in ms. */
const LOOK_MS = 1000;
/**
 * How long one who leaves waits for the jobs in hand, and a job whose time is up may still take to
 * end, in ms.
 */
const LEAVE_MS = 5000;
const HOUR_MS = 3_600_000;

/**
 * Tells Agenda that there may be work of a kind: over the bus, when a job is added, and when one of
 * its places came free.
 */
class Wake implements NotificationChannel {
  readonly state = 'connected';
  private handler: NotificationHandler | null = null;
  private readonly looks = new Map<string, { once: Promise<void>; more: boolean }>();

  constructor(
    private readonly bus: Bus,
    added: (kind: string) => void,
  ) {
    bus.on('jobs:added', ({ kind }) => {
      added(kind);
      return this.look(kind);
    });
  }

  connect(): Promise<void> {
    return Promise.resolve();
  }
  disconnect(): Promise<void> {
    return Promise.resolve();
  }
  on(): this {
    return this;
  }
  off(): this {
    return this;
  }
  subscribe(handler: NotificationHandler): () => void {
    this.handler = handler;
    return () => {
      this.handler = null;
    };
  }
  publish({ jobName }: { jobName: string }): Promise<void> {
    this.bus.tell('jobs:added', { kind: jobName });
    return Promise.resolve();
  }

  /**
   * Lets Agenda take what is due of a kind and begin it; asked again meanwhile it looks once more.
   */
  look(kind: string): Promise<void> {
    const now = this.looks.get(kind);
    if (now) {
      now.more = true;
      return now.once;
    }
    const look = { once: Promise.resolve(), more: false };
    const turn = async (): Promise<void> => {
      do {
        look.more = false;
        await this.handler?.({
          jobId: toJobId(''),
          jobName: kind,
          nextRunAt: null,
          priority: 0,
          timestamp: new Date(),
        });
      } while (look.more);
    };
    this.looks.set(kind, look);
    look.once = turn().finally(() => this.looks.delete(kind));
    return look.once;
  }
}

/**
 * Jobs are documents in MongoDB, carried out by Agenda (DESIGN 5): each kind has places of its own,
 * so that a slow one holds nobody up. Workers hear of a new job over the bus; that may lose, and
 * then Agenda's look every second finds it. A handler may be run twice (a killed worker's job is
 * taken over when its lease ends) and must bear it; it may answer when to run next.
 */
export class Jobs {
  private readonly store: JobStore;
  private readonly overview: JobOverview;
  private readonly agenda: Agenda;
  private readonly wake: Wake;
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
    this.wake = new Wake(bus, (kind) => {
      this.store.forget(kind);
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

  /** Says who does a kind of job, and how. */
  handle(kind: string, options: KindOptions, handler: Handler): void {
    const rules = { ...USUAL, ...options };
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
    if (!found) throw new Error(`nobody said how jobs of the kind ${kind} are done`);
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
   * Asks for a job, and answers its id. One of the same name that waits takes up the payload (see
   * `merge`) and comes at the earlier of both times; behind one that runs another run follows.
   */
  async add(
    kind: string,
    name: string,
    payload: unknown,
    options: { at?: Date; priority?: number } = {},
  ): Promise<string> {
    const { at = this.clock.now(), priority = this.rules(kind).priority } = options;
    await this.store.ask(kind, name, { data: payload, at, priority });
    await this.wake.publish({ jobName: kind });
    return `${kind}:${name}`;
  }

  /** Asks for many jobs of a kind together, each as `add` does. */
  async addMany(kind: string, jobs: { name: string; payload: unknown }[]): Promise<void> {
    if (jobs.length === 0) return;
    const { priority } = this.rules(kind);
    const at = this.clock.now();
    await this.store.askMany(
      kind,
      jobs.map(({ name: key, payload: data }) => ({ key, data, at, priority })),
    );
    await this.wake.publish({ jobName: kind });
  }

  /** Jobs that were given up, the newest first, and how many there are. */
  async ended(limit: number): Promise<{ items: EndedJob[]; total: number }> {
    return this.overview.ended(limit);
  }

  /**
   * Begins a job that was given up anew, on somebody's order. Throws `job_not_found`: it may have
   * been begun, or asked for, meanwhile.
   */
  async startAgain(id: string, by: string): Promise<void> {
    const found = await this.overview.revive(id);
    if (!found) throw new VillageError('job_not_found');
    await this.audit.add({ by, act: 'job.started', on: `job:${found.kind}:${found.name}` });
    await this.wake.publish({ jobName: found.kind });
  }

  /** Starts to work, until `stop`. */
  async start(): Promise<void> {
    this.started = true;
    await this.agenda.start();
  }

  /**
   * Takes no further job, gives those in hand five seconds, and hands back what is not done by
   * then: another takes it over at once. Ends also while the stores are away: then leases end by
   * themselves.
   */
  async stop(): Promise<void> {
    this.store.leaving = true;
    await this.agenda.stop(false);
    await within(this.store.idle(), LEAVE_MS);
    await this.store.handBack();
    await this.draining.catch(() => 0);
  }

  /**
   * Does every job that is due now, in a process that does not work by itself, and answers how
   * many.
   */
  drain(): Promise<number> {
    this.draining = this.draining.catch(() => 0).then(() => this.work());
    return this.draining;
  }

  private async work(): Promise<number> {
    const { over } = this.store;
    if (!this.started) await this.agenda.start();
    let taken: number;
    do {
      ({ taken } = this.store);
      await Promise.all([...this.kinds.keys()].map((kind) => this.wake.look(kind)));
      await this.store.idle();
    } while (this.store.taken !== taken);
    if (!this.started) await this.agenda.stop(false);
    return this.store.over - over;
  }
}
