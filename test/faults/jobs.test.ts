import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProgram, type Program } from '../../scripts/program.js';
import { root } from '../../scripts/root.js';
import { startMongodb } from '../../scripts/services/mongodb.js';
import { endById, freePort, type Service } from '../../scripts/services/process.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

/**
 * Jobs are in MongoDB and nowhere else: whoever dies, each is done at least once (DESIGN 5,
 * RELIABILITY F1, F4, F6).
 */
describe('jobs of workers that are killed', function () {
  this.timeout(120_000);
  let dir: string;
  let port: number;
  let store: Service;
  let world: World;
  const open = new Set<Program>();
  const quiet = (): undefined => undefined;
  const numbers = (many: number): number[] => Array.from({ length: many }, (_x, n) => n);

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'village-jobs-'));
    port = await freePort();
    // A store of our own, because this test kills it.
    store = await startMongodb(join(dir, 'mongodb'), quiet, { port });
    world = await startWorld({ stores: { mongodb: store.url } });
    world.context.jobs.handle('effect', {}, async ({ n }: { n: number }) => {
      await effects().insertOne({ n, by: process.pid });
      return null;
    });
  });
  beforeEach(() => Promise.all([effects().deleteMany({}), jobs().deleteMany({})]));
  afterEach(() => {
    for (const child of open) void child.stop('SIGKILL');
    open.clear();
  });
  after(async () => {
    await world.close();
    await store.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const effects = () => world.context.connection.collection<{ n: number; by: number }>('effects');
  const jobs = () => world.context.connection.collection('jobs');
  const done = (): Promise<number> => effects().countDocuments();
  const distinct = async (): Promise<number[]> =>
    [...new Set((await effects().find().toArray()).map((effect) => effect.n))].sort(
      (a, b) => a - b,
    );
  const ask = (many: number): Promise<void> =>
    world.context.jobs.addMany(
      'effect',
      numbers(many).map((n) => ({ name: String(n), payload: { n } })),
    );
  /** What the dead had in hand is taken over when their leases are over, and done here. */
  async function takeOver(): Promise<void> {
    world.clock.advance(61_000);
    await world.context.jobs.drain();
    // The workers live by the machine's clock.
    world.clock.advance(-61_000);
  }
  async function worker(): Promise<Program> {
    const script = join(root, 'test', 'support', 'job-worker.ts');
    const child = startProgram(process.execPath, ['--import', 'tsx/esm', script], {
      env: { ...process.env, ...world.env, NODE_V8_COVERAGE: '' },
      stdout: 'inherit',
      stderr: 'inherit',
      ipc: true,
    });
    open.add(child);
    await child.message('ready');
    return child;
  }
  const gone = async (child: Program, signal: NodeJS.Signals): Promise<void> => {
    await child.stop(signal);
    open.delete(child);
  };

  it('are all done at least once, and only those that were in hand are done twice', async () => {
    const KILLS = 3;
    await ask(300);
    for (let kills = 0; kills < KILLS; kills += 1) {
      const [victim, before] = [await worker(), await done()];
      await until(async () => (await done()) >= before + 20);
      await gone(victim, 'SIGKILL');
    }
    expect(
      await jobs().countDocuments({ holder: { $ne: null } }),
      'left in hand by the dead',
    ).to.be.within(1, KILLS * 4);
    await takeOver();
    expect(await distinct()).to.deep.equal(numbers(300));
    expect((await done()) - 300).to.be.within(0, KILLS * 4);
    expect(await jobs().countDocuments()).to.equal(0);
  });

  it('go on while the store is killed and comes back, and while Redis is emptied', async () => {
    await ask(200);
    await Promise.all([worker(), worker()]);
    await until(async () => (await done()) >= 20);
    process.kill(store.pid ?? 0, 'SIGKILL');
    await endById(store.pid ?? 0);
    store = await startMongodb(join(dir, 'mongodb'), quiet, { port });
    await until(async () => (await done().catch(() => 0)) >= 60);
    await world.context.redis.commands.flushall();
    // Those whose end could not be stored come again when their lease is over.
    await until(async () => (await jobs().countDocuments({ holder: null })) === 0);
    await takeOver();
    expect(await distinct()).to.deep.equal(numbers(200));
    expect(await jobs().countDocuments()).to.equal(0);
  });

  it('do not keep a worker that is told to end while the store is away', async () => {
    await ask(50);
    const leaver = await worker();
    await until(async () => (await done()) >= 4);
    process.kill(store.pid ?? 0, 'SIGKILL');
    await endById(store.pid ?? 0);
    const { code } = await leaver.stop();
    store = await startMongodb(join(dir, 'mongodb'), quiet, { port });
    expect(code).to.equal(0);
  });
});
