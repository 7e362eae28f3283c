/**
 * `npm run bench`: each scenario of DESIGN 8 against real services, beside the bare limit of the
 * same run. Writes build/bench.json.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { boards } from './bench/boards.js';
import { burst } from './bench/burst.js';
import { awards, firstLink } from './bench/follows.js';
import { prepare } from './bench/hub.js';
import { hundredth } from './bench/hundredth.js';
import { readOptions } from './bench/options.js';
import { pages } from './bench/pages.js';
import { Processes, type Measured } from './bench/processes.js';
import { chats } from './bench/rooms.js';
import { search } from './bench/search.js';
import { soak } from './bench/soak.js';
import { startBenchStores } from './bench/stores.js';
import { storm } from './bench/storm.js';
import { row, rows, say } from './bench/table.js';
import { root } from './root.js';
import { freePort, type Service } from './services/process.js';

const { isWanted, sizes, profile } = readOptions(process.argv.slice(2));
const dir = mkdtempSync(join(tmpdir(), 'village-bench-'));
const services: Service[] = [];
const processes = new Processes(profile);
const stopped = new AbortController();

async function stop(): Promise<void> {
  stopped.abort();
  await processes.stop();
  await Promise.all(services.map((service) => service.stop()));
  rmSync(dir, { recursive: true, force: true });
}

/** Runs the scenarios that are wanted, in an order in which none spoils the figures of the next. */
async function runScenarios(mongodb: string, redis: string): Promise<void> {
  const hub = await prepare({ mongodb, redis, port: await freePort(), dataDir: dir, sizes });
  await hub.context.points.heal();
  const startRole = (role: 'web' | 'worker'): Promise<Measured> =>
    processes.start('server/main.js', [role], hub.env);
  const bare = await processes.start('scripts/bench/bare.js', [], {});
  let web = await startRole('web');
  if (isWanted('start'))
    row(
      'cold start of web, stores up',
      `${(web.ms / 1000).toFixed(2)} s`,
      `bare express ${(bare.ms / 1000).toFixed(2)} s`,
      '3 / 1.5 s',
    );
  if (isWanted('awards')) await awards(hub, bare.url);
  if (isWanted('hundredth')) await hundredth(hub);
  if (isWanted('link')) await firstLink(hub);
  if (isWanted('pages')) await pages(hub, bare.url, web.child.pid);
  if (isWanted('chat')) await chats(hub, bare, web.child);
  if (isWanted('storm'))
    await storm(hub, bare.url, async () => {
      await web.child.stop();
      web = await startRole('web');
    });
  if (isWanted('soak')) {
    const worker = await startRole('worker');
    await soak(hub, web.child.pid, worker.child.pid);
  }
  if (isWanted('search')) await search(hub);
  if (isWanted('boards')) await boards(hub);
  if (isWanted('burst')) await burst(hub, async () => (await startRole('worker')).child);
  await hub.context.connection.dropDatabase().catch(() => undefined);
  await hub.context.close();
  await hub.sandbox.close();
}

/** Prints the table and writes it to build/bench.json. */
function report(store: string): void {
  const width = Math.max(...rows.map(({ scenario }) => scenario.length));
  const lines = rows.map(({ scenario, figure, bare, goal }) =>
    [scenario.padEnd(width), figure, bare, goal].join(' | '),
  );
  const load = loadavg();
  const head = `store ${store}, load now ${load[0]?.toFixed(2) ?? ''}`;
  process.stdout.write(`\n${head}\n${lines.join('\n')}\n`);
  const run = { at: new Date().toISOString(), store, load, rows };
  writeFileSync(join(root, 'build', 'bench.json'), JSON.stringify(run, null, 1));
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    void stop().finally(() => process.exit(1));
  });
try {
  const { mongodb, redis } = await startBenchStores(dir, services, stopped.signal);
  const before = loadavg().map((load) => load.toFixed(2));
  say(`store: ${mongodb.kind}, load before: ${before.join(' ')}`);
  await runScenarios(mongodb.url, redis.url);
  report(mongodb.kind);
} catch (error) {
  if (!stopped.signal.aborted)
    process.stderr.write(
      `bench: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
  process.exitCode = 1;
}
await stop();
process.exit();
