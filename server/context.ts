import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Connection } from 'mongoose';
import { DISCIPLINES } from './athletes/disciplines.js';
import { Search } from './athletes/search.js';
import { Athletes } from './athletes/service.js';
import type { Config } from './config.js';
import { Identities } from './fans/identities.js';
import { Names } from './fans/names.js';
import { Fans } from './fans/service.js';
import { SignIn } from './fans/sign-in.js';
import { ApiTokens } from './fans/tokens.js';
import { Asks } from './follows/asks.js';
import { Brake } from './follows/brake.js';
import { Doubts } from './follows/doubts.js';
import { Evidence } from './follows/evidence.js';
import { FollowFacts } from './follows/facts.js';
import { followsJobs } from './follows/jobs.js';
import { Follows } from './follows/service.js';
import { Locks } from './locks/service.js';
import { Cards } from './networks/cards.js';
import { Networks } from './networks/service.js';
import { Audit } from './platform/audit.js';
import { Bus } from './platform/bus.js';
import { Changes } from './platform/changes.js';
import { systemClock, type Clock } from './platform/clock.js';
import { Downloads } from './platform/downloads.js';
import { Files } from './platform/files.js';
import { Words } from './platform/i18n.js';
import { Jobs } from './platform/jobs.js';
import { Leases } from './platform/leases.js';
import { Limits } from './platform/limits.js';
import { createLog, type Log } from './platform/logs.js';
import { Metrics } from './platform/metrics.js';
import { connectMongo, ensureIndexes, missingIndexes } from './platform/mongo.js';
import { Pulse } from './platform/pulse.js';
import { connectRedis, type RedisClients } from './platform/redis.js';
import { Signer, TokenVault } from './platform/secrets.js';
import { SessionStore } from './platform/sessions.js';
import { Settings } from './platform/settings.js';
import { Views } from './platform/views.js';
import { Points } from './points/service.js';
import { postsJobs } from './posts/jobs.js';
import { Posts } from './posts/service.js';
import { registryJobs } from './registry/jobs.js';
import { Registry } from './registry/service.js';
import { Videos } from './videos/service.js';
import { Chats } from './village/service.js';

const DOUBT_PATIENCE_MS = 12 * 3_600_000;

/** The project's folder, from sources and from build/ alike. */
export const root: string = (() => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
})();

/** What tests steer and a program does not. */
export interface Overrides {
  clock?: Clock;
  log?: Log;
  search?: boolean;
  limitScale?: number;
  doubtPatienceMs?: number;
}

/** Every service of a process, built once. Only the wiring names this type. */
export interface Context {
  config: Config;
  clock: Clock;
  log: Log;
  connection: Connection;
  pulse: Pulse;
  redis: RedisClients;
  bus: Bus;
  metrics: Metrics;
  settings: Settings;
  audit: Audit;
  limits: Limits;
  jobs: Jobs;
  downloads: Downloads;
  sessions: SessionStore;
  words: Words;
  views: Views;
  networks: Networks;
  cards: Cards;
  athletes: Athletes;
  search: Search | null;
  fans: Fans;
  tokens: ApiTokens;
  signIn: SignIn;
  points: Points;
  registry: Registry;
  follows: Follows;
  posts: Posts;
  videos: Videos;
  chats: Chats;
  missingIndexes(): Promise<string[]>;
  /** Makes indexes and writes what must be there at a first start. */
  release(): Promise<void>;
  close(): Promise<void>;
}

function assetsOf(): Record<string, string> {
  const file = join(root, 'build', 'assets', 'manifest.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) : {};
}

/** Connects the stores and builds every service: the only wiring. Throws when a store cannot be reached. */
export async function createContext(config: Config, name: string, overrides: Overrides = {}): Promise<Context> {
  const clock = overrides.clock ?? systemClock;
  const log = overrides.log ?? createLog(config.logLevel, name);
  const connection = await connectMongo(config.mongodb.uri, config.mongodb.name);
  const pulse = new Pulse(() => connection.db?.command({ ping: 1 }) ?? Promise.reject(new Error('closed')));
  const redis = await connectRedis(config.redis.url, config.redis.prefix, log).catch(async (error: unknown) => {
    await connection.close();
    throw error;
  });
  const bus = new Bus(redis, log);
  await bus.start();
  const downloads = new Downloads();
  const metrics = new Metrics();
  metrics.watch('village_downloads', 'Media on their way to readers', () => downloads.open);
  const settings = new Settings(connection);
  const changes = new Changes(settings);
  const audit = new Audit(connection, clock);
  const leases = new Leases(connection, clock);
  const limits = new Limits(redis, overrides.limitScale);
  const jobs = new Jobs(connection, bus, audit, metrics, clock, log);
  const sessions = new SessionStore(connection, redis, clock);
  const vault = new TokenVault(config.tokenKeys);
  const words = new Words(join(root, 'views', 'words'), config.timezone);
  const views = new Views(join(root, 'views'), words, assetsOf());

  const networks = new Networks(config.networks, clock, (network, outcome) => {
    metrics.networkCalls.inc({ network, outcome });
  });
  const cards = new Cards(connection, new Signer(config.signingKey), bus, clock);
  const search =
    overrides.search === false ? null : new Search({ uri: config.mongodb.uri, name: config.mongodb.name, folder: join(config.dataDir, 'search') }, log);
  if (search)
    metrics.watch(
      'village_search_age_seconds',
      'Since the search index last asked what has changed (NaN: not yet)',
      () => (search.state().ageMs ?? NaN) / 1000,
    );
  const athletes = new Athletes(connection, settings, leases, bus, search, changes);
  const identities = new Identities(connection, vault, networks, leases, clock);
  const fans = new Fans(connection, identities, new Names(connection, words), sessions, audit, bus, clock, settings);
  const tokens = new ApiTokens(connection, fans, audit, clock, bus);
  const signIn = new SignIn(fans, networks, vault, audit, clock, config.publicUrl);
  const points = new Points({
    connection,
    redis,
    bus,
    clock,
    leases,
    log,
    metrics,
    settings,
    standing: fans,
    timezone: config.timezone,
    boards: ['hub', ...DISCIPLINES.map((slug) => `discipline:${slug}`)],
  });
  await points.check().catch(async (error: unknown) => {
    await Promise.allSettled([redis.close(), connection.close()]);
    throw error;
  });
  const registry = new Registry(connection, networks, athletes, fans, audit, bus, changes, clock);
  const posts = new Posts(connection, networks, registry, clock);
  const brake = new Brake({
    connection,
    settings,
    audit,
    clock,
    log,
    held: (network) => points.heldCount(`${networks.of(network).accountDeed}:${network}:`),
  });
  metrics.watchAll('village_taking_stopped', 'Taking back is stopped on a network until a person lets it go on', 'network', async () => {
    const stops = await brake.stops();
    return new Map(networks.all().map(({ id }) => [id, stops.has(id) ? 1 : 0]));
  });
  const follows = new Follows({
    fans,
    cards,
    networks,
    registry,
    points,
    asks: new Asks(connection, clock),
    doubts: new Doubts(connection, overrides.doubtPatienceMs ?? DOUBT_PATIENCE_MS, brake),
    brake,
    audit,
    evidence: new Evidence(connection),
    jobs,
    bus,
    clock,
  });
  const facts = new FollowFacts({ registry, networks, points });
  const locks = new Locks({
    followed: (fan, people) => facts.followed(fan, people),
    carried: (award, athletes) => facts.carried(award, athletes),
    around: (asked) => facts.around(asked),
    medals: async (fan) => new Map(Object.entries((await points.head(fan)).after.medals).map(([scope, [medal]]) => [scope, medal])),
  });
  const videos = new Videos(connection, new Files(connection), locks, athletes, changes, audit, bus, clock);
  const chats = new Chats(connection, fans, registry, athletes, redis, audit, bus, clock);

  fans.onProved(registry);
  fans.onLinked(follows);
  fans.names.onListed(registry);
  follows.onUnlock(videos);
  // Every process knows the kinds, because whoever asks for a job also merges it by the rules of its kind; workers alone begin them.
  followsJobs(jobs, follows);
  postsJobs(jobs, posts, clock);
  registryJobs(jobs, registry, clock);

  return {
    config,
    clock,
    log,
    connection,
    pulse,
    redis,
    bus,
    metrics,
    settings,
    audit,
    limits,
    jobs,
    downloads,
    sessions,
    words,
    views,
    networks,
    cards,
    athletes,
    search,
    fans,
    tokens,
    signIn,
    points,
    registry,
    follows,
    posts,
    videos,
    chats,
    missingIndexes: () => missingIndexes(connection),
    release: async () => {
      await registry.prepare();
      await ensureIndexes(connection);
      // What an earlier hub kept is put in order once; a full pass over all fans is not for every start.
      if ((await settings.get('fans.named')) === null) {
        await fans.settleNames();
        await settings.set('fans.named', true);
      }
      await cards.seed();
      await points.release();
      await fans.identities.release();
    },
    close: async () => {
      pulse.stop();
      // Jobs award points: they end first.
      await jobs.stop();
      await points.stop();
      await search?.stop();
      await redis.close();
      await connection.close();
    },
  };
}
