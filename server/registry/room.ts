import type { Athletes } from '../athletes/service.js';
import type { Fans } from '../fans/service.js';
import type { Networks } from '../networks/service.js';
import type { Platform } from '../platform/platform.js';
import { registryJobs } from './jobs.js';
import { Registry } from './service.js';

/** Whose account it is. Fans are told which accounts they have proved to own. */
export function createRegistry(
  {
    connection,
    audit,
    bus,
    changes,
    clock,
    jobs,
  }: Pick<Platform, 'connection' | 'audit' | 'bus' | 'changes' | 'clock' | 'jobs'>,
  { networks, athletes, fans }: { networks: Networks; athletes: Athletes; fans: Fans },
): Registry {
  const registry = new Registry(connection, networks, athletes, fans, audit, bus, changes, clock);
  fans.onProved(registry);
  fans.names.onListed(registry);
  registryJobs(jobs, registry, clock);
  return registry;
}
