import { expect } from 'chai';
import { execa } from 'execa';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { givenService, type Service } from '../../scripts/services/process.js';
import { startRedis } from '../../scripts/services/redis.js';
import { keepStores, startStores } from '../../scripts/services/stores.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

/**
 * What `npm start` does for a store of ours that has stopped taking anything in (RELIABILITY F17).
 */
describe('a store that stands still after its disk was full', function () {
  this.timeout(60_000);
  const dir = mkdtempSync(join(tmpdir(), 'village-standstill-'));
  const stopped = new AbortController();
  const said: string[] = [];
  let stores: { mongodb: Service; redis: Service };
  let keeping: Promise<void>;
  let world: World;
  let token: string;
  let room = false;
  let asked = 0;
  const follow = (athlete: string): ReturnType<World['api']> =>
    world.api(`/athletes/${athlete}/follow`, { method: 'POST', token, body: { network: 'x' } });

  before(async () => {
    // Stores of our own, kept as npm start keeps its own; only its disk is ours to fill.
    const { MONGODB_URI, REDIS_URL } = process.env;
    delete process.env['MONGODB_URI'];
    delete process.env['REDIS_URL'];
    stores = await startStores(dir, () => undefined);
    Object.assign(process.env, { MONGODB_URI, REDIS_URL });
    keeping = keepStores(dir, stores, {
      say: (line) => said.push(line),
      signal: stopped.signal,
      replaced: (old, now) => {
        stores = old === stores.mongodb ? { ...stores, mongodb: now } : { ...stores, redis: now };
      },
      beatMs: 50,
      room: () => {
        asked += 1;
        return room;
      },
    });
    world = await startWorld({
      card: 'hub',
      stores: { mongodb: stores.mongodb.url, redis: stores.redis.url },
    });
    await world.athletes();
    for (const athlete of ['athlete1', 'athlete2']) await world.verify(athlete, 'x');
    ({ token } = await world.fan('ann'));
  });
  after(async () => {
    await world.close();
    stopped.abort();
    await keeping;
    await Promise.all([stores.mongodb.stop(), stores.redis.stop()]);
    rmSync(dir, { recursive: true, force: true });
  });

  it(
    'is left alone while the disk is full, and is started anew by itself once it ' +
      'has room; what was acknowledged holds',
    async () => {
      const first = stores.mongodb;
      expect((await follow('athlete1')).body).to.include({ verdict: 'yes', awarded: 1 });
      expect(asked, 'a store that writes is not asked for its disk').to.equal(0);
      await execa('prlimit', ['--pid', String(first.pid), '--fsize=4096:']);
      expect((await follow('athlete2')).status).to.equal(503);
      await until(() => asked > 5);
      expect([said, stores.mongodb === first]).to.deep.equal([[], true]);
      // There is room again, and still it writes nothing: WiredTiger has given up for good.
      await execa('prlimit', ['--pid', String(first.pid), '--fsize=unlimited:unlimited']);
      room = true;
      await until(() => stores.mongodb !== first);
      await until(async () => (await fetch(`${world.url}/readyz`)).status === 200);
      expect(said).to.deep.equal([
        'MongoDB refuses to write though the disk has room: it is started anew',
        'MongoDB ended, starting it again',
      ]);
      expect((await follow('athlete1')).body).to.include({ verdict: 'yes', awarded: 0 });
      expect((await follow('athlete2')).body).to.include({ verdict: 'yes', awarded: 1, points: 2 });
      expect((await world.context.points.verify()).bad).to.equal(null);
    },
  );
});

describe('a store that is killed while all is being stopped', function () {
  this.timeout(30_000);
  it('is not started again', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'village-stopping-'));
    const stopped = new AbortController();
    const redis = await startRedis(join(dir, 'redis'), () => undefined);
    const replaced: Service[] = [];
    const keeping = keepStores(
      dir,
      { mongodb: givenService('mongodb://elsewhere'), redis },
      { say: () => undefined, signal: stopped.signal, replaced: (_old, now) => replaced.push(now) },
    );
    process.kill(redis.pid ?? 0, 'SIGKILL');
    stopped.abort();
    await keeping;
    await redis.ended;
    expect(replaced).to.deep.equal([]);
    rmSync(dir, { recursive: true, force: true });
  });
});
