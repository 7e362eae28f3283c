import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endById, freePort, type Service } from '../../scripts/services/process.js';
import { startRedis } from '../../scripts/services/redis.js';
import { createApp } from '../../server/app.js';
import { readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import { createAppServer } from '../../server/platform/server.js';
import { pino } from 'pino';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { request, type IncomingMessage, type Server } from 'node:http';
import { startWorld, type World } from '../support/world.js';
import { until } from '../support/until.js';

const ROUNDS = 20;

/**
 * Sign-out is final, whatever else the same cookie is doing at that moment, and whatever befalls
 * Redis (RELIABILITY S4, F13).
 */
describe('sign-out', function () {
  this.timeout(120_000);
  let dir: string;
  let port: number;
  let redis: Service;
  let world: World;
  let second: { context: Context; server: Server; url: string };
  const quiet = (): undefined => undefined;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'village-redis-'));
    port = await freePort();
    // A Redis of our own, because this test kills and stops it.
    redis = await startRedis(dir, quiet, { port });
    world = await startWorld({ stores: { redis: redis.url } });
    await world.fan('fan2');
    // Another web process on the same stores; the host it is asked by is the hub's.
    const context = await createContext(readConfig(world.env), 'second', {
      log: pino({ level: 'silent' }),
      clock: world.clock,
      search: false,
      limitScale: 1000,
    });
    const { server, serve } = createAppServer();
    serve(createApp(context));
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    second = { context, server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  });
  after(async () => {
    second.server.closeAllConnections();
    second.server.close();
    await second.context.close();
    await world.close();
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /**
   * Whether this cookie is somebody, as the API of a process tells; asked by the hub's own host
   * name, whichever process it is.
   */
  const isSomebody = async (cookie: string, at = world.url): Promise<boolean> => {
    const { host } = new URL(world.url);
    const asked = request(`${at}/api/v1/me`, { headers: { cookie, host } }).end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.resume();
    // Anything but a clear no leaves it open who they are.
    return answer.statusCode !== 401;
  };
  /**
   * A signed-in browser that signs out while three sign-ins of the same cookie are under way;
   * answers that cookie.
   */
  async function leaveInACrowd(): Promise<{ cookie: string; statuses: number[] }> {
    const browser = world.browser();
    await browser.signIn('x', 'fan2');
    const page = await browser.go('/en/me');
    const { cookie } = browser;
    expect(await isSomebody(cookie)).to.equal(true);
    const csrf = browser.form(page.text, '/sign-out').get('csrf') ?? '';
    const post = (path: string): Promise<number> =>
      fetch(`${world.url}${path}`, {
        method: 'POST',
        redirect: 'manual',
        headers: {
          cookie,
          'sec-fetch-site': 'same-origin',
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: new URLSearchParams({ csrf }),
      }).then(({ status }) => status);
    const statuses = await Promise.all([
      post('/en/sign-in/x'),
      post('/en/sign-in/x'),
      post('/en/sign-out'),
      post('/en/sign-in/x'),
    ]);
    expect(statuses[2], 'the sign-out itself').to.equal(303);
    return { cookie, statuses };
  }

  it(`is not undone by sign-ins of the same cookie in flight, in ${ROUNDS} rounds`, async () => {
    const back: string[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const { cookie, statuses } = await leaveInACrowd();
      expect(Math.max(...statuses)).to.be.lessThan(500);
      for (let again = 0; again < 3; again += 1)
        if (await isSomebody(cookie)) back.push(`${round}: ${statuses.join()}`);
    }
    expect(back).to.deep.equal([]);
  });

  for (const [how, away, home] of [
    [
      'was killed',
      async () => {
        process.kill(redis.pid ?? 0, 'SIGKILL');
        await endById(redis.pid ?? 0);
      },
      async () => {
        redis = await startRedis(dir, quiet, { port });
      },
    ],
    [
      'hangs',
      () => {
        process.kill(redis.pid ?? 0, 'SIGSTOP');
      },
      () => {
        process.kill(redis.pid ?? 0, 'SIGCONT');
      },
    ],
  ] as const)
    it(
      `is final while Redis ${how}, and when it is back with its old copies, in ` + 'every process',
      async () => {
        const browser = world.browser();
        await browser.signIn('x', 'fan2');
        const page = await browser.go('/en/me');
        const { cookie } = browser;
        const body = browser.form(page.text, '/sign-out');
        expect([await isSomebody(cookie), await isSomebody(cookie, second.url)]).to.deep.equal([
          true,
          true,
        ]);
        await away();
        try {
          expect((await browser.send('/en/sign-out', { method: 'POST', body })).status).to.equal(
            303,
          );
          expect(await isSomebody(cookie)).to.equal(false);
          // The other process heard no news: what it knows of the fan is five seconds old at most.
          await until(async () => !(await isSomebody(cookie, second.url)));
        } finally {
          await home();
        }
        await until(() =>
          world.context.redis.commands.ping().then(
            () => true,
            () => false,
          ),
        );
        await until(() =>
          second.context.redis.commands.ping().then(
            () => true,
            () => false,
          ),
        );
        for (const at of [world.url, second.url])
          expect(await isSomebody(cookie, at)).to.equal(false);
        const { cookie: crowd } = await leaveInACrowd();
        expect(await isSomebody(crowd)).to.equal(false);
      },
    );
});
