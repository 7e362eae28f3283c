import type { Jobs } from '../platform/jobs.js';
import type { Follows } from './service.js';
import type { AskJob, CheckJob, SweepJob } from './sweep.js';

const MINUTE_MS = 60_000;

/** Both wishes of a check: all accounts, if either asked for all. */
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
/** All of both, whoever was not asked about since the later of the two. */
const mergeAsks = (before: AskJob, after: AskJob): AskJob => ({
  network: after.network,
  fans: [...new Set([...before.fans, ...after.fans])],
  ...(before.at && after.at ? { at: before.at > after.at ? before.at : after.at } : {}),
});

/**
 * A worker that starts asks for what there is already: what was handed out is not handed out anew.
 */
const mergeSweeps = (before: SweepJob, after: SweepJob): SweepJob =>
  before.from > after.from ? before : after;

/**
 * Who does the jobs of this room. What a fan waits for has places of its own, so that no sweep is
 * before it.
 */
export function followsJobs(jobs: Jobs, follows: Follows): void {
  jobs.handle(
    'follows.check',
    { concurrency: 8, limitMs: 10 * MINUTE_MS, merge: mergeChecks },
    ({ fan, network, only, tries }: CheckJob) => follows.checkNetwork(fan, network, only, tries),
  );
  jobs.handle(
    'follows.ask',
    { concurrency: 2, limitMs: 2 * MINUTE_MS, merge: mergeAsks },
    async (job: AskJob, signal) => {
      await follows.sweep.ask(job, signal);
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
    (job: SweepJob) => follows.sweep.hand(job),
  );
}

/** What must be there for the sweeps to begin; asked for at every start of a worker. */
export const beginSweeps = (jobs: Jobs): Promise<string> =>
  jobs.add('follows.sweep', 'all', { from: new Date(0) } satisfies SweepJob);
