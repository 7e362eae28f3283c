import type { Context } from './context.js';
import { beginSweeps } from './follows/jobs.js';
import { beginPosts } from './posts/jobs.js';
import { beginAccounts } from './registry/jobs.js';

/** The worker: jobs, sweeps, healing. Any number run side by side. */
export async function startWorker({
  jobs,
  points,
  close,
}: Context): Promise<{ stop(): Promise<void> }> {
  await Promise.all([beginSweeps(jobs), beginPosts(jobs), beginAccounts(jobs)]);
  // Jobs award points, and whoever is killed in its first second must be missed: its beat comes
  // first.
  await points.start(true);
  await jobs.start();
  return { stop: close };
}
