import type { Platform } from '../platform/platform.js';
import { boardKinds } from './board-kinds.js';
import type { Standing } from './needs.js';
import { Points } from './service.js';

/**
 * The ledger and what is counted from it. Throws a ConfigError when the days of this ledger are cut
 * by another time zone than ours.
 */
export async function createPoints(
  {
    config,
    ...platform
  }: Pick<
    Platform,
    'config' | 'connection' | 'redis' | 'bus' | 'clock' | 'leases' | 'log' | 'metrics' | 'settings'
  >,
  { standing, disciplines }: { standing: Standing; disciplines: readonly string[] },
): Promise<Points> {
  const points = new Points({
    ...platform,
    standing,
    timezone: config.timezone,
    boards: boardKinds(disciplines),
  });
  await points.check();
  return points;
}
