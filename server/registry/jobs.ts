import type { Clock } from '../platform/clock.js';
import type { Jobs } from '../platform/jobs.js';
import type { Registry } from './service.js';

const EVERY_MS = 10 * 60_000;

/** Who asks networks what their accounts are called now, and how often. */
export function registryJobs(jobs: Jobs, registry: Registry, clock: Clock): void {
  jobs.handle('registry.sweep', { attempts: Infinity }, async () => {
    await registry.sweep();
    return { at: new Date(clock.now().getTime() + EVERY_MS) };
  });
}

/** What must be there for the asking to begin; asked for at every start of a worker. */
export const beginAccounts = (jobs: Jobs): Promise<string> => jobs.add('registry.sweep', 'all', {});
