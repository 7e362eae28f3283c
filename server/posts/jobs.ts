import type { Clock } from '../platform/clock.js';
import type { Jobs } from '../platform/jobs.js';
import type { Posts } from './service.js';

const EVERY_MS = 5 * 60_000;

/** Who fetches posts, and how often. */
export function postsJobs(jobs: Jobs, posts: Posts, clock: Clock): void {
  jobs.handle('posts.fetch', { attempts: Infinity }, async (_job: object, signal) => {
    await posts.fetchAll(signal);
    return { at: new Date(clock.now().getTime() + EVERY_MS) };
  });
}

/** What must be there for the fetching to begin; asked for at every start of a worker. */
export const beginPosts = (jobs: Jobs): Promise<string> => jobs.add('posts.fetch', 'all', {});
