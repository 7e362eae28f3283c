import type { Clock } from '../platform/clock.js';
import type { Jobs } from '../platform/jobs.js';
import type { Posts } from './service.js';

const EVERY_MS = 5 * 60_000;
/**
 * Accounts of one run: done long before its time is up, so that the last ones have their turn
 * however many there are.
 */
const TOGETHER = 100;
/** The payload of the job `posts.fetch`: behind which account it goes on. */
interface FetchJob {
  after?: string;
}

/** Who fetches posts, and how often. */
export function postsJobs(jobs: Jobs, posts: Posts, clock: Clock): void {
  // A worker that starts asks for what there is already: that goes on where it is.
  jobs.handle(
    'posts.fetch',
    { attempts: Infinity, merge: (before: FetchJob) => before },
    async ({ after = '' }: FetchJob, signal) => {
      const next = await posts.fetch(after, TOGETHER, signal);
      const now = clock.now().getTime();
      return next === null
        ? { at: new Date(now + EVERY_MS), payload: {} }
        : { at: new Date(now), payload: { after: next } satisfies FetchJob };
    },
  );
}

/** What must be there for the fetching to begin; asked for at every start of a worker. */
export const beginPosts = (jobs: Jobs): Promise<string> => jobs.add('posts.fetch', 'all', {});
