import type { Context } from './context.js';
import { beginSweeps, followsJobs } from './follows/jobs.js';
import { beginPosts, postsJobs } from './posts/jobs.js';

/** Says who does which job, a line a room. */
export function jobsOf(context: Context): void {
  const { jobs, follows, posts, clock } = context;
  followsJobs(jobs, follows);
  postsJobs(jobs, posts, clock);
}

/** The worker: jobs, sweeps, healing. Any number run side by side. */
export async function startWorker(context: Context): Promise<{ stop(): Promise<void> }> {
  const { jobs, points } = context;
  jobsOf(context);
  await Promise.all([beginSweeps(jobs), beginPosts(jobs)]);
  await jobs.start();
  await points.start(true);
  return { stop: () => context.close() };
}
