import type { Athletes } from '../athletes/service.js';
import type { Fans } from '../fans/service.js';
import type { Platform } from '../platform/platform.js';
import type { Registry } from '../registry/service.js';
import { Chats } from './service.js';

/** Live chats from the village. */
export function createChats(
  {
    connection,
    redis,
    audit,
    bus,
    clock,
  }: Pick<Platform, 'connection' | 'redis' | 'audit' | 'bus' | 'clock'>,
  { fans, registry, athletes }: { fans: Fans; registry: Registry; athletes: Athletes },
): Chats {
  return new Chats(connection, fans, registry, athletes, redis, audit, bus, clock);
}
