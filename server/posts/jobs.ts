import type { Clock } from '../platform/clock.js';
import type { Jobs } from '../platform/jobs.js';
import type { Posts } from './service.js';

const EVERY_MS = 5 * 60_000;
/**
 * Accounts of a run: few enough to be done long before its time is up, so that the last accounts
 * have their turn however many there are.
 */
const ACCOUNTS_A_RUN = 100;
/** The payload of the job `posts.fetch`: the account that it goes on behind. */
interface FetchJob {
  after?: string;
}

/** Handles the job that fetches posts: some accounts a run, all of them every five minutes. */
export function postsJobs(jobs: Jobs, posts: Posts, clock: Clock): void {
  // A worker that starts adds the job again: one that is under way goes on where it is.
  jobs.handle(
    'posts.fetch',
    { attempts: Infinity, merge: (before: FetchJob) => before },
    async ({ after = '' }: FetchJob, signal) => {
      const next = await posts.fetch(after, ACCOUNTS_A_RUN, signal);
      const now = clock.now().getTime();
      return next === null
        ? { at: new Date(now + EVERY_MS), payload: {} }
        : { at: new Date(now), payload: { after: next } satisfies FetchJob };
    },
  );
}

/** Adds the job that fetches posts; called at every start of a worker. */
export const beginPosts = (jobs: Jobs): Promise<string> => jobs.add('posts.fetch', 'all', {});
