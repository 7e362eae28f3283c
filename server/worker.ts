import type { Context } from './context.js';
import type { CheckJob } from './follows/service.js';

const POSTS_EVERY_MS = 5 * 60_000;
const SWEEP_EVERY_MS = 60_000;
const ACCOUNTS_EVERY_MS = 10 * 60_000;

/** Says who does which job, a line a room. */
export function jobsOf(context: Context): void {
  const { jobs, follows } = context;
  jobs.handle('follows.check', ({ fan, network, only }: CheckJob) => follows.checkNetwork(fan, network, only));
  jobs.handle('follows.sweep', async () => {
    await follows.sweep();
    return { at: new Date(context.clock.now().getTime() + SWEEP_EVERY_MS) };
  });
  jobs.handle('posts.fetch', async () => {
    await context.posts.fetchAll();
    return { at: new Date(context.clock.now().getTime() + POSTS_EVERY_MS) };
  });
  jobs.handle('registry.sweep', async () => {
    await context.registry.sweep();
    return { at: new Date(context.clock.now().getTime() + ACCOUNTS_EVERY_MS) };
  });
}

/** The worker: jobs, sweeps, healing. Any number run side by side. */
export async function startWorker(context: Context): Promise<{ stop(): Promise<void> }> {
  jobsOf(context);
  await context.jobs.add('follows.sweep', 'all', {});
  await context.jobs.add('posts.fetch', 'all', {});
  await context.jobs.add('registry.sweep', 'all', {});
  context.jobs.start();
  await context.points.start(true);
  return {
    stop: async () => {
      await context.close();
    },
  };
}
