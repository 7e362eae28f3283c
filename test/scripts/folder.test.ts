import { expect } from 'chai';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../../server/config.js';
import { portsOf } from '../../scripts/env.js';
import { lockName, takeLock } from '../../scripts/lock.mjs';
import { listens, type Service } from '../../scripts/services/process.js';
import { startMongodb } from '../../scripts/services/mongodb.js';
import { startRedis } from '../../scripts/services/redis.js';
import { plainEnv, run, StartedHub } from '../support/start.js';
import { until } from '../support/until.js';

const ready = async (hub: StartedHub): Promise<number> =>
  (await fetch(`${hub.running.web.url}/readyz`)).status;
const quiet = (): undefined => undefined;

/** One process a data folder, for as long as it lives and no longer (scripts/folder.ts). */
describe('a data folder', function () {
  this.timeout(120_000);
  let hub: StartedHub;
  beforeEach(async () => {
    hub = await new StartedHub().prepare();
  });
  afterEach(async () => {
    await hub.end('SIGINT');
    hub.remove();
  });
  const files = (): string[] =>
    ['run.json', 'stores.json'].map((name) => readFileSync(join(hub.dir, name), 'utf8'));

  it(
    'has one hub of two that are started at once; the other says who runs where ' +
      'and touches nothing',
    async () => {
      const other = new StartedHub(hub);
      const both = [hub, other];
      const outcomes = await Promise.all(
        both.map((each) =>
          each.start().then(
            () => '',
            (error: unknown) => String(error),
          ),
        ),
      );
      const [winner, lost] = outcomes[0] === '' ? [hub, outcomes[1]] : [other, outcomes[0]];
      expect(outcomes.filter((each) => each === '')).to.have.length(1);
      const url = `http://127.0.0.1:${hub.env['PORT']}`;
      const line =
        `village: a hub runs on ${hub.dir} already (${url}, process ${winner.pid}, ` +
        'still starting). Stop it, or set DATA_DIR, PORT and SANDBOX_PORT for a ' +
        'second one.';
      expect(lost).to.contain(line);
      expect(await ready(hub)).to.equal(200);
      const before = files();
      const late = await run(['scripts/run.mjs', 'start'], hub.env);
      expect([late.code, late.out, late.errors]).to.deep.equal([
        1,
        '',
        `${line.replace(', still starting', '')}\n`,
      ]);
      expect(files()).to.deep.equal(before);
      expect(await ready(hub)).to.equal(200);
      await winner.end('SIGINT');
    },
  );

  it(
    'is given to the next start at once after kill -9 of its starter, also when a ' +
      'store was left running untied',
    async () => {
      // As kill -9 leaves them where nothing can tie them: stores on the folder, and nobody who holds
      // it.
      const left: Service[] = [
        await startMongodb(join(hub.dir, 'mongodb'), quiet),
        await startRedis(join(hub.dir, 'redis'), quiet),
      ];
      for (const name of ['run.json', 'stores.json'])
        writeFileSync(join(hub.dir, name), name === 'run.json' ? '' : '{"starter":');
      const first = await hub.start();
      for (const each of left) await each.ended;
      expect(await ready(first)).to.equal(200);
      await hub.end('SIGKILL');
      expect(await ready(await hub.start())).to.equal(200);
    },
  );

  it(
    'serves commands while no hub runs, two at a time, ' + 'while one starts, and after its end',
    async () => {
      const alone = await Promise.all([hub.hub('ledger', 'verify'), hub.hub('boards', 'rebuild')]);
      expect(
        alone.map(({ code, errors }) => [code, errors.replace(/^"npm run hub.*\n/, '')]),
      ).to.deep.equal([
        [0, ''],
        [0, ''],
      ]);
      expect(alone.map(({ errors }) => errors).join('')).to.match(
        /^"npm run hub -- (ledger verify|boards rebuild)" \(process \d+\) is at work here; waiting for it …\n$/,
      );
      const starting = hub.start();
      await until(() => existsSync(join(hub.dir, 'stores.json')));
      const during = await Promise.all([hub.hub('token', 'fan1'), hub.hub('token', 'fan2')]);
      await starting;
      expect(during.map(({ code, errors }) => (code === 0 ? '' : errors))).to.deep.equal(['', '']);
      await hub.end('SIGINT');
      const after = await hub.hub('ledger', 'verify');
      expect([after.code, after.errors]).to.deep.equal([0, '']);
    },
  );

  it('makes a start wait for the command that is at work there', async () => {
    const lock = await takeLock(lockName('data', hub.dir));
    lock?.tell({
      pid: process.pid,
      what: 'npm run hub -- import athletes',
      stays: false,
      state: 'open',
    });
    const said: string[] = [];
    const started = hub.start((out) => {
      if (said.length === 0 && out.includes('waiting')) void lock?.release();
      said.push(out);
    });
    expect(await ready(await started)).to.equal(200);
    expect(said.join('')).to.contain(
      `npm run hub -- import athletes (process ${process.pid}) has ${hub.dir}; ` +
        'waiting for its end …',
    );
  });

  it('tells in one line what is broken in it, and loses nothing by a guess', async () => {
    const file = join(hub.dir, 'secrets.json');
    for (const [text, what] of [
      ['', 'is empty'],
      ['{"SESSION_', 'is broken'],
      ['{}', 'is not complete'],
    ] as const) {
      writeFileSync(file, text);
      for (const program of text === '' ? [['start'], ['hub', 'ledger', 'verify']] : [['start']]) {
        const { code, errors } = await run(['scripts/run.mjs', ...program], hub.env);
        const line =
          `${file} ${what}. Put a copy of it back. Without one delete it: new secrets ` +
          'are made, and everybody signs in and links their networks anew.';
        expect([code, errors]).to.deep.equal([
          1,
          `village${program[0] === 'hub' ? ' hub' : ''}: ${line}\n`,
        ]);
      }
      expect(readFileSync(file, 'utf8')).to.equal(text);
    }
    rmSync(file);
    await hub.start();
    writeFileSync(join(hub.dir, 'run.json'), '');
    const { code, errors } = await hub.hub('ledger', 'verify');
    expect([code, errors]).to.deep.equal([
      1,
      `village hub: ${join(hub.dir, 'run.json')} is empty. Stop the hub that runs ` +
        'there and start it again: it writes the file anew.\n',
    ]);
  });
});

describe('ports that cannot be', function () {
  this.timeout(30_000);
  const dir = mkdtempSync(join(tmpdir(), 'village-ports-'));
  after(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const what = 'is no port (a whole number from 0 to 65535)';
  for (const [env, line] of [
    [{ PORT: 'abc' }, `PORT: "abc" ${what}`],
    [{ PORT: '' }, `PORT: "" ${what}`],
    [{ PORT: '65536' }, `PORT: "65536" ${what}`],
    [{ PORT: '3000.5' }, `PORT: "3000.5" ${what}`],
    [{ SANDBOX_PORT: 'x' }, `SANDBOX_PORT: "x" ${what}`],
    [{ SANDBOX_PORT: '65533' }, 'SANDBOX_PORT: "65533" is not from 1 to 65532'],
    ...['4100', '4103'].map(
      (PORT) =>
        [
          { PORT, SANDBOX_PORT: '4100' },
          `PORT ${PORT} is one of the sandbox networks' ports (SANDBOX_PORT 4100 to ` +
            '4103). Set one of the two elsewhere.',
        ] as const,
    ),
  ] as [NodeJS.ProcessEnv, string][])
    it(`are named in one line: ${JSON.stringify(env)}`, () => {
      const named = (): unknown => portsOf(env);
      expect(named).to.throw(ConfigError).with.deep.property('problems', [line]);
    });

  for (const [env, line] of [
    [{ PORT: '' }, `PORT: "" ${what}`],
    [
      { PORT: '4101', SANDBOX_PORT: '4100' },
      "PORT 4101 is one of the sandbox networks' ports (SANDBOX_PORT 4100 to 4103). " +
        'Set one of the two elsewhere.',
    ],
  ] as const)
    it(`are told by npm start before anything is touched: ${JSON.stringify(env)}`, async () => {
      const folder = join(dir, 'data');
      const { code, errors, out } = await run(
        ['scripts/run.mjs', 'start'],
        plainEnv({ DATA_DIR: folder, ...env }),
      );
      expect([code, errors, out]).to.deep.equal([1, `village: ${line}\n`, '']);
      expect(() => readFileSync(folder)).to.throw('ENOENT');
    });

  it('are refused by a process of the hub as well', async () => {
    for (const PORT of ['', 'abc']) {
      const { code, errors } = await run(['build/server/main.js', 'web'], plainEnv({ PORT }));
      expect(code).to.equal(1);
      expect(errors).to.contain(`village web: PORT: "${PORT}" ${what}\n`);
    }
  });

  it('are none of those that 0 stands for: any free one', async () => {
    const hub = await new StartedHub().prepare();
    hub.env['PORT'] = '0';
    await hub.start();
    const port = Number(new URL(hub.running.web.url).port);
    expect([port > 0, await listens(port), await ready(hub)]).to.deep.equal([true, true, 200]);
    await hub.end('SIGINT');
    hub.remove();
  });
});
