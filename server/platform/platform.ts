import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection } from 'mongoose';
import type { Config } from '../config.js';
import { Audit } from './audit.js';
import { Bus } from './bus.js';
import { Changes } from './changes.js';
import { systemClock, type Clock } from './clock.js';
import { claimDataFormat } from './data-format.js';
import { Downloads } from './downloads.js';
import { Words } from './i18n.js';
import { Jobs } from './jobs.js';
import { Leases } from './leases.js';
import { Limits } from './limits.js';
import { createLog, type Log } from './logs.js';
import { Metrics } from './metrics.js';
import { connectMongo } from './mongo.js';
import { StoreHealth } from './store-health.js';
import { connectRedis, type RedisClients } from './redis.js';
import { root } from './root.js';
import { SessionStore } from './sessions.js';
import { Settings } from './settings.js';
import { Views } from './views.js';

/** What every room stands on. A room's factory names the parts of it that the room needs. */
export interface Platform {
  config: Config;
  clock: Clock;
  log: Log;
  connection: Connection;
  storeHealth: StoreHealth;
  redis: RedisClients;
  bus: Bus;
  metrics: Metrics;
  settings: Settings;
  changes: Changes;
  audit: Audit;
  leases: Leases;
  limits: Limits;
  jobs: Jobs;
  downloads: Downloads;
  sessions: SessionStore;
  words: Words;
  views: Views;
}

/** What tests steer and a program does not. */
export interface PlatformOverrides {
  clock?: Clock;
  log?: Log;
  /** Multiplies every rate limit. */
  limitScale?: number;
}

/** Addresses of built files by their names in the sources; none before the first build. */
function builtAssets(): Record<string, string> {
  const file = join(root, 'build', 'assets', 'manifest.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) : {};
}

/**
 * Connects the stores and builds what all rooms share. Throws when a store cannot be reached, and
 * leaves no connection open then.
 */
export async function openPlatform(
  config: Config,
  name: string,
  overrides: PlatformOverrides = {},
): Promise<Platform> {
  const clock = overrides.clock ?? systemClock;
  const log = overrides.log ?? createLog(config.logLevel, name);
  const connection = await connectMongo(config.mongodb.uri, config.mongodb.name);
  const giveUp = async (error: unknown): Promise<never> => {
    await connection.close();
    throw error;
  };
  await claimDataFormat(connection).catch(giveUp);
  const redis = await connectRedis(config.redis.url, config.redis.prefix, log).catch(giveUp);
  const ping = (): Promise<unknown> =>
    connection.db?.command({ ping: 1 }) ?? Promise.reject(new Error('closed'));
  const bus = new Bus(redis, log);
  await bus.start();
  const metrics = new Metrics();
  const downloads = new Downloads();
  metrics.watch('village_downloads', 'Media on their way to readers', () => downloads.open);
  const settings = new Settings(connection);
  const audit = new Audit(connection, clock);
  const words = new Words(join(root, 'views', 'words'), config.timezone);
  return {
    config,
    clock,
    log,
    connection,
    storeHealth: new StoreHealth(ping),
    redis,
    bus,
    metrics,
    settings,
    changes: new Changes(settings),
    audit,
    leases: new Leases(connection, clock),
    limits: new Limits(redis, overrides.limitScale),
    jobs: new Jobs(connection, bus, audit, metrics, clock, log),
    downloads,
    sessions: new SessionStore(connection, redis, clock),
    words,
    views: new Views(join(root, 'views'), words, builtAssets()),
  };
}

/** Closes the stores' connections. What still writes must have ended before. */
export async function closePlatform({ storeHealth, redis, connection }: Platform): Promise<void> {
  storeHealth.stop();
  await redis.close();
  await connection.close();
}
