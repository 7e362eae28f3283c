import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMongodb } from '../../scripts/services/mongodb.js';
import { freePort, type Service } from '../../scripts/services/process.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

/**
 * A store that takes commands and says nothing: its driver waits for seconds at each, we do not
 * (RELIABILITY F3).
 */
describe('a store that hangs', function () {
  this.timeout(60_000);
  const dir = mkdtempSync(join(tmpdir(), 'village-hang-'));
  let store: Service;
  let world: World;
  let token: string;

  before(async () => {
    // A store of our own, because this test stops it.
    store = await startMongodb(join(dir, 'mongodb'), () => undefined, { port: await freePort() });
    world = await startWorld({ card: 'hub', stores: { mongodb: store.url } });
    await world.athletes();
    await world.verify('athlete1', 'x');
    ({ token } = await world.fan('ann'));
  });
  after(async () => {
    process.kill(store.pid ?? 0, 'SIGCONT');
    await world.close();
    await store.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it(
    'makes pages and JSON answer 503 with the time to come back, and all is as ' +
      'before when it goes on',
    async () => {
      await world.fan('fan1');
      const browser = world.browser();
      await browser.signIn('x', 'fan1');
      process.kill(store.pid ?? 0, 'SIGSTOP');
      // A signed-in page reads four times, each of which would wait for itself.
      const [page, me, follow] = await Promise.all([
        browser.go('/en/me'),
        world.api('/me', { token }),
        world.api('/athletes/athlete1/follow', { method: 'POST', token, body: { network: 'x' } }),
      ]);
      expect([page.status, /One moment/.test(page.text)]).to.deep.equal([503, true]);
      for (const answer of [me, follow])
        expect([answer.status, answer.body['id'], answer.headers.get('retry-after')]).to.deep.equal(
          [503, 'unavailable', '2'],
        );
      expect((await fetch(`${world.url}/healthz`)).status).to.equal(200);
      process.kill(store.pid ?? 0, 'SIGCONT');
      await until(async () => (await fetch(`${world.url}/readyz`)).status === 200);
      await until(
        async () =>
          (
            await world.api('/athletes/athlete1/follow', {
              method: 'POST',
              token,
              body: { network: 'x' },
            })
          ).body['verdict'] === 'yes',
      );
      expect((await browser.go('/en/me')).status).to.equal(200);
      expect((await world.api('/me', { token })).body).to.include({ points: 1 });
    },
  );
});
