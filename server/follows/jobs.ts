import type { Jobs } from '../platform/jobs.js';
import type { CheckJob } from './check-jobs.js';
import type { Follows } from './service.js';
import type { RecheckJob, SweepJob } from './sweep.js';

const MINUTE_MS = 60_000;

/** Two checks of one fan and network as one: of all accounts, if either is about all. */
function mergeChecks(before: CheckJob, after: CheckJob): CheckJob {
  const { fan, network } = after;
  if (!before.only || !after.only) return { fan, network };
  return {
    fan,
    network,
    only: [...new Set([...before.only, ...after.only])],
    tries: Math.min(before.tries ?? 0, after.tries ?? 0),
  };
}

/** The fans of both; left out are those who were checked since the later of the two. */
const mergeRechecks = (before: RecheckJob, after: RecheckJob): RecheckJob => ({
  network: after.network,
  fans: [...new Set([...before.fans, ...after.fans])],
  ...(before.at && after.at ? { at: before.at > after.at ? before.at : after.at } : {}),
});

/** The later one: a worker that starts adds a sweep, and hands out nothing a second time. */
const mergeSweeps = (before: SweepJob, after: SweepJob): SweepJob =>
  before.from > after.from ? before : after;

/**
 * Says how the jobs of this room are done. What a fan waits for is a kind of its own with places of
 * its own, so that no sweep is before it.
 */
export function followsJobs(jobs: Jobs, follows: Follows): void {
  jobs.handle(
    'follows.check',
    { concurrency: 8, limitMs: 10 * MINUTE_MS, merge: mergeChecks },
    ({ fan, network, only, tries }: CheckJob) => follows.checkNetwork(fan, network, only, tries),
  );
  jobs.handle(
    'follows.recheck',
    { concurrency: 2, limitMs: 2 * MINUTE_MS, merge: mergeRechecks },
    async (job: RecheckJob, signal) => {
      await follows.sweep.recheck(job, signal);
      return null;
    },
  );
  jobs.handle('follows.settle', {}, async (_job: object, signal) => {
    await follows.sweep.settle(signal);
    return null;
  });
  // It only hands out, and comes again every minute: it is never given up.
  jobs.handle(
    'follows.sweep',
    { attempts: Infinity, backoffMs: 1000, merge: mergeSweeps },
    (job: SweepJob) => follows.sweep.handOut(job),
  );
}

/** Adds the job that the sweeps begin with, at every start of a worker; answers it. */
export const beginSweeps = (jobs: Jobs): Promise<string> =>
  jobs.add('follows.sweep', 'all', { from: new Date(0) } satisfies SweepJob);
