import { join } from 'node:path';
import { startMongodb } from './mongodb.js';
import { pause, type Service } from './process.js';
import { startRedis } from './redis.js';

/**
 * Finds or starts both stores side by side, their files below `dir`. When one cannot be had, the other is stopped again and the Error says
 * a line for each that is missing.
 */
export async function startStores(dir: string, say: (line: string) => void): Promise<{ mongodb: Service; redis: Service }> {
  const [mongodb, redis] = await Promise.allSettled([
    startMongodb(join(dir, 'mongodb'), say, { given: process.env['MONGODB_URI'] }),
    startRedis(join(dir, 'redis'), say, { given: process.env['REDIS_URL'] }),
  ]);
  if (mongodb.status === 'fulfilled' && redis.status === 'fulfilled') return { mongodb: mongodb.value, redis: redis.value };
  const both = [mongodb, redis];
  for (const one of both) if (one.status === 'fulfilled') await one.value.stop();
  const reasons = both.flatMap((one) => (one.status === 'rejected' ? [one.reason instanceof Error ? one.reason.message : String(one.reason)] : []));
  throw new Error(reasons.join('\n'));
}

/** What keeps a store running. */
export interface StoreKeeper {
  say: (line: string) => void;
  /** Whether everything is being stopped: then nothing is started again. */
  stopping: () => boolean;
  /** Hears of every store that was started in the place of another. */
  replaced: (old: Service, now: Service) => void;
}

/**
 * Starts our stores again, on their ports and with their files, whenever one ends by itself: the hub finds it where it was. One that
 * fails again and again is tried at most every ten seconds.
 */
export function keepStores(dir: string, stores: { mongodb: Service; redis: Service }, keeper: StoreKeeper): void {
  const keep = async (name: string, first: Service, start: (port: number) => Promise<Service>): Promise<void> => {
    const port = Number(new URL(first.url).port);
    let [current, begun, wait] = [first, Date.now(), 0];
    for (;;) {
      await current.ended;
      if (keeper.stopping()) return;
      wait = Date.now() - begun > 10_000 ? 0 : Math.min(10_000, Math.max(250, wait * 2));
      keeper.say(`${name} ended, starting it again`);
      await pause(wait);
      begun = Date.now();
      const now = keeper.stopping() ? null : await start(port).catch(() => null);
      if (now) keeper.replaced(current, now);
      current = now ?? current;
    }
  };
  const silent = (): undefined => undefined;
  const { mongodb, redis } = stores;
  if (mongodb.ended) void keep('MongoDB', mongodb, (port) => startMongodb(join(dir, 'mongodb'), silent, { port }));
  if (redis.ended) void keep('Redis', redis, (port) => startRedis(join(dir, 'redis'), silent, { port }));
}
