import { Redis } from 'ioredis';
import type { Log } from './logs.js';

export type { Redis } from 'ioredis';

/**
 * The clients of one process, made here only (so that another library would be a one-file swap).
 */
export interface RedisClients {
  /** Requests: fails fast, so that nothing waits for a Redis that is away. */
  commands: Redis;
  /** Listens to the bus. */
  listener: Redis;
  /** Blocking reads (streams adapter): waits without a limit, reconnects by itself. */
  blocking(): Redis;
  prefix: string;
  /**
   * Which run of which server answers now; another value means that what was there may be gone or
   * old.
   */
  runId(): Promise<string>;
  close(): Promise<void>;
}

const retryStrategy = (tries: number): number => Math.min(50 * tries, 1000);

/**
 * Connects to Redis. Throws when it evicts keys on its own: boards and streams would silently lose
 * members.
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
    // A Redis that hangs counts as away after one wait: until it answers again nobody waits for it.
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
      // The streams adapter reads through copies, and leaves one that waits for a Redis that is
      // gone: they are ended with the others.
      const copy = client.duplicate.bind(client);
      client.duplicate = (options) => {
        const made = copy(options);
        all.push(made);
        return made;
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
