import { Redis } from 'ioredis';
import type { Log } from './logs.js';

export type { Redis } from 'ioredis';

/**
 * The Redis clients of a process. They are made here only: another library would change one file.
 */
export interface RedisClients {
  /** For commands: it fails fast, so that nothing waits for a Redis that is away. */
  commands: Redis;
  /** For the bus: it only listens. */
  listener: Redis;
  /**
   * Makes a client for blocking reads (streams adapter), which wait and reconnect without limit.
   */
  blocking(): Redis;
  /** What all keys of this hub begin with. */
  prefix: string;
  /**
   * Names the run of the server that answers: if it changes, what was stored may be gone or old.
   */
  runId(): Promise<string>;
  /** Closes all clients. */
  close(): Promise<void>;
}

/** The wait before a client connects again, in ms. */
const retryStrategy = (tries: number): number => Math.min(50 * tries, 1000);

/**
 * Connects to Redis. Throws when it cannot be reached, and when it is set to evict keys: boards and
 * streams would silently lose members.
 */
export async function connectRedis(url: string, prefix: string, log: Log): Promise<RedisClients> {
  const all: Redis[] = [];
  const make = (options: object): Redis => {
    const client = new Redis(url, { lazyConnect: true, retryStrategy, ...options });
    let down = false;
    client.on('error', (error: Error) => {
      if (!down) log.warn({ err: error }, 'redis: away');
      down = true;
    });
    client.on('ready', () => {
      down = false;
    });
    all.push(client);
    return client;
  };
  const commands = make({
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    commandTimeout: 1000,
    connectTimeout: 1000,
    // A Redis that hangs counts as away after one such wait, until it answers again.
    socketTimeout: 1000,
    enableAutoPipelining: true,
  });
  const listener = make({ maxRetriesPerRequest: null, autoResubscribe: true });
  await Promise.all([commands.connect(), listener.connect()]);
  const policy = (await commands.config('GET', 'maxmemory-policy').catch(() => [])) as string[];
  if (policy[1] && policy[1] !== 'noeviction') {
    for (const client of all) client.disconnect();
    throw new Error(`Redis evicts keys (maxmemory-policy ${policy[1]}). Set it to noeviction.`);
  }
  let known: Promise<string> | null = null;
  commands.on('close', () => {
    known = null;
  });
  return {
    commands,
    listener,
    prefix,
    blocking: () => {
      const client = make({ maxRetriesPerRequest: null, enableOfflineQueue: true });
      // The streams adapter reads through duplicates, and leaves behind those that wait for a Redis
      // that is gone: they are closed with the others.
      const duplicate = client.duplicate.bind(client);
      client.duplicate = (options) => {
        const copy = duplicate(options);
        all.push(copy);
        return copy;
      };
      void client.connect().catch(() => undefined);
      return client;
    },
    runId: () => {
      known ??= commands
        .info('server')
        .then((text) => /run_id:(\w+)/.exec(text)?.[1] ?? 'unknown')
        .catch((error: unknown) => {
          known = null;
          throw error;
        });
      return known;
    },
    close: async () => {
      for (const client of all) {
        client.disconnect();
      }
      await Promise.resolve();
    },
  };
}
