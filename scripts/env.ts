import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError, Port } from '../server/config.js';
import { root } from './root.js';

/** What runs, for programs and people beside the hub (`DATA_DIR/run.json`). */
const RunFile = z.object({
  web: z.object({ url: z.string(), pid: z.number() }),
  worker: z.object({ pid: z.number() }),
  mongodb: z.object({ uri: z.string(), kind: z.string() }),
  redis: z.object({ url: z.string(), kind: z.string() }),
  sandbox: z
    .object({ url: z.string(), token: z.string(), networks: z.record(z.string(), z.string()) })
    .nullable(),
});
export type RunFile = z.infer<typeof RunFile>;

const client = z.object({ id: z.string().min(1), secret: z.string().min(1) });
const Secrets = z.object({
  SESSION_SECRET: z.string().min(1),
  TOKEN_KEYS: z.string().min(1),
  SIGNING_KEY: z.string().min(1),
  METRICS_TOKEN: z.string().min(1),
  sandboxToken: z.string().min(1),
  clients: z.object({ x: client, facebook: client }),
});
export type Secrets = z.infer<typeof Secrets>;

/** The folder of everything that a hub keeps (DATA_DIR). */
export const dataDir = (): string => resolve(root, process.env['DATA_DIR'] || '.data');

/**
 * The sandbox networks: control plane at SANDBOX_PORT, X and Facebook's two on the ports after it.
 */
export const SANDBOX_PORTS = 4;

/**
 * Reads PORT and SANDBOX_PORT. Throws a ConfigError that names each which is no port, or says that
 * PORT is one of the sandbox networks' own.
 */
export function portsOf(env: NodeJS.ProcessEnv): { port: number; sandboxPort: number } {
  const problems: string[] = [];
  const read = (name: string, normal: number, schema: z.ZodType<number, string>): number => {
    const text = env[name];
    if (text === undefined) return normal;
    const { success, data, error } = schema.safeParse(text);
    if (!success) problems.push(`${name}: ${error.issues[0]?.message ?? ''}`);
    return data ?? normal;
  };
  const last = 65_536 - SANDBOX_PORTS;
  const port = read('PORT', 3000, Port);
  const sandboxPort = read(
    'SANDBOX_PORT',
    4100,
    Port.refine((first) => first >= 1 && first <= last, {
      error: ({ input }) => `"${String(input)}" is not from 1 to ${last}`,
    }),
  );
  if (problems.length === 0 && port >= sandboxPort && port < sandboxPort + SANDBOX_PORTS)
    problems.push(
      `PORT ${port} is one of the sandbox networks' ports ` +
        `(SANDBOX_PORT ${sandboxPort} to ${sandboxPort + SANDBOX_PORTS - 1}). ` +
        'Set one of the two elsewhere.',
    );
  if (problems.length > 0) throw new ConfigError(problems);
  return { port, sandboxPort };
}

/**
 * How node runs a role of the hub; `Procfile` says the same. Requests under way survive fewer
 * collections in a larger nursery: an eighth more awards a second and fewer long answers. One
 * helper for V8 instead of four: on two cores four took both of them from the requests for 150 ms
 * at every large collection (p99 at 500 awards a second: 120 ms, with one 34 ms).
 */
export const nodeOptions = (role: string | undefined): string[] =>
  role === 'web' ? ['--max-semi-space-size=64', '--v8-pool-size=1'] : [];

/** Writes a file whole or not at all, also where the machine loses its power. */
export function writeWhole(file: string, text: string, mode = 0o644): void {
  const open = openSync(`${file}.new`, 'w', mode);
  try {
    writeFileSync(open, text);
    fsyncSync(open);
  } finally {
    closeSync(open);
  }
  renameSync(`${file}.new`, file);
}

/**
 * Reads a JSON file of ours. Throws an Error that says in one line what is wrong with it, and then
 * `remedy`.
 */
function readOurs<T>(file: string, schema: z.ZodType<T>, remedy: string): T {
  const text = readFileSync(file, 'utf8');
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    throw new Error(`${file} ${text.trim() === '' ? 'is empty' : 'is broken'}. ${remedy}`);
  }
  const { success, data } = schema.safeParse(found);
  if (!success) throw new Error(`${file} is not complete. ${remedy}`);
  return data;
}

/**
 * Reads what `DATA_DIR/run.json` says of the hub that runs on this folder. Throws an Error of one
 * line when it cannot be read.
 */
export const runFileOf = (dir: string): RunFile =>
  readOurs(
    join(dir, 'run.json'),
    RunFile,
    'Stop the hub that runs there and start it again: it writes the file anew.',
  );

const random = (bytes: number): string => randomBytes(bytes).toString('base64');

/**
 * Reads the secrets of a hub that `npm start` runs, and makes them at first: kept in DATA_DIR,
 * readable by their owner only. Call it while holding the lock of the folder, or where a hub runs.
 * Throws an Error of one line when the file cannot be read: what the secrets sealed must not be
 * lost by a guess.
 */
export function secretsOf(dir: string): Secrets {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, 'secrets.json');
  if (existsSync(file))
    return readOurs(
      file,
      Secrets,
      'Put a copy of it back. Without one delete it: new secrets are made, ' +
        'and everybody signs in and links their networks anew.',
    );
  const fresh: Secrets = {
    SESSION_SECRET: random(48),
    TOKEN_KEYS: `k1:${random(32)}`,
    SIGNING_KEY: random(32),
    METRICS_TOKEN: random(32),
    sandboxToken: randomBytes(18).toString('base64url'),
    clients: {
      x: {
        id: randomBytes(12).toString('base64url'),
        secret: randomBytes(24).toString('base64url'),
      },
      facebook: { id: '102030405060', secret: randomBytes(16).toString('hex') },
    },
  };
  writeWhole(file, JSON.stringify(fresh, null, 1), 0o600);
  return fresh;
}

/** Where the parts of a demo hub are reached. */
export interface DemoAddresses {
  port: number;
  publicUrl: string;
  mongodb: string;
  redis: string;
  networks: { x: string; facebook: string; facebookGraph: string };
}

/** The addresses of the sandbox networks whose control plane is at this port. */
export function networksAt(sandboxPort: number): DemoAddresses['networks'] {
  const [x, facebook, facebookGraph] = [1, 2, 3].map(
    (offset) => `http://127.0.0.1:${sandboxPort + offset}`,
  ) as [string, string, string];
  return { x, facebook, facebookGraph };
}

/** The settings of a demo hub: its own secrets, and the sandbox networks' origins and keys. */
export const demoEnv = (
  dir: string,
  secrets: Secrets,
  { port, publicUrl, mongodb, redis, networks }: DemoAddresses,
): NodeJS.ProcessEnv => ({
  PORT: String(port),
  PUBLIC_URL: publicUrl,
  DATA_DIR: dir,
  MONGODB_URI: mongodb,
  REDIS_URL: redis,
  SESSION_SECRET: secrets.SESSION_SECRET,
  TOKEN_KEYS: secrets.TOKEN_KEYS,
  SIGNING_KEY: secrets.SIGNING_KEY,
  METRICS_TOKEN: secrets.METRICS_TOKEN,
  X_CLIENT_ID: secrets.clients.x.id,
  X_CLIENT_SECRET: secrets.clients.x.secret,
  X_ORIGIN_PAGES: networks.x,
  X_ORIGIN_API: networks.x,
  FACEBOOK_APP_ID: secrets.clients.facebook.id,
  FACEBOOK_APP_SECRET: secrets.clients.facebook.secret,
  FACEBOOK_ORIGIN_PAGES: networks.facebook,
  FACEBOOK_ORIGIN_GRAPH: networks.facebookGraph,
});
