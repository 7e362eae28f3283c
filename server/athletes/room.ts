import { join } from 'node:path';
import type { Platform } from '../platform/platform.js';
import { Search } from './search.js';
import { Athletes } from './service.js';

/** Builds the directory. Its search runs in a thread of its own, which a worker does without. */
export function createAthletes(
  platform: Pick<
    Platform,
    'config' | 'connection' | 'settings' | 'leases' | 'bus' | 'changes' | 'metrics' | 'log'
  >,
  withSearch: boolean,
): { athletes: Athletes; search: Search | null } {
  const { config, metrics, log } = platform;
  const { uri, name } = config.mongodb;
  const search = withSearch
    ? new Search({ uri, name, folder: join(config.dataDir, 'search') }, log)
    : null;
  if (search)
    metrics.watch(
      'village_search_age_seconds',
      'Since the search index last asked what has changed (NaN: not yet)',
      () => (search.state().ageMs ?? NaN) / 1000,
    );
  return { athletes: new Athletes({ ...platform, search }), search };
}
