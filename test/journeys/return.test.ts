import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { launch } from '../support/chromium.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

/**
 * How browsers tell that somebody leaves and comes back; a headless one shows every page as if it
 * had the focus, so the events are sent to it.
 */
const SEE = (state: 'hidden' | 'visible'): string =>
  `Object.defineProperty(document, 'visibilityState', { value: '${state}', ` +
  'configurable: true }); document.dispatchEvent(new ' +
  `Event('visibilitychange'));`;
const BLUR = `window.dispatchEvent(new Event('blur'));`;
const FOCUS = `window.dispatchEvent(new Event('focus'));`;
const HIDE = `window.dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }));`;
const SHOW = `window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));`;

describe('coming back from a network', function () {
  this.timeout(60_000);
  let browser: Browser;
  let world: World;
  before(async () => {
    browser = await launch();
    world = await startWorld();
    await world.athletes();
    await world.verify('athlete1', 'x');
  });
  after(async () => {
    await browser.close();
    await world.close();
  });

  const person = (handle: string) => {
    const found = world.sandbox.world.person(handle);
    if (!found) throw new Error(handle);
    return found;
  };
  /** A fan on the page of athlete1, with what the page has asked so far. */
  const visit = async (
    handle: string,
  ): Promise<{
    context: BrowserContext;
    page: Page;
    asked: () => number;
    open: () => Promise<void>;
  }> => {
    await world.fan(handle);
    const plain = world.browser();
    await plain.signIn('x', handle);
    const context = await browser.newContext({ locale: 'en' });
    await context.addCookies(plain.kept);
    const page = await context.newPage();
    let count = 0;
    page.on('request', (request) => {
      if (request.method() === 'POST' && request.url().includes('/athletes/athlete1/follow'))
        count += 1;
    });
    await page.goto(`${world.url}/en/athletes/athlete1`);
    const open = async (): Promise<void> => {
      const [popup] = await Promise.all([
        context.waitForEvent('page'),
        page.locator('[data-open]').click(),
      ]);
      await popup.close();
    };
    return { context, page, asked: () => count, open };
  };
  const followed = (page: Page) => page.getByText('Following on X').waitFor();

  for (const [handle, how, leaving, returning] of [
    ['w1', 'from a second window or the other half of the screen, which hide nothing', BLUR, FOCUS],
    [
      'w2',
      'from another tab, told by three events',
      BLUR + SEE('hidden'),
      SEE('visible') + FOCUS + SHOW,
    ],
    [
      'w3',
      'from an app that covers the page and says so only at the end',
      SEE('hidden'),
      FOCUS.replace('window', SEE('visible') + 'window'),
    ],
    ['w4', 'to a page that was kept in memory', HIDE, SHOW],
  ] as const)
    it(`asks once: ${how}`, async () => {
      const { context, page, asked, open } = await visit(handle);
      await open();
      await page.evaluate(leaving);
      world.sandbox.world.relate('x', person(handle), person('athlete1'), true);
      expect(asked()).to.equal(0);
      await page.evaluate(returning);
      await followed(page);
      await page.evaluate(FOCUS + SHOW + BLUR + FOCUS);
      // What another asking would have sent is sent before this answer is.
      await page.evaluate(`fetch('/healthz')`);
      expect(asked()).to.equal(1);
      await context.close();
    });

  it('asks once, also where the device threw the page away meanwhile', async () => {
    const { context, page, asked, open } = await visit('w5');
    await open();
    world.sandbox.world.relate('x', person('w5'), person('athlete1'), true);
    await page.reload();
    await followed(page);
    expect(asked()).to.equal(1);
    await page.reload();
    await followed(page);
    expect(asked()).to.equal(1);
    await context.close();
  });

  it(
    'asks again at the next return while the answer was no, and nothing of those ' +
      'who never left',
    async () => {
      const { context, page, asked, open } = await visit('w6');
      await page.evaluate(BLUR + FOCUS + SHOW);
      await open();
      await page.evaluate(FOCUS + SHOW);
      await page.evaluate(`fetch('/healthz')`);
      expect(asked(), 'before anybody left').to.equal(0);
      await page.evaluate(BLUR + FOCUS);
      await until(() => asked() > 0);
      await page.locator('#status').filter({ hasText: /./ }).waitFor();
      const before = asked();
      world.sandbox.world.relate('x', person('w6'), person('athlete1'), true);
      await page.evaluate(BLUR + FOCUS);
      await followed(page);
      expect(asked()).to.equal(before + 1);
      await context.close();
    },
  );
});
