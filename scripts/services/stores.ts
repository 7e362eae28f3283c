import { join } from 'node:path';
import { startMongodb } from './mongodb.js';
import type { Service } from './process.js';
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
