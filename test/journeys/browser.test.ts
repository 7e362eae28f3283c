import { expect } from 'chai';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { root } from '../../scripts/root.js';
import { launch, testBrowser } from '../support/chromium.js';

/**
 * The browser of the tests is the same on every machine, and keeps the rules that pages live under.
 */
describe('the browser of the tests', function () {
  this.timeout(60_000);
  const dir = mkdtempSync(join(tmpdir(), 'village-browser-'));
  const servers: Server[] = [];
  let browser: Browser;
  const origin = async (): Promise<string> => {
    const server = createServer((_req, res) =>
      res.setHeader('content-type', 'text/html').end('<title>there</title>'),
    );
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  before(async () => {
    browser = await launch();
  });
  after(async () => {
    await browser.close();
    for (const server of servers) server.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it(
    'is the carried one whatever is on PATH, and another one only when ' +
      'VILLAGE_BROWSER names it',
    async () => {
      const other = join(dir, 'chromium');
      writeFileSync(other, '#!/bin/sh\nexit 1\n');
      chmodSync(other, 0o755);
      const carried = await testBrowser({ PATH: dir });
      expect(carried.kind).to.equal('carried');
      expect(carried.program.startsWith(join(root, '.services', 'browser-'))).to.equal(true);
      expect(await testBrowser({ PATH: dir, VILLAGE_BROWSER: other })).to.include({
        kind: 'set',
        program: other,
      });
      const nothing = await testBrowser({ VILLAGE_BROWSER: join(dir, 'nothing') }).catch(
        (error: unknown) => String(error),
      );
      expect(nothing).to.contain(
        `VILLAGE_BROWSER names ${join(dir, 'nothing')}, and there is no such program`,
      );
    },
  );

  it('outlives the contexts in it', async () => {
    for (const word of ['first', 'second', 'third']) {
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(`data:text/html,<h1>${word}</h1>`);
      expect(await page.textContent('h1')).to.equal(word);
      await context.close();
    }
    expect(browser.isConnected()).to.equal(true);
  });

  it('lets no page read another origin', async () => {
    const [here, there] = [await origin(), await origin()];
    const page = await browser.newPage();
    await page.goto(here);
    const reads = (url: string): Promise<string> =>
      page.evaluate(
        `fetch(${JSON.stringify(url)}).then((answer) => answer.text(), () => 'refused')`,
      );
    expect(await reads(here)).to.contain('there');
    expect(await reads(there)).to.equal('refused');
    await page.close();
  });
});
