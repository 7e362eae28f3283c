import type { Athletes } from '../athletes/service.js';
import type { Locks } from '../locks/service.js';
import { Files } from '../platform/files.js';
import type { Platform } from '../platform/platform.js';
import { Videos } from './service.js';

/** Exclusive videos and the locks before them. */
export function createVideos(
  {
    connection,
    changes,
    audit,
    bus,
    clock,
  }: Pick<Platform, 'connection' | 'changes' | 'audit' | 'bus' | 'clock'>,
  { locks, athletes }: { locks: Locks; athletes: Athletes },
): Videos {
  const files = new Files(connection);
  return new Videos(connection, files, locks, athletes, changes, audit, bus, clock);
}
