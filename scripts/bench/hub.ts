import { createHash, randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import { startSandbox, type Sandbox } from '../sandbox/start.js';
import { demoFan } from '../demo/sign-in.js';
import type { Sizes } from './options.js';

const key = (bytes: number): string => randomBytes(bytes).toString('base64');
/** A hub that is measured. */
export interface BenchHub {
  context: Context;
  sandbox: Sandbox;
  env: NodeJS.ProcessEnv;
  url: string;
  organiser: string;
  sizes: Sizes;
}

/** Makes a hub for measuring: its own database, a hub card, verified stars, nothing else. */
export async function prepare({
  mongodb,
  redis,
  port,
  dataDir,
  sizes,
}: {
  mongodb: string;
  redis: string;
  port: number;
  dataDir: string;
  sizes: Sizes;
}): Promise<BenchHub> {
  const clients = {
    x: { id: 'bench', secret: 'bench-secret' },
    facebook: { id: '1', secret: 'bench-secret' },
  };
  const url = `http://127.0.0.1:${port}`;
  const sandbox = await startSandbox({
    port: 0,
    file: null,
    token: 'bench',
    clients,
    redirects: { x: [`${url}/auth/x/callback`], facebook: [`${url}/auth/facebook/callback`] },
  });
  const mark = randomBytes(4).toString('hex');
  const env = {
    NODE_ENV: 'development',
    LOG_LEVEL: 'error',
    PORT: String(port),
    PUBLIC_URL: url,
    DATA_DIR: dataDir,
    MONGODB_URI: mongodb,
    MONGODB_NAME: `bench_${mark}`,
    REDIS_URL: redis,
    REDIS_PREFIX: `bench_${mark}:`,
    SESSION_SECRET: key(48),
    TOKEN_KEYS: `k1:${key(32)}`,
    SIGNING_KEY: key(32),
    METRICS_TOKEN: key(32),
    X_CLIENT_ID: 'bench',
    X_CLIENT_SECRET: 'bench-secret',
    X_ORIGIN_PAGES: sandbox.networks.x,
    X_ORIGIN_API: sandbox.networks.x,
    FACEBOOK_APP_ID: '1',
    FACEBOOK_APP_SECRET: 'bench-secret',
    FACEBOOK_ORIGIN_PAGES: sandbox.networks.facebook,
    FACEBOOK_ORIGIN_GRAPH: sandbox.networks.facebookGraph,
  };
  const context = await createContext(readConfig(env), 'bench', {
    search: false,
    log: pino({ level: 'error' }),
  });
  await context.release();
  const people = Array.from({ length: sizes.stars }, (_x, n) => ({
    handle: `star${n}`,
    name: `Star Number ${n}`,
  }));
  for (const person of people) sandbox.world.add(person);
  await context.athletes.put(
    people.map(({ handle, name }) => ({
      source: 'bench',
      sourceId: handle,
      slug: handle,
      name,
      sex: '',
      noc: 'FRA',
      country: 'France',
      disciplines: ['fencing'],
      games: [],
      medals: { gold: 0, silver: 0, bronze: 0 },
      lastYear: 2024,
    })),
  );
  const now = new Date();
  // Thousands of decisions would measure the registry, which is not meant here: their results are
  // written straight.
  await context.connection.collection('accounts').insertMany(
    people.map(({ handle, name }, n) => ({
      _id: `acc${n}` as never,
      network: 'x',
      accountId: sandbox.world.person(handle)?.ids.x,
      handle,
      handleKey: handle,
      skeleton: handle,
      former: [],
      gone: false,
      athlete: handle,
      state: 'verified',
      epoch: 1,
      since: now,
      signers: 1,
      warning: null,
      owners: [],
      profile: {
        name,
        about: '',
        createdAt: null,
        followers: null,
        badge: null,
        fetchedAt: now,
      },
      case: `case${n}`,
      changed: 0,
    })),
  );
  const organiser = (
    await context.fans.setRole(
      (await demoFan(context, 'organiser1', ['x']))._id,
      'organiser',
      true,
      'bench',
    )
  )._id;
  return { context, sandbox, env, url, organiser, sizes };
}

/** Opens a live chat of this name. */
export async function openRoom({ context, organiser }: BenchHub, slug: string): Promise<void> {
  const [startsAt, endsAt] = [new Date(), new Date(Date.now() + 1e7)];
  const words = { title: { fr: 'b', en: 'b' }, about: { fr: '', en: '' } };
  await context.chats.open(
    { id: organiser, name: 'o', roles: ['organiser'] },
    { _id: slug, ...words, host: 'star1', state: 'live', startsAt, endsAt, fromVillage: true },
  );
}

/** Writes fans with a token each in bulk; `who` is their ids, or how many new ones. */
export async function bulkFans(
  context: Context,
  who: number | string[],
  tag: string,
): Promise<{ fan: string; token: string }[]> {
  const names =
    typeof who === 'number'
      ? Array.from(
          { length: who },
          (_x, n) => `${tag}-${n}-${randomBytes(8).toString('base64url')}`,
        )
      : who;
  const made = names.map((fan) => ({ fan, token: `vlg_${randomBytes(24).toString('base64url')}` }));
  const now = new Date();
  for (let from = 0; from < made.length; from += 5000) {
    await context.connection.collection('fans').insertMany(
      made.slice(from, from + 5000).map(({ fan, token }, n) => ({
        _id: fan as never,
        handle: `${tag}${from + n}`,
        // Handles may come again in another run of the same hub; keys may not.
        nameKey: fan,
        named: 'given',
        country: 'FR',
        birthYear: 1990,
        language: 'fr',
        roles: [],
        version: 1,
        revision: 1,
        state: 'active',
        consent: { version: 'b', at: now },
        demo: false,
        tokens: [
          {
            hash: createHash('sha256').update(token).digest('hex'),
            name: 'bench',
            scopes: ['read', 'follow', 'chat'],
            createdAt: now,
          },
        ],
        createdAt: now,
      })),
    );
  }
  return made;
}

/** Writes the scores of so many fans straight, for measuring boards alone; answers some ids. */
export async function bulkScores(context: Context, count: number): Promise<string[]> {
  const sample: string[] = [];
  for (let from = 0; from < count; from += 10_000) {
    await context.connection.collection('scores').insertMany(
      Array.from({ length: Math.min(10_000, count - from) }, (_x, n) => {
        const id = `board-${from + n}`;
        if ((from + n) % Math.ceil(count / 500) === 0) sample.push(id);
        const points = 1 + Math.floor(Math.random() ** 3 * 5000);
        const reachedAt = Date.UTC(2026, 0, 1) + Math.floor(Math.random() * 2e10);
        return {
          _id: id as never,
          seq: points,
          after: {
            points,
            reachedAt,
            disciplines: { fencing: [points, reachedAt] },
            windows: {},
            likesToday: ['', 0],
            medals: {},
          },
          standing: { rankable: true, name: id, country: 'FR', revision: 1 },
        };
      }),
      { ordered: false },
    );
  }
  return sample;
}
