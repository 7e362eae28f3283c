/**
 * `npm start`: finds or starts the stores, seeds the demo once, starts sandbox, web and worker, and
 * keeps them running.
 */
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  appendFileSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { ConfigError, readConfig, type Config } from '../server/config.js';
import { createContext } from '../server/context.js';
import { seedDemo } from './demo/seed.js';
import {
  dataDir,
  demoEnv,
  networksAt,
  nodeOptions,
  portsOf,
  SANDBOX_PORTS,
  secretsOf,
  writeWhole,
  type RunFile,
} from './env.js';
import { takeFolder, type Holder } from './folder.js';
import type { Lock } from './lock.mjs';
import { root } from './root.js';
import { end, freePort, listens, type Service } from './services/process.js';
import { endLeftOver, keepStores, startStores } from './services/stores.js';
import { spawnTied } from './tie.mjs';

const say = (line: string): void => {
  process.stdout.write(`village: ${line}\n`);
};
class Plain extends Error {}
const OLYMPIANS = join(root, 'scripts', 'data', 'olympians.csv.gz');

const dir = dataDir();
const production = process.env['NODE_ENV'] === 'production';

interface Kept {
  name: string;
  file: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  child: ChildProcess | null;
  ready: Promise<unknown>;
  wait: number;
}
const kept: Kept[] = [];
const services: Service[] = [];
/** Aborted once everything is being stopped. */
const stopped = new AbortController();
const stopping = (): boolean => stopped.signal.aborted;
/**
 * The lock of DATA_DIR while it is ours: a start that was refused must not touch the files of the
 * hub that runs there.
 */
let lock: Lock | null = null;
const me: Holder = { pid: process.pid, what: 'npm start', stays: true, state: 'starting' };
/** The stores while they start, and then while they are kept running. */
let storesAtWork: Promise<unknown> = Promise.resolve();
let run: RunFile | null = null;

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
  writeWhole(
    join(dir, 'stores.json'),
    JSON.stringify({
      starter: process.pid,
      pids: services.map(({ pid }) => pid).filter((pid) => pid !== null),
    }),
  );
}

function replaceStore(old: Service, now: Service): void {
  services.splice(services.indexOf(old), 1, now);
  writeStores();
}

/**
 * Starts a program of ours and starts it again whenever it ends by itself. Resolves with what it
 * first said when ready.
 */
function keep(
  name: string,
  file: string,
  args: string[],
  env: NodeJS.ProcessEnv,
): Promise<Record<string, unknown>> {
  const one: Kept = { name, file, args, env, child: null, ready: Promise.resolve(), wait: 250 };
  kept.push(one);
  return launch(one, true);
}

function launch(one: Kept, first: boolean): Promise<Record<string, unknown>> {
  const log = join(dir, 'logs', `${one.name}.log`);
  const out = openSync(log, 'a');
  const child = spawnTied(
    process.execPath,
    [
      '--enable-source-maps',
      ...nodeOptions(one.args[0]),
      join(root, 'build', one.file),
      ...one.args,
    ],
    {
      stdio: ['ignore', out, out, 'ipc'],
      env: one.env,
      detached: true,
    },
  );
  closeSync(out);
  one.child = child;
  const begun = Date.now();
  return new Promise((resolve, reject) => {
    let said = false;
    child.on('message', (message: Record<string, unknown>) => {
      if (!message['ready']) return;
      said = true;
      if (run && child.pid) {
        if (one.name === 'web') run.web.pid = child.pid;
        if (one.name === 'worker') run.worker.pid = child.pid;
        writeRun();
      }
      resolve(message);
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      one.child = null;
      if (stopping()) return;
      if (!said && first) {
        reject(
          new Plain(
            `${one.name} did not start: ${readFileSync(log, 'utf8').trim().split('\n').slice(-3).join(' | ')}`,
          ),
        );
        return;
      }
      // One that ran for a while is back at once; one that fails again and again is not chased.
      one.wait = Date.now() - begun > 10_000 ? 250 : Math.min(10_000, one.wait * 2);
      say(`${one.name} ended (${signal ?? code ?? '?'}), starting it again`);
      setTimeout(() => {
        if (!stopping()) launch(one, false).catch(() => undefined);
      }, one.wait);
    });
  });
}

/** Makes DATA_DIR ours. Throws a Plain when it cannot be had. */
async function takeDataDir(url: string): Promise<void> {
  me.url = url;
  try {
    mkdirSync(dir, { recursive: true });
    accessSync(dir, constants.W_OK);
  } catch {
    throw new Plain(
      `cannot write in ${dir}. Make it writable, or set DATA_DIR to a folder that is.`,
    );
  }
  let waited = false;
  lock = await takeFolder(dir, me, (holder) => {
    if (holder.stays && holder.state !== 'stopping') {
      const where = [
        holder.url,
        `process ${holder.pid}`,
        holder.state === 'starting' ? 'still starting' : '',
      ]
        .filter(Boolean)
        .join(', ');
      throw new Plain(
        `a hub runs on ${dir} already (${where}). Stop it, or set DATA_DIR, PORT and SANDBOX_PORT for a second one.`,
      );
    }
    if (!waited)
      say(
        `${holder.what} (process ${holder.pid}) has ${dir}${holder.stays ? ' and is stopping' : ''}; waiting for its end …`,
      );
    waited = true;
    return 'wait';
  });
  mkdirSync(join(dir, 'logs'), { recursive: true });
  const left = await endLeftOver(dir);
  if (left.length > 0)
    say(`ended what an earlier start had left running (process ${left.join(', ')}).`);
}

async function portsAreFree(port: number, sandboxPort: number): Promise<void> {
  const sandbox = production
    ? []
    : Array.from({ length: SANDBOX_PORTS }, (_x, n) => [sandboxPort + n, 'SANDBOX_PORT'] as const);
  for (const [at, name] of [[port, 'PORT'] as const, ...sandbox]) {
    for (let tries = 0; await listens(at); tries += 1) {
      if (tries > 20)
        throw new Plain(
          `port ${at} is taken. Free it, or set ${name} to another one (${name}=${at > 64_000 ? at - 1000 : at + 1000} npm start).`,
        );
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

let ending: Promise<void> | null = null;
/** Stops everything in order, once. */
const stop = (): Promise<void> => (ending ??= stopAll());

async function stopAll(): Promise<void> {
  stopped.abort();
  if (!lock) return;
  tell('stopping');
  say('stopping …');
  await Promise.all(
    [...kept].reverse().flatMap((one) => (one.child?.pid ? [end(one.child.pid, 12_000)] : [])),
  );
  // What was being started is one of the services now, or has ended.
  await storesAtWork.catch(() => undefined);
  await Promise.all(services.map((one) => one.stop()));
  if (run || services.length > 0) forget('run.json', 'stores.json');
  await lock.release();
}

async function demo(port: number, sandboxPort: number, publicUrl: string): Promise<void> {
  const secrets = secretsOf(dir);
  const begun = Date.now();
  const starting = startStores(dir, say, stopped.signal).then((both) => {
    services.push(both.mongodb, both.redis);
    return both;
  });
  storesAtWork = starting;
  const { mongodb, redis } = await starting;
  // What an earlier run told is over; only who has the stores open may say so.
  forget('run.json');
  writeStores();
  storesAtWork = keepStores(
    dir,
    { mongodb, redis },
    { say, signal: stopped.signal, replaced: replaceStore },
  );
  say(
    `MongoDB: ${mongodb.kind}. Redis: ${redis.kind}. (${((Date.now() - begun) / 1000).toFixed(1)} s)`,
  );

  const networks = networksAt(sandboxPort);
  const env = {
    ...process.env,
    NODE_ENV: 'development',
    ...demoEnv(dir, secrets, {
      port,
      publicUrl,
      mongodb: mongodb.url,
      redis: redis.url,
      networks,
    }),
  };
  await keep('sandbox', 'scripts/sandbox/main.js', [], {
    ...env,
    SANDBOX_OPTIONS: JSON.stringify({
      port: sandboxPort,
      file: join(dir, 'sandbox.json'),
      token: secrets.sandboxToken,
      clients: secrets.clients,
      redirects: {
        x: [`${publicUrl}/auth/x/callback`],
        facebook: [`${publicUrl}/auth/facebook/callback`],
      },
    }),
  });
  const context = await createContext(readConfig({ ...env, LOG_LEVEL: 'error' }), 'start', {
    search: false,
  });
  await context.release();
  await seedDemo(context, say);
  const digest = createHash('sha256').update(readFileSync(OLYMPIANS)).digest('hex');
  const imported = (await context.settings.get<string>('athletes.file')) === digest;
  await context.close();

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
  await Promise.all([
    keep('web', 'server/main.js', ['web'], env),
    keep('worker', 'server/main.js', ['worker'], env),
  ]);
  writeRun();
  tell('open');
  process.stdout.write(`
Village is open: ${publicUrl}

Sign in with X or Facebook and choose who you are on the sandbox's page:
  fan1              a fan already            fan2 … fan5     meet the first page
  moderator1 … 3    verify accounts          athlete1 … 3    host chats
  organiser1, admin1

Try first: sign in as fan2 with X, open athlete1, press "Follow on X", press Follow on
the page that opens, and come back: your first point, your first medal, an open video.
Then say hello in the live chat. As moderator1, decide whose account it is: ${publicUrl}/en/moderation

Logs: ${join(dir, 'logs')}   Ctrl-C stops everything; the data stays in ${dir}
`);
  if (!imported) background(env, digest);
}

/** The directory fills in the background; its page tells how far it is. */
function background(env: NodeJS.ProcessEnv, digest: string): void {
  const child = spawnTied(
    process.execPath,
    [join(root, 'build', 'scripts', 'hub.js'), 'import', 'athletes', OLYMPIANS],
    {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...env, VILLAGE_IMPORT_MARK: digest },
      detached: true,
    },
  );
  kept.push({ name: 'import', file: '', args: [], env, child, ready: Promise.resolve(), wait: 0 });
  child.stderr?.on('data', (part: Buffer) => {
    appendFileSync(join(dir, 'logs', 'import.log'), part);
  });
  child.once('exit', (code) => {
    if (!stopping())
      say(
        code === 0
          ? 'the directory is complete.'
          : 'the import of the directory stopped; it goes on at the next start.',
      );
  });
}

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
  await Promise.all([
    keep('web', 'server/main.js', ['web'], process.env),
    keep('worker', 'server/main.js', ['worker'], process.env),
  ]);
  writeRun();
  tell('open');
  say(`open: ${config.publicUrl}`);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    void stop().finally(() => process.exit(0));
  });
try {
  // Settings that are wrong are told before anything is touched.
  const config = production ? readConfig(process.env) : null;
  const ports = config ? { port: config.port, sandboxPort: 0 } : portsOf(process.env);
  const port = ports.port || (await freePort());
  const publicUrl = process.env['PUBLIC_URL'] || `http://127.0.0.1:${port}`;
  await takeDataDir(publicUrl);
  await portsAreFree(port, ports.sandboxPort);
  await (config ? live(config) : demo(port, ports.sandboxPort, publicUrl));
} catch (error) {
  // What fails because everything is being stopped is no news.
  const lines = stopping()
    ? []
    : error instanceof ConfigError
      ? error.problems
      : (error instanceof Error ? error.message : String(error)).split('\n');
  for (const line of lines) process.stderr.write(`village: ${line}\n`);
  if (
    lines.length > 0 &&
    !(error instanceof Plain) &&
    !(error instanceof ConfigError) &&
    process.env['DEBUG']
  )
    console.error(error);
  await stop();
  process.exit(lines.length > 0 ? 1 : 0);
}
