import { join } from 'node:path';
import { startMongodb } from '../services/mongodb.js';
import {
  freePort,
  onPath,
  startedService,
  startServer,
  type Service,
} from '../services/process.js';
import { startRedis } from '../services/redis.js';
import { say } from './table.js';

/**
 * Starts or finds the stores of a bench below `dir`, and adds them to `services`. The faster
 * sibling of SecantusDB (DESIGN 4) serves where it is on PATH and no other store is meant.
 */
export async function startBenchStores(
  dir: string,
  services: Service[],
  signal: AbortSignal,
): Promise<{ mongodb: Service; redis: Service }> {
  const given = process.env['MONGODB_URI'];
  const rust = onPath('secantusd-rs');
  const mongodb =
    !given && rust && !onPath('mongod')
      ? await startRust(rust, dir, signal)
      : await startMongodb(join(dir, 'mongodb'), say, { given, signal });
  services.push(mongodb);
  const redis = await startRedis(join(dir, 'redis'), say, {
    given: process.env['REDIS_URL'],
    signal,
  });
  services.push(redis);
  return { mongodb, redis };
}

async function startRust(command: string, dir: string, signal: AbortSignal): Promise<Service> {
  const port = await freePort();
  const server = await startServer({
    command,
    args: [
      ...['--port', String(port), '--storage-path', join(dir, 'rs')],
      ...['--log-level', 'ERROR', '--sync-on-commit'],
    ],
    port,
    log: join(dir, 'rs.log'),
    signal,
  });
  const url = `mongodb://127.0.0.1:${port}/?directConnection=true`;
  return startedService(url, 'secantusd-rs', server);
}
