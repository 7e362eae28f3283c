import { expect } from 'chai';
import { execa } from 'execa';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMongodb } from '../../scripts/services/mongodb.js';
import { freePort, type Service } from '../../scripts/services/process.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

/**
 * A store that cannot write: nothing is half done, everybody is told to come back (RELIABILITY
 * F17).
 */
describe('a store whose disk is full', function () {
  this.timeout(60_000);
  const dir = mkdtempSync(join(tmpdir(), 'village-full-'));
  let port: number;
  let store: Service;
  let world: World;
  let token: string;
  const start = (): Promise<Service> =>
    startMongodb(join(dir, 'mongodb'), () => undefined, { port });
  const follow = (athlete: string): ReturnType<World['api']> =>
    world.api(`/athletes/${athlete}/follow`, { method: 'POST', token, body: { network: 'x' } });

  before(async () => {
    port = await freePort();
    // A store of our own, because this test takes its room away.
    store = await start();
    world = await startWorld({ card: 'hub', stores: { mongodb: store.url } });
    await world.athletes();
    for (let n = 1; n <= 4; n += 1) await world.verify(`athlete${n}`, 'x');
    ({ token } = await world.fan('ann'));
  });
  after(async () => {
    await world.close();
    await store.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it(
    'makes the hub answer 503, and holds all that was acknowledged and nothing ' +
      'else when there is room again',
    async () => {
      expect((await follow('athlete1')).body).to.include({ verdict: 'yes', awarded: 1 });
      // What a full disk is to a server: no file may grow.
      await execa('prlimit', ['--pid', String(store.pid), '--fsize=4096:']);
      for (const athlete of ['athlete2', 'athlete3']) {
        const refused = await follow(athlete);
        expect([
          refused.status,
          refused.body['id'],
          refused.headers.get('retry-after'),
        ]).to.deep.equal([503, 'unavailable', '2']);
      }
      const page = await fetch(`${world.url}/en/athletes/athlete4`);
      expect([page.status, /One moment/.test(await page.text())]).to.deep.equal([503, true]);
      expect((await fetch(`${world.url}/readyz`)).status).to.equal(503);
      // A server that could not write its log stands still until it is started anew.
      process.kill(store.pid ?? 0, 'SIGKILL');
      await store.ended;
      store = await start();
      await until(async () => (await fetch(`${world.url}/readyz`)).status === 200);
      expect((await follow('athlete1')).body).to.include({ verdict: 'yes', awarded: 0 });
      expect((await follow('athlete2')).body).to.include({ verdict: 'yes' });
      expect((await follow('athlete4')).body).to.include({ verdict: 'yes', awarded: 1 });
      const entries = await world.context.connection.collection('entries').find().toArray();
      expect(
        new Set(entries.map((entry) => String(entry['deed']))).size,
        'nothing doubled',
      ).to.equal(entries.length);
      expect((await world.context.points.verify()).bad).to.equal(null);
    },
  );
});
