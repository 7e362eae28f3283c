import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../scripts/root.js';
import { marked, plainEnv, StartedHub } from '../support/start.js';
import { until } from '../support/until.js';

const STORES = [/secantus|mongod/, /valkey-server|redis-server/];

/** Nothing survives its starter, however the starter went. */
describe('a program that is interrupted', function () {
  this.timeout(120_000);
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'village-starter-'));
    writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  });
  after(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  /**
   * Runs `npm run …`, waits until all of these are there, sends the signal to npm or to what npm
   * started, and waits until nothing is left.
   */
  async function interrupted(
    args: string[],
    needed: RegExp[],
    signal: NodeJS.Signals,
    whom: 'npm' | 'starter',
  ): Promise<void> {
    const mark = randomBytes(8).toString('hex');
    const npm = spawn('npm', ['run', ...args], {
      cwd: root,
      env: plainEnv({ MARK_OF_TEST: mark, TMPDIR: dir }),
      stdio: 'ignore',
      detached: true,
    });
    const left = (): ReturnType<typeof marked> => marked('MARK_OF_TEST', mark);
    const find = (call: RegExp): number => left().find((each) => call.test(each.call))?.pid ?? 0;
    try {
      await until(() => {
        if (npm.exitCode !== null)
          throw new Error(`npm run ${args.join(' ')} ended with ${npm.exitCode}`);
        return needed.every((call) => find(call) > 0);
      });
      process.kill(whom === 'npm' ? (npm.pid ?? 0) : find(/^node scripts\/run\.mjs/), signal);
      await until(() => left().length === 0);
    } finally {
      for (const { pid } of left()) process.kill(pid, 'SIGKILL');
    }
  }

  // A scenario that takes an hour: what is gone after that did not end by itself.
  const bench = ['bench', '--', 'soak', '--rate=1', '--connects=1', '--soakers=20'];
  const measuring = [...STORES, /bench\/bare\.js/, /server\/main\.js web/];
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const)
    it(`leaves nothing running: npm run bench, by ${signal}`, () =>
      interrupted(bench, measuring, signal, 'starter'));
  it('leaves nothing running: npm run bench while its stores start, by SIGTERM', () =>
    interrupted(bench, [/valkey-server|redis-server/], 'SIGTERM', 'starter'));
  it('leaves nothing running: npm run bench, when npm itself is killed outright', () =>
    interrupted(bench, measuring, 'SIGKILL', 'npm'));
  // A terminal interrupts everybody; a service manager or a script only whom it started.
  it('leaves nothing running: npm run bench, by SIGINT to npm alone', () =>
    interrupted(bench, measuring, 'SIGINT', 'npm'));

  for (const signal of ['SIGTERM', 'SIGKILL'] as const)
    it(
      'leaves nothing running: npm test, with the stores and the browser that a ' +
        `test started by itself, by ${signal}`,
      async () => {
        const file = join(dir, `${signal}.test.ts`);
        const path = (...parts: string[]): string => JSON.stringify(join(root, ...parts));
        writeFileSync(
          file,
          `import { startRedis } from ${path('scripts', 'services', 'redis.ts')};
         import { launch } from ${path('test', 'support', 'chromium.ts')};
         it('goes on for ever', async function () {
           this.timeout(0);
           await launch();
           await startRedis(${JSON.stringify(join(dir, 'own-redis'))}, () => undefined);
           await new Promise(() => undefined);
         });\n`,
        );
        await interrupted(
          ['test', '--', file],
          [...STORES, /chromium/, /own-redis/],
          signal,
          'starter',
        );
      },
    );

  it(
    'leaves nothing running: npm start that is stopped ' + 'while it starts its dead stores again',
    async () => {
      const mark = randomBytes(8).toString('hex');
      const hub = await new StartedHub().prepare();
      hub.env['MARK_OF_TEST'] = mark;
      await hub.start();
      const stores = (): { pid: number }[] =>
        marked('MARK_OF_TEST', mark).filter(({ call }) => STORES.some((store) => store.test(call)));
      const first = stores().map(({ pid }) => pid);
      for (const pid of first) process.kill(pid, 'SIGKILL');
      // Some are under way again, and answer nothing yet.
      await until(() => stores().some(({ pid }) => !first.includes(pid)));
      const { code } = await hub.end('SIGINT');
      expect([first.length, code, marked('MARK_OF_TEST', mark)]).to.deep.equal([2, 0, []]);
      hub.remove();
    },
  );

  it('is noticed by its mark, and is still there until then', async () => {
    const mark = randomBytes(8).toString('hex');
    const child = spawn('sleep', ['3600'], {
      env: { ...process.env, MARK_OF_TEST: mark },
      stdio: 'ignore',
    });
    await until(() => marked('MARK_OF_TEST', mark).length === 1);
    child.kill('SIGKILL');
    await until(() => marked('MARK_OF_TEST', mark).length === 0);
    expect(child.killed).to.equal(true);
  });
});
