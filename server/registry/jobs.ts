import type { Clock } from '../platform/clock.js';
import type { Jobs } from '../platform/jobs.js';
import type { Registry } from './service.js';

const EVERY_MS = 10 * 60_000;

/** Does the job that asks networks what accounts are called now, every ten minutes. */
export function registryJobs(jobs: Jobs, registry: Registry, clock: Clock): void {
  jobs.handle('registry.sweep', { attempts: Infinity }, async () => {
    await registry.sweep();
    return { at: new Date(clock.now().getTime() + EVERY_MS) };
  });
}

/** Adds that job where it is not there yet; called at every start of a worker. */
export const beginAccounts = (jobs: Jobs): Promise<string> => jobs.add('registry.sweep', 'all', {});
