/**
 * `npm start`: finds or starts the stores, seeds the demo once, starts sandbox, web and worker, and
 * keeps them running.
 */
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, readConfig, type Config } from '../server/config.js';
import { createContext } from '../server/context.js';
import { seedDemo } from './demo/seed.js';
import {
  dataDir,
  demoEnv,
  networksAt,
  portsOf,
  secretsOf,
  writeWhole,
  type RunFile,
  type Secrets,
} from './env.js';
import type { Holder } from './folder.js';
import type { Lock } from './lock.mjs';
import { root } from './root.js';
import { freePort, type Service } from './services/process.js';
import { keepStores, startStores } from './services/stores.js';
import { clearDataDir, requireFreePorts, takeDataDir } from './start/claims.js';
import { Programs } from './start/programs.js';
import { Refusal } from './start/refusal.js';
import { welcome } from './start/welcome.js';

const say = (line: string): void => {
  process.stdout.write(`village: ${line}\n`);
};
const OLYMPIANS = join(root, 'scripts', 'data', 'olympians.csv.gz');

const dir = dataDir();
const services: Service[] = [];
/** Aborted once everything is being stopped. */
const stopped = new AbortController();
const isStopping = (): boolean => stopped.signal.aborted;
/**
 * The lock of DATA_DIR while it is ours: a start that was refused must not touch the files of the
 * hub that runs there.
 */
let lock: Lock | null = null;
const me: Holder = { pid: process.pid, what: 'npm start', stays: true, state: 'starting' };
/** The stores while they start, and then while they are kept running. */
let storesAtWork: Promise<unknown> = Promise.resolve();
let run: RunFile | null = null;
const programs = new Programs(dir, {
  say,
  signal: stopped.signal,
  started: (name, pid) => {
    if (!run || (name !== 'web' && name !== 'worker')) return;
    run[name].pid = pid;
    writeRun();
  },
});

function tell(state: Holder['state']): void {
  me.state = state;
  lock?.tell(me);
}

function forget(...files: string[]): void {
  for (const file of files) rmSync(join(dir, file), { force: true });
}

function writeRun(): void {
  if (run) writeWhole(join(dir, 'run.json'), `${JSON.stringify(run, null, 2)}\n`);
}

function writeStores(): void {
  const pids = services.map(({ pid }) => pid).filter((pid) => pid !== null);
  writeWhole(join(dir, 'stores.json'), JSON.stringify({ starter: process.pid, pids }));
}

function replaceStore(old: Service, now: Service): void {
  services.splice(services.indexOf(old), 1, now);
  writeStores();
}

let ending: Promise<void> | null = null;
/** Stops everything in order, once. */
const stop = (): Promise<void> => (ending ??= stopAll());

async function stopAll(): Promise<void> {
  stopped.abort();
  if (!lock) return;
  tell('stopping');
  say('stopping …');
  await programs.stop();
  // What was being started is one of the services now, or has ended.
  await storesAtWork.catch(() => undefined);
  await Promise.all(services.map((service) => service.stop()));
  if (run || services.length > 0) forget('run.json', 'stores.json');
  await lock.release();
}

/** Starts the stores, or finds them, and keeps those that were started here running. */
async function openStores(): Promise<{ mongodb: Service; redis: Service }> {
  const begun = Date.now();
  const starting = startStores(dir, say, stopped.signal).then((stores) => {
    services.push(stores.mongodb, stores.redis);
    return stores;
  });
  storesAtWork = starting;
  const stores = await starting;
  // What an earlier run said is over; only the process that has the stores open may say so.
  forget('run.json');
  writeStores();
  storesAtWork = keepStores(dir, stores, {
    say,
    signal: stopped.signal,
    replaced: replaceStore,
  });
  const { mongodb, redis } = stores;
  const seconds = ((Date.now() - begun) / 1000).toFixed(1);
  say(`MongoDB: ${mongodb.kind}. Redis: ${redis.kind}. (${seconds} s)`);
  return stores;
}

/** Starts the sandbox networks, which send people back to the hub at `publicUrl`. */
const openSandbox = (
  env: NodeJS.ProcessEnv,
  secrets: Secrets,
  port: number,
  publicUrl: string,
): Promise<unknown> =>
  programs.keep({
    name: 'sandbox',
    file: 'scripts/sandbox/main.js',
    args: [],
    env: {
      ...env,
      SANDBOX_OPTIONS: JSON.stringify({
        port,
        file: join(dir, 'sandbox.json'),
        token: secrets.sandboxToken,
        clients: secrets.clients,
        redirects: {
          x: [`${publicUrl}/auth/x/callback`],
          facebook: [`${publicUrl}/auth/facebook/callback`],
        },
      }),
    },
  });

/** Opens web and worker, and says so in DATA_DIR and to who asks for its lock. */
async function openHub(env: NodeJS.ProcessEnv): Promise<void> {
  await Promise.all(
    ['web', 'worker'].map((role) =>
      programs.keep({ name: role, file: 'server/main.js', args: [role], env }),
    ),
  );
  writeRun();
  tell('open');
}

/** Makes the demo once; answers the digest of the directory's file when it is still to import. */
async function fillDemo(env: NodeJS.ProcessEnv): Promise<string | null> {
  const context = await createContext(readConfig({ ...env, LOG_LEVEL: 'error' }), 'start', {
    search: false,
  });
  await context.release();
  await seedDemo(context, say);
  const digest = createHash('sha256').update(readFileSync(OLYMPIANS)).digest('hex');
  const isImported = (await context.settings.get<string>('athletes.file')) === digest;
  await context.close();
  return isImported ? null : digest;
}

async function demo(port: number, sandboxPort: number, publicUrl: string): Promise<void> {
  const secrets = secretsOf(dir);
  const { mongodb, redis } = await openStores();
  const networks = networksAt(sandboxPort);
  const addresses = { port, publicUrl, mongodb: mongodb.url, redis: redis.url, networks };
  const env = {
    ...process.env,
    NODE_ENV: 'development',
    ...demoEnv(dir, secrets, addresses),
  };
  await openSandbox(env, secrets, sandboxPort, publicUrl);
  const digest = await fillDemo(env);
  run = {
    web: { url: publicUrl, pid: 0 },
    worker: { pid: 0 },
    mongodb: { uri: mongodb.url, kind: mongodb.kind },
    redis: { url: redis.url, kind: redis.kind },
    sandbox: {
      url: `http://127.0.0.1:${sandboxPort}`,
      token: secrets.sandboxToken,
      networks: { x: networks.x, facebook: networks.facebook },
    },
  };
  await openHub(env);
  process.stdout.write(welcome(publicUrl, dir, join(dir, 'logs')));
  if (digest) void fillDirectory(env, digest);
}

/** Fills the directory while the hub is open; its page shows how far it is. */
async function fillDirectory(env: NodeJS.ProcessEnv, digest: string): Promise<void> {
  const isComplete = await programs.run({
    name: 'import',
    file: 'scripts/hub.js',
    args: ['import', 'athletes', OLYMPIANS],
    env: { ...env, VILLAGE_IMPORT_MARK: digest },
  });
  if (isStopping()) return;
  say(
    isComplete
      ? 'the directory is complete.'
      : 'the import of the directory stopped; it goes on at the next start.',
  );
}

/** Opens a hub in production, on the stores of its settings. */
async function live(config: Config): Promise<void> {
  const context = await createContext(config, 'start', { search: false });
  await context.release();
  await context.close();
  run = {
    web: { url: config.publicUrl, pid: 0 },
    worker: { pid: 0 },
    mongodb: { uri: 'given', kind: 'given' },
    redis: { url: 'given', kind: 'given' },
    sandbox: null,
  };
  await openHub(process.env);
  say(`open: ${config.publicUrl}`);
}

/** Says why the start failed; what fails because everything is being stopped is no news. */
function explain(error: unknown): void {
  const isPlain = error instanceof Refusal || error instanceof ConfigError;
  const lines =
    error instanceof ConfigError
      ? error.problems
      : (error instanceof Error ? error.message : String(error)).split('\n');
  for (const line of lines) process.stderr.write(`village: ${line}\n`);
  if (!isPlain && process.env['DEBUG']) console.error(error);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    void stop().finally(() => process.exit(0));
  });
try {
  // Settings that are wrong are reported before anything is touched.
  const config = process.env['NODE_ENV'] === 'production' ? readConfig(process.env) : null;
  const ports = config ? { port: config.port, sandboxPort: null } : portsOf(process.env);
  const port = ports.port || (await freePort());
  const publicUrl = process.env['PUBLIC_URL'] || `http://127.0.0.1:${port}`;
  me.url = publicUrl;
  lock = await takeDataDir(dir, me, say);
  await clearDataDir(dir, say);
  await requireFreePorts(port, ports.sandboxPort);
  await (config ? live(config) : demo(port, ports.sandboxPort ?? 0, publicUrl));
} catch (error) {
  const isFailure = !isStopping();
  if (isFailure) explain(error);
  await stop();
  process.exit(isFailure ? 1 : 0);
}
