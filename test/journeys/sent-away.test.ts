import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import { launch } from '../support/chromium.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

describe('a page whose connection the hub has ended', function () {
  this.timeout(120_000);
  let browser: Browser;
  let world: World;
  before(async () => {
    browser = await launch();
    world = await startWorld({ sockets: true });
    await world.athletes();
  });
  after(async () => {
    await browser.close();
    await world.close();
  });

  it('asks once more while it is looked at, and hears again', async () => {
    const visitor = world.browser();
    await visitor.welcome((await visitor.signIn('x', 'fan3')).text, {});
    const fan = (await world.context.fans.resolve('x:fan3'))?._id ?? '';
    const context = await browser.newContext({ locale: 'en' });
    await context.addCookies(visitor.kept);
    const page = await context.newPage();
    await page.goto(`${world.url}/en`);
    const seats = (): Promise<string[]> =>
      world.context.redis.commands.zrange(`${world.context.redis.prefix}seats:${fan}`, '0', '-1');
    await until(async () => (await seats()).length === 1);
    const first = await seats();
    world.context.bus.tell('sockets:crowded', { fan, seats: first });
    await until(async () => (await seats()).some((seat) => !first.includes(seat)));
    expect(await seats()).to.have.length(1);
    world.context.bus.tell('points:moved', {
      moves: [
        {
          fan,
          seq: 1,
          items: [{ deed: 'd', athlete: 'a', delta: 1 }],
          points: 1234,
          medals: { before: {}, after: {} },
        },
      ],
    });
    await page.getByText('1 234').first().waitFor();
    await context.close();
  });
});
