/**
 * `npm run bench`: each scenario of DESIGN 8 against real services, beside the bare limit of the
 * same run. Writes build/bench.json.
 */
import type { ChildProcess } from 'node:child_process';
import {
  createReadStream,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { awards, firstLink, STARS } from './bench/follows.js';
import { burst } from './bench/burst.js';
import { hundredth } from './bench/hundredth.js';
import { bulkFans, bulkScores, prepare, type BenchHub } from './bench/hub.js';
import { closed, open, type Shot } from './bench/load.js';
import { chats } from './bench/rooms.js';
import { soak } from './bench/soak.js';
import { storm } from './bench/storm.js';
import { cpu, row, rows, say, setting, text } from './bench/table.js';
import { weighable } from './bench/weight.js';
import { nodeOptions } from './env.js';
import { root } from './root.js';
import { startMongodb } from './services/mongodb.js';
import {
  end,
  freePort,
  onPath,
  startedService,
  startServer,
  type Service,
} from './services/process.js';
import { startRedis } from './services/redis.js';
import { spawnTied } from './tie.mjs';

const only = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const FANS = setting('fans', 1_000_000);
/** `--profile=DIR` writes a CPU profile of each process there. */
const PROFILE =
  process.argv.find((arg) => arg.startsWith('--profile='))?.slice('--profile='.length) ?? null;
const wanted = (name: string): boolean => only.length === 0 || only.includes(name);
function program(
  file: string,
  args: string[],
  env: NodeJS.ProcessEnv,
): Promise<{ child: ChildProcess; message: { url?: string }; ms: number }> {
  const begun = performance.now();
  const options = [
    ...weighable,
    ...nodeOptions(args[0]),
    ...(PROFILE ? ['--cpu-prof', `--cpu-prof-dir=${PROFILE}`] : []),
  ];
  const child = spawnTied(process.execPath, [...options, join(root, 'build', file), ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    detached: true,
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.once('message', (message: { url?: string }) => {
      resolve({ child, message, ms: performance.now() - begun });
    });
    child.once('exit', (code) => {
      reject(new Error(`${file} ended with ${String(code)}`));
    });
  });
}

async function boards(hub: BenchHub): Promise<void> {
  const begun = performance.now();
  const sample = await bulkScores(hub.context, FANS);
  say(`${FANS} scores written in ${Math.round((performance.now() - begun) / 1000)} s`);
  await hub.context.points.rebuild();
  // The hub's board alone is lost, and comes back by itself.
  const { commands, prefix } = hub.context.redis;
  await commands.del(`${prefix}{board:hub}`);
  const rebuilding = performance.now();
  await hub.context.points.heal();
  const seconds = (performance.now() - rebuilding) / 1000;
  // Fans who may ask for themselves: tokens for a sample of the ranked.
  const people = await bulkFans(hub.context, sample, 'board');
  let at = 0;
  const shot = (): Shot => {
    at += 1;
    return {
      path: '/api/v1/boards/hub?around=me&limit=10',
      headers: { authorization: `Bearer ${people[at % people.length]?.token ?? ''}` },
    };
  };
  await open(hub.url, 100, 2, shot);
  row(
    `board of ${FANS}: rank and around me at 300 a second`,
    text(await open(hub.url, 300, 6, shot)),
    '',
    'p99 20 / 8 ms',
  );
  row(`board of ${FANS}: rebuild`, `${seconds.toFixed(1)} s`, '', '60 / 30 s');
}

async function pages(hub: BenchHub, bare: string, pid: number): Promise<void> {
  const limit = await closed(bare, 32, () => ({ path: '/' }), 3);
  const paths = ['/fr', '/en/athletes/star1', '/fr/boards/hub'];
  let at = 0;
  const shot = (): Shot => {
    at += 1;
    return { path: paths[at % paths.length] ?? '/' };
  };
  // Warm means: compiled, in this process and by it.
  await closed(hub.url, 16, shot, 5);
  const used = cpu(pid);
  const full = await closed(hub.url, 32, shot, 6);
  const each = full.count / Math.max(0.01, cpu(pid) - used);
  row(
    'pages, as many as it can',
    `${text(full)}; ${Math.round(each)} a CPU second`,
    `express hello ${limit.perSecond}/s`,
    '800 / 1500 a second a core',
  );
  row('pages at 200 a second', text(await open(hub.url, 200, 6, shot)), '', 'p99 50 / 20 ms');
}

async function search(hub: BenchHub): Promise<void> {
  const file = join(root, 'scripts', 'data', 'olympians.csv.gz');
  const begun = performance.now();
  const result = await hub.context.athletes.importFile(
    createReadStream(file).pipe(createGunzip()),
    157_375,
  );
  const seconds = (performance.now() - begun) / 1000;
  row(
    'import of the directory',
    `${result?.rows ?? 0} rows in ${seconds.toFixed(1)} s, ${Math.round((result?.rows ?? 0) / seconds)} a second`,
    '',
    '3000 a second',
  );
  for (let tries = 0; tries < 600; tries += 1) {
    const found = (await (await fetch(`${hub.url}/api/v1/athletes?q=flesel&limit=3`)).json()) as {
      items: { name: string }[];
      partial?: boolean;
    };
    if (!found.partial && found.items.some((one) => one.name.includes('Flessel'))) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  // Measured when the index is kept in its file: before, its thread is busy with that.
  for (
    let tries = 0;
    tries < 300 &&
    !(
      existsSync(join(hub.env['DATA_DIR'] ?? '', 'search')) &&
      readdirSync(join(hub.env['DATA_DIR'] ?? '', 'search')).some((name) => name.endsWith('.json'))
    );
    tries += 1
  )
    await new Promise((resolve) => setTimeout(resolve, 200));
  const queries = [
    'flesel',
    'fl%C3%A9ssel',
    'laura%20fles',
    'usain',
    'bolt',
    'michael%20ph',
    'na',
    'j',
    'simone%20biles',
    'kipchoge',
    'martin%20f',
    'zatopek',
    'ledeki',
    'riner%20te',
    'smith',
    'anna%20k',
  ];
  let at = 0;
  const shot = (): Shot => {
    at += 1;
    return { path: `/api/v1/athletes?q=${queries[at % queries.length] ?? ''}&limit=20` };
  };
  await open(hub.url, 50, 2, shot);
  row(
    'search over the directory at 100 a second',
    text(await open(hub.url, 100, 8, shot)),
    '',
    'p99 50 / 20 ms',
  );
}

const dir = mkdtempSync(join(tmpdir(), 'village-bench-'));
const services: Service[] = [];
const children: ChildProcess[] = [];
const stopped = new AbortController();
const stop = async (): Promise<void> => {
  stopped.abort();
  await Promise.all(children.map((child) => end(child.pid ?? 0)));
  await Promise.all(services.map((one) => one.stop()));
  rmSync(dir, { recursive: true, force: true });
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    void stop().finally(() => process.exit(1));
  });
try {
  const rust = onPath('secantusd-rs');
  if (!process.env['MONGODB_URI'] && rust && !onPath('mongod')) {
    const port = await freePort();
    const child = await startServer({
      command: rust,
      args: [
        '--port',
        String(port),
        '--storage-path',
        join(dir, 'rs'),
        '--log-level',
        'ERROR',
        '--sync-on-commit',
      ],
      port,
      log: join(dir, 'rs.log'),
      signal: stopped.signal,
    });
    services.push(
      startedService(`mongodb://127.0.0.1:${port}/?directConnection=true`, 'secantusd-rs', child),
    );
  } else
    services.push(
      await startMongodb(join(dir, 'mongodb'), say, {
        given: process.env['MONGODB_URI'],
        signal: stopped.signal,
      }),
    );
  services.push(
    await startRedis(join(dir, 'redis'), say, {
      given: process.env['REDIS_URL'],
      signal: stopped.signal,
    }),
  );
  say(
    `store: ${services[0]?.kind ?? ''}, load before: ${loadavg()
      .map((one) => one.toFixed(2))
      .join(' ')}`,
  );
  const hub = await prepare(
    services[0]?.url ?? '',
    services[1]?.url ?? '',
    await freePort(),
    dir,
    STARS,
  );
  await hub.context.points.heal();
  const bare = await program('scripts/bench/bare.js', [], {});
  let web = await program('server/main.js', ['web'], hub.env);
  const bareUrl = bare.message.url ?? '';
  const pid = web.child.pid ?? 0;
  if (wanted('start'))
    row(
      'cold start of web, stores up',
      `${(web.ms / 1000).toFixed(2)} s`,
      `bare express ${(bare.ms / 1000).toFixed(2)} s`,
      '3 / 1.5 s',
    );
  if (wanted('awards')) await awards(hub, bareUrl);
  if (wanted('hundredth')) await hundredth(hub);
  if (wanted('link')) await firstLink(hub);
  if (wanted('pages')) await pages(hub, bareUrl, pid);
  if (wanted('chat')) await chats(hub, bareUrl, bare.child.pid ?? 0, web.child);
  if (wanted('storm'))
    await storm(hub, setting('sockets', 5000), bareUrl, async () => {
      await end(web.child.pid ?? 0);
      web = await program('server/main.js', ['web'], hub.env);
    });
  // An hour: only when it is asked for by name.
  if (only.includes('soak')) {
    const worker = await program('server/main.js', ['worker'], hub.env);
    await soak(hub, web.child.pid ?? 0, worker.child.pid ?? 0);
  }
  if (wanted('search')) await search(hub);
  if (wanted('boards')) await boards(hub);
  // By name only: it takes minutes.
  if (only.includes('burst'))
    await burst(hub, async () => {
      const { child } = await program('server/main.js', ['worker'], hub.env);
      return { pid: child.pid ?? 0, stop: () => end(child.pid ?? 0) };
    });
  const width = Math.max(...rows.map((one) => one.scenario.length));
  process.stdout.write(
    `\nstore ${services[0]?.kind ?? ''}, load now ${loadavg()[0]?.toFixed(2) ?? ''}\n${rows.map((one) => `${one.scenario.padEnd(width)} | ${one.figure} | ${one.bare} | ${one.goal}`).join('\n')}\n`,
  );
  writeFileSync(
    join(root, 'build', 'bench.json'),
    JSON.stringify(
      { at: new Date().toISOString(), store: services[0]?.kind, load: loadavg(), rows },
      null,
      1,
    ),
  );
  await hub.context.connection.dropDatabase().catch(() => undefined);
  await hub.context.close();
  await hub.sandbox.close();
} catch (error) {
  if (!stopped.signal.aborted)
    process.stderr.write(
      `bench: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
  process.exitCode = 1;
}
await stop();
process.exit();
