import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { io, type Socket } from 'socket.io-client';
import { createApp } from '../../server/app.js';
import { readConfig } from '../../server/config.js';
import { createContext, type Context, type Overrides } from '../../server/context.js';
import type { FanRecord } from '../../server/fans/service.js';
import type { Card } from '../../server/networks/cards.js';
import { createAppServer } from '../../server/platform/server.js';
import { createSockets } from '../../server/sockets.js';
import type { ClientEvents, ServerEvents } from '../../server/wire.js';
import { demoFan } from '../../scripts/demo/sign-in.js';
import { ATHLETE_FACTS } from '../../scripts/demo/content.js';
import { startSandbox, type Sandbox } from '../../scripts/sandbox/start.js';
import { Browser } from './browserless.js';
import type { Role } from '../../server/platform/rights.js';

/** A clock that a test moves. */
export class TestClock {
  private offset = 0;
  /** The time as the hub sees it. */
  now(): Date {
    return new Date(Date.now() + this.offset);
  }
  /** Moves the time on. */
  advance(ms: number): void {
    this.offset += ms;
  }
}

/** An hour in ms. */
export const HOUR = 3_600_000;
/** A socket as a page has it. */
export type TestSocket = Socket<ServerEvents, ClientEvents>;
const key = (bytes: number): string => randomBytes(bytes).toString('base64');

/** How a world differs from the usual one. */
export interface WorldOptions extends Overrides {
  card?: Card['mode'];
  /** Drops every message of the bus, own and others'. */
  deaf?: boolean;
  sockets?: boolean;
  /** Stores of the test's own instead of those of the run, by address. */
  stores?: { mongodb?: string; redis?: string };
}

/**
 * Everything a test needs: the real app on a free port, its own database, its own Redis prefix, its
 * own sandbox networks.
 */
export interface World {
  url: string;
  context: Context;
  sandbox: Sandbox;
  clock: TestClock;
  env: NodeJS.ProcessEnv;
  server: Server;
  fan(
    handle: string,
    options?: { networks?: ('x' | 'facebook')[]; role?: Role },
  ): Promise<{ fan: FanRecord; token: string }>;
  moderator(): Promise<{ id: string; roles: Role[]; name: string }>;
  /** Has an account verified; answers the id of its case. */
  verify(athlete: string, network: 'x' | 'facebook'): Promise<string>;
  athletes(): Promise<void>;
  /** Opens a live chat with athlete1. */
  room(slug: string): Promise<void>;
  api(
    path: string,
    options?: { method?: string; body?: unknown; token?: string; headers?: Record<string, string> },
  ): Promise<{ status: number; body: Record<string, never>; headers: Headers }>;
  browser(): Browser;
  socket(token: string): TestSocket;
  settle(): Promise<void>;
  /** A whole sweep, and all that it hands out. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

/** The settings of a hub of its own on the stores of the run. */
export function baseEnv(dataDir: string): NodeJS.ProcessEnv {
  const mark = randomBytes(6).toString('hex');
  return {
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    DATA_DIR: dataDir,
    MONGODB_URI: process.env['MONGODB_URI'],
    REDIS_URL: process.env['REDIS_URL'],
    MONGODB_NAME: `t_${mark}`,
    REDIS_PREFIX: `t_${mark}:`,
    SESSION_SECRET: key(48),
    TOKEN_KEYS: `k1:${key(32)}`,
    SIGNING_KEY: key(32),
    METRICS_TOKEN: 'metrics-token-of-a-test',
  };
}

/** Starts a world. Close it when the file ends: the database goes with it. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { card = 'confirmed', deaf, sockets, stores, ...overrides } = options;
  const dataDir = mkdtempSync(join(tmpdir(), 'village-'));
  const clients = {
    x: { id: 'x-client', secret: 'x-secret-of-a-test' },
    facebook: { id: '1020304050', secret: 'facebook-secret-of-a-test' },
  };
  const sandbox = await startSandbox({
    port: 0,
    file: null,
    token: 'sandbox-token',
    clients,
    redirects: { x: [], facebook: [] },
  });
  const { server, serve } = createAppServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  sandbox.oauths.x.redirects.add(`${url}/auth/x/callback`);
  sandbox.oauths.facebook.redirects.add(`${url}/auth/facebook/callback`);
  const env = {
    ...baseEnv(dataDir),
    ...(stores?.mongodb ? { MONGODB_URI: stores.mongodb } : {}),
    ...(stores?.redis ? { REDIS_URL: stores.redis } : {}),
    PORT: String(port),
    PUBLIC_URL: url,
    X_CLIENT_ID: clients.x.id,
    X_CLIENT_SECRET: clients.x.secret,
    X_ORIGIN_PAGES: sandbox.networks.x,
    X_ORIGIN_API: sandbox.networks.x,
    FACEBOOK_APP_ID: clients.facebook.id,
    FACEBOOK_APP_SECRET: clients.facebook.secret,
    FACEBOOK_ORIGIN_PAGES: sandbox.networks.facebook,
    FACEBOOK_ORIGIN_GRAPH: sandbox.networks.facebookGraph,
  };
  const clock = new TestClock();
  const context = await createContext(readConfig(env), 'test', {
    clock,
    log: pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
    search: false,
    limitScale: 1000,
    ...overrides,
  });
  if (deaf) context.bus.tell = () => undefined;
  await context.release();
  await context.points.rules.set({ hub: [1, 3, 5], discipline: [1, 3, 5] });
  for (const network of ['x', 'facebook'] as const)
    await context.cards.sign(
      network,
      { mode: card, deeds: [network === 'x' ? 'follow' : 'like'] },
      'test',
    );
  serve(createApp(context));
  const live = sockets ? createSockets(context, server) : null;
  const open = new Set<TestSocket>();

  const world: World = {
    url,
    context,
    sandbox,
    clock,
    env,
    server,
    fan: async (handle, { networks = ['x'] as ('x' | 'facebook')[], role } = {}) => {
      sandbox.world.add({ handle, name: `Name of ${handle}` });
      let fan = await demoFan(context, handle, networks);
      if (role) fan = await context.fans.setRole(fan._id, role, true, 'test');
      return { fan, token: await context.tokens.create(fan._id, 'test') };
    },
    moderator: async () => {
      const { fan } = await world.fan('moderator1', { role: 'moderator' });
      return { id: fan._id, roles: fan.roles, name: fan.handle };
    },
    athletes: () => context.athletes.put(ATHLETE_FACTS),
    room: async (slug) => {
      const [startsAt, endsAt] = [clock.now(), new Date(clock.now().getTime() + HOUR)];
      const words = { title: { fr: 'Salle', en: 'Room' }, about: { fr: '', en: '' } };
      await context.chats.open(
        { id: 'o', name: 'o', roles: ['organiser'] },
        {
          _id: slug,
          ...words,
          host: 'athlete1',
          state: 'live',
          startsAt,
          endsAt,
          fromVillage: true,
        },
      );
    },
    verify: async (athlete, network) => {
      const by = await world.moderator();
      const opened = await context.registry.submit(by, `${network}:${athlete}`, athlete);
      await context.registry.decide(by, opened._id, { decision: 'grant', reason: 'test' });
      return opened._id;
    },
    api: async (path, { method = 'GET', body, token, headers = {} } = {}) => {
      const response = await fetch(`${url}/api/v1${path}`, {
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          'accept-language': 'en',
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return {
        status: response.status,
        body: (text.startsWith('{') ? JSON.parse(text) : {}) as Record<string, never>,
        headers: response.headers,
      };
    },
    browser: () => new Browser(url),
    socket: (token) => {
      const socket: TestSocket = io(`${url}/village`, {
        transports: ['websocket'],
        auth: { token, lang: 'en' },
        forceNew: true,
        reconnectionDelay: 50,
      });
      open.add(socket);
      return socket;
    },
    settle: async () => {
      await context.jobs.drain();
      await context.points.settled();
    },
    sweep: async () => {
      await context.follows.sweep.handOut({ from: new Date(0) });
      await world.settle();
    },
    close: async () => {
      for (const socket of open) socket.disconnect();
      await live?.close();
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
      await context.connection.dropDatabase().catch(() => undefined);
      await context.close();
      await sandbox.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  return world;
}
