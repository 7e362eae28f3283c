import type { Athletes } from '../athletes/service.js';
import type { Fans } from '../fans/service.js';
import type { Networks } from '../networks/service.js';
import type { Platform } from '../platform/platform.js';
import { registryJobs } from './jobs.js';
import { Registry } from './service.js';

/** Builds the registry. Fans tell it which accounts they have proved to own. */
export function createRegistry(
  platform: Pick<
    Platform,
    'connection' | 'audit' | 'bus' | 'changes' | 'settings' | 'clock' | 'jobs'
  >,
  needs: { networks: Networks; athletes: Athletes; fans: Fans },
): Registry {
  const { connection, audit, bus, changes, settings, clock, jobs } = platform;
  const registry = new Registry({
    ...needs,
    ...{ connection, audit, bus, changes, settings, clock },
  });
  needs.fans.onProved(registry);
  needs.fans.names.onListed(registry);
  registryJobs(jobs, registry, clock);
  return registry;
}
