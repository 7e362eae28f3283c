import type { Context } from './context.js';
import { beginSweeps } from './follows/jobs.js';
import { beginPosts } from './posts/jobs.js';
import { beginAccounts } from './registry/jobs.js';

/** Starts a worker: jobs, sweeps, healing. Any number run side by side. */
export async function startWorker({
  jobs,
  points,
  close,
}: Context): Promise<{ stop(): Promise<void> }> {
  await Promise.all([beginSweeps(jobs), beginPosts(jobs), beginAccounts(jobs)]);
  // Before any job: jobs award points, and only a process with a heartbeat is missed when it dies.
  await points.start(true);
  await jobs.start();
  return { stop: close };
}
