import type { Connection, Expression, Model } from 'mongoose';
import client from 'prom-client';
import type { Clock } from './clock.js';
import { jobModel, type JobRecord } from './job.model.js';

/** A job that was given up: it failed too often and waits for the staff. */
export interface EndedJob {
  id: string;
  kind: string;
  name: string;
  attempts: number;
  failedAt: Date;
  reason: string;
}

/** The states a job may be in: `waiting` is due, `later` is not yet, `ended` was given up. */
const STATES = ['waiting', 'later', 'running', 'ended'] as const;
type Counts = { kind: string; oldestSeconds: number } & Record<(typeof STATES)[number], number>;

/** Shows how the jobs stand: to the staff, who start again what was given up, and to Prometheus. */
export class JobOverview {
  private readonly records: Model<JobRecord>;

  constructor(
    connection: Connection,
    private readonly clock: Clock,
  ) {
    this.records = jobModel(connection);
  }

  /** The jobs that were given up, the latest first, and how many there are in all. */
  async ended(limit: number): Promise<{ items: EndedJob[]; total: number }> {
    const givenUp = { nextRunAt: null, holder: null };
    const [found, total] = await Promise.all([
      this.records
        .find(givenUp, { data: 0, following: 0 })
        .sort({ failedAt: -1 })
        .limit(limit)
        .lean<JobRecord[]>(),
      this.records.countDocuments(givenUp),
    ]);
    const items = found.map(({ _id, name, key, attempts, failedAt, failReason }) => ({
      id: _id.toHexString(),
      kind: name,
      name: key,
      attempts,
      failedAt: failedAt ?? new Date(0),
      reason: failReason ?? '',
    }));
    return { items, total };
  }

  /**
   * Makes a job that was given up due again, as if it were new. Answers which one it was, or null
   * when no job of this id is given up.
   */
  async revive(id: string): Promise<{ kind: string; name: string } | null> {
    if (!/^[0-9a-f]{24}$/.test(id)) return null;
    const change = { $set: { nextRunAt: this.clock.now(), attempts: 0 }, $inc: { revision: 1 } };
    const found = await this.records
      .findOneAndUpdate({ _id: id, nextRunAt: null, holder: null }, change)
      .lean<JobRecord>();
    return found && { kind: found.name, name: found.key };
  }

  /**
   * How many jobs of each kind are in each state, and for how many seconds the oldest due job has
   * waited.
   */
  async counts(): Promise<Counts[]> {
    const now = this.clock.now();
    const countIf = (test: Expression.Eq | Expression.And): { $sum: Expression.Cond } => ({
      $sum: { $cond: [test, 1, 0] },
    });
    const free: Expression.Eq = { $eq: ['$holder', null] };
    const ended: Expression.Eq = { $eq: ['$nextRunAt', null] };
    const due: Expression.And = { $and: [free, { $not: [ended] }, { $lte: ['$nextRunAt', now] }] };
    const groups = await this.records.aggregate<{
      _id: string;
      waiting: number;
      free: number;
      ended: number;
      all: number;
      oldest: Date | null;
    }>([
      {
        $group: {
          _id: '$name',
          all: { $sum: 1 },
          waiting: countIf(due),
          free: countIf(free),
          ended: countIf({ $and: [free, ended] }),
          oldest: { $min: { $cond: [due, '$nextRunAt', null] } },
        },
      },
    ]);
    return groups.map(({ _id: kind, ...group }) => ({
      kind,
      waiting: group.waiting,
      later: group.free - group.ended - group.waiting,
      running: group.all - group.free,
      ended: group.ended,
      oldestSeconds: group.oldest ? (now.getTime() - group.oldest.getTime()) / 1000 : 0,
    }));
  }

  /**
   * Registers the figures for Prometheus, counted at each scrape. While the store is away there are
   * none: what was counted before may be wrong by now.
   */
  watch(registry: client.Registry): void {
    let counting: Promise<Counts[]> | null = null;
    const countOnce = (): Promise<Counts[]> =>
      (counting ??= this.counts()
        .catch(() => [])
        .finally(() => {
          counting = null;
        }));
    new client.Gauge({
      name: 'village_jobs',
      help: 'Jobs by kind and state',
      labelNames: ['kind', 'state'],
      registers: [registry],
      async collect() {
        const all = await countOnce();
        this.reset();
        for (const counts of all)
          for (const state of STATES) this.set({ kind: counts.kind, state }, counts[state]);
      },
    });
    new client.Gauge({
      name: 'village_jobs_oldest_seconds',
      help: 'How long the longest due job of a kind waits',
      labelNames: ['kind'],
      registers: [registry],
      async collect() {
        const all = await countOnce();
        this.reset();
        for (const { kind, oldestSeconds } of all) this.set({ kind }, oldestSeconds);
      },
    });
  }
}
