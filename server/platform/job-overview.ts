import type { Connection, Expression, Model } from 'mongoose';
import client from 'prom-client';
import type { Clock } from './clock.js';
import { jobModel, type JobRecord } from './job.model.js';

/** A job that was given up. */
export interface EndedJob {
  id: string;
  kind: string;
  name: string;
  attempts: number;
  failedAt: Date;
  reason: string;
}
const STATES = ['waiting', 'later', 'running', 'ended'] as const;
type Counts = { kind: string; oldestSeconds: number } & Record<(typeof STATES)[number], number>;

/** How jobs stand: for staff, who begin anew what was given up, and for whoever measures. */
export class JobOverview {
  private readonly records: Model<JobRecord>;

  constructor(
    connection: Connection,
    private readonly clock: Clock,
  ) {
    this.records = jobModel(connection);
  }

  /** Jobs that were given up, the newest first, and how many there are. */
  async ended(limit: number): Promise<{ items: EndedJob[]; total: number }> {
    const given = { nextRunAt: null, holder: null };
    const [found, total] = await Promise.all([
      this.records
        .find(given, { data: 0, following: 0 })
        .sort({ failedAt: -1 })
        .limit(limit)
        .lean<JobRecord[]>(),
      this.records.countDocuments(given),
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
   * Makes a job that was given up due again, as if it were new. Answers it, or null when there is
   * none of this id.
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
   * How many jobs of each kind are in each state, and for how many seconds the longest due one
   * waits.
   */
  async counts(): Promise<Counts[]> {
    const now = this.clock.now();
    const one = (test: Expression.Eq | Expression.And): { $sum: Expression.Cond } => ({
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
          waiting: one(due),
          free: one(free),
          ended: one({ $and: [free, ended] }),
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
   * Counts jobs for Prometheus, at each look of its. While the store is away it says nothing: what
   * was told before may be wrong now.
   */
  watch(registry: client.Registry): void {
    let counting: Promise<Counts[]> | null = null;
    const counts = (): Promise<Counts[]> =>
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
        const all = await counts();
        this.reset();
        for (const { kind, ...one } of all)
          for (const state of STATES) this.set({ kind, state }, one[state]);
      },
    });
    new client.Gauge({
      name: 'village_jobs_oldest_seconds',
      help: 'How long the longest due job of a kind waits',
      labelNames: ['kind'],
      registers: [registry],
      async collect() {
        const all = await counts();
        this.reset();
        for (const { kind, oldestSeconds } of all) this.set({ kind }, oldestSeconds);
      },
    });
  }
}
