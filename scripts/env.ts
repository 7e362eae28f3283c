import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { root } from './root.js';

/** What runs, for programs and people beside the hub (`DATA_DIR/run.json`). */
export interface RunFile {
  web: { url: string; pid: number };
  worker: { pid: number };
  mongodb: { uri: string; kind: string };
  redis: { url: string; kind: string };
  sandbox: { url: string; token: string; networks: Record<string, string> } | null;
}

export interface Secrets {
  SESSION_SECRET: string;
  TOKEN_KEYS: string;
  SIGNING_KEY: string;
  METRICS_TOKEN: string;
  sandboxToken: string;
  clients: { x: { id: string; secret: string }; facebook: { id: string; secret: string } };
}

export const dataDir = (): string => resolve(root, process.env['DATA_DIR'] ?? '.data');

/**
 * How node runs a role of the hub; `Procfile` says the same. Requests under way survive fewer collections in a larger nursery: an eighth
 * more awards a second and fewer long answers. One helper for V8 instead of four: on two cores four took both of them from the requests
 * for 150 ms at every large collection (p99 at 500 awards a second: 120 ms, with one 34 ms).
 */
export const nodeOptions = (role: string | undefined): string[] => (role === 'web' ? ['--max-semi-space-size=64', '--v8-pool-size=1'] : []);

/** Writes a file whole or not at all. */
export function writeWhole(file: string, text: string, mode = 0o644): void {
  writeFileSync(`${file}.new`, text, { mode });
  renameSync(`${file}.new`, file);
}

const random = (bytes: number): string => randomBytes(bytes).toString('base64');

/** The secrets of a hub that was started by `npm start`: made once, kept in DATA_DIR, readable by its owner only. */
export function secretsOf(dir: string): Secrets {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, 'secrets.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Secrets;
  const fresh: Secrets = {
    SESSION_SECRET: random(48),
    TOKEN_KEYS: `k1:${random(32)}`,
    SIGNING_KEY: random(32),
    METRICS_TOKEN: random(32),
    sandboxToken: randomBytes(18).toString('base64url'),
    clients: {
      x: { id: randomBytes(12).toString('base64url'), secret: randomBytes(24).toString('base64url') },
      facebook: { id: '102030405060', secret: randomBytes(16).toString('hex') },
    },
  };
  writeWhole(file, JSON.stringify(fresh, null, 1), 0o600);
  return fresh;
}

/** The settings of a demo hub: its own secrets, and the sandbox networks' origins and keys. */
export function demoEnv(input: {
  dir: string;
  secrets: Secrets;
  port: number;
  publicUrl: string;
  mongodb: string;
  redis: string;
  networks: { x: string; facebook: string; facebookGraph: string };
}): NodeJS.ProcessEnv {
  const { secrets } = input;
  return {
    PORT: String(input.port),
    PUBLIC_URL: input.publicUrl,
    DATA_DIR: input.dir,
    MONGODB_URI: input.mongodb,
    REDIS_URL: input.redis,
    SESSION_SECRET: secrets.SESSION_SECRET,
    TOKEN_KEYS: secrets.TOKEN_KEYS,
    SIGNING_KEY: secrets.SIGNING_KEY,
    METRICS_TOKEN: secrets.METRICS_TOKEN,
    X_CLIENT_ID: secrets.clients.x.id,
    X_CLIENT_SECRET: secrets.clients.x.secret,
    X_ORIGIN_PAGES: input.networks.x,
    X_ORIGIN_API: input.networks.x,
    FACEBOOK_APP_ID: secrets.clients.facebook.id,
    FACEBOOK_APP_SECRET: secrets.clients.facebook.secret,
    FACEBOOK_ORIGIN_PAGES: input.networks.facebook,
    FACEBOOK_ORIGIN_GRAPH: input.networks.facebookGraph,
  };
}
