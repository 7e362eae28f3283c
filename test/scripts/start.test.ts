import { expect } from 'chai';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mongoose from 'mongoose';
import { root } from '../../scripts/root.js';
import { plainEnv, run, StartedHub } from '../support/start.js';
import { until } from '../support/until.js';

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
const answers = (url: string, path: string): Promise<number> =>
  fetch(`${url}${path}`).then(
    (response) => response.status,
    () => 0,
  );

describe('npm start', function () {
  this.timeout(120_000);
  let hub: StartedHub;
  let token = '';
  before(async () => {
    hub = await (await new StartedHub().prepare()).start();
  });
  after(async () => {
    await hub.end('SIGINT');
    hub.remove();
  });
  const me = async (): Promise<number> =>
    (
      await fetch(`${hub.running.web.url}/api/v1/me`, {
        headers: { authorization: `Bearer ${token}` },
      })
    ).status;

  it(
    'opens a hub, says who can sign in and what to try ' + 'first, and tells programs what runs',
    async () => {
      const { web, worker, mongodb, redis, sandbox } = hub.running;
      expect(web.url).to.equal(`http://127.0.0.1:${hub.env['PORT']}`);
      expect([web.pid, worker.pid].every(alive)).to.equal(true);
      expect(mongodb.uri).to.match(/^mongodb:\/\//);
      expect([mongodb.kind, redis.kind].every((kind) => kind.length > 0)).to.equal(true);
      expect(redis.url).to.match(/^redis:\/\//);
      expect(sandbox?.networks).to.have.all.keys('x', 'facebook');
      expect([await answers(web.url, '/readyz'), await answers(web.url, '/fr')]).to.deep.equal([
        200, 200,
      ]);
      const log = await fetch(`${sandbox?.url ?? ''}/__sandbox/log`, {
        headers: { 'x-sandbox-token': sandbox?.token ?? '' },
      });
      expect(log.status).to.equal(200);
    },
  );

  it(
    'gives a personal token and prints nothing else, for people of the demo who ' +
      'are no fans yet as well',
    async () => {
      const made = await hub.hub('token', 'fan1');
      expect([made.code, made.errors]).to.deep.equal([0, '']);
      expect(made.out).to.match(/^vlg_[\w-]{43}\n$/);
      token = made.out.trim();
      expect(await me()).to.equal(200);
      expect((await hub.hub('token', 'x:fan5')).out).to.match(/^vlg_/);
      const nobody = await hub.hub('token', 'x:nobody-at-all');
      expect([nobody.code, nobody.out]).to.deep.equal([1, '']);
      expect(nobody.errors).to.contain('Nobody here is x:nobody-at-all');
    },
  );

  it(
    'gives and takes roles, hides and shows people, ' + 'and says what commands there are',
    async () => {
      expect((await hub.hub('role', 'fan1', 'volunteer')).out).to.match(/^fan1 .*: volunteer\n$/);
      expect((await hub.hub('role', 'fan1', 'volunteer', '--take')).out).to.match(/: fan\n$/);
      expect((await hub.hub('role', 'fan1', 'king')).errors).to.contain('There is no role king');
      expect((await hub.hub('hide', 'athlete', 'athlete12')).out).to.contain('is hidden');
      await until(
        async () => (await answers(hub.running.web.url, '/en/athletes/athlete12')) === 404,
      );
      expect((await hub.hub('hide', 'athlete', 'athlete12', '--show')).out).to.contain(
        'shown again',
      );
      const help = await hub.hub('--help');
      for (const command of [
        'import athletes FILE',
        'role FAN ROLE',
        'token FAN',
        'ledger verify',
        'boards rebuild',
        'seed demo',
      ])
        expect(help.out).to.contain(command);
      expect((await hub.hub('dance')).code).to.equal(2);
    },
  );

  it(
    'verifies the ledger, and names the first bad entry and exits 1 when one was ' +
      'tampered with',
    async () => {
      await fetch(`${hub.running.web.url}/api/v1/athletes/athlete1/follow`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ network: 'x' }),
      });
      const { sandbox, mongodb } = hub.running;
      await fetch(`${sandbox?.url ?? ''}/__sandbox/people/fan1/follow`, {
        method: 'POST',
        headers: { 'x-sandbox-token': sandbox?.token ?? '', 'content-type': 'application/json' },
        body: JSON.stringify({ network: 'x', account: 'athlete1' }),
      });
      const followed = await fetch(`${hub.running.web.url}/api/v1/athletes/athlete1/follow`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ network: 'x' }),
      });
      expect(await followed.json()).to.include({ verdict: 'yes', points: 1 });
      const right = await hub.hub('ledger', 'verify');
      expect([right.code, right.errors]).to.deep.equal([0, '']);
      expect(right.out).to.match(/^The ledger is right: \d+ entries/);
      const store = await mongoose.createConnection(mongodb.uri, { dbName: 'village' }).asPromise();
      const entries = store.collection('entries');
      await entries.updateOne({ seq: 1 }, { $set: { account: 'forged' } });
      const wrong = await hub.hub('ledger', 'verify');
      const entry = await entries.findOne({ account: 'forged' });
      await store.close();
      expect(wrong.code).to.equal(1);
      expect(wrong.errors).to.contain(`fan ${String(entry?.['fan'])}, seq 1`);
      expect((await hub.hub('boards', 'rebuild')).out).to.contain('rebuilt');
    },
  );

  it('starts a killed web and a killed worker again', async () => {
    const before = hub.running;
    process.kill(before.web.pid, 'SIGKILL');
    process.kill(before.worker.pid, 'SIGKILL');
    await until(
      () => hub.running.web.pid !== before.web.pid && hub.running.worker.pid !== before.worker.pid,
    );
    await until(async () => (await answers(before.web.url, '/readyz')) === 200);
    expect(await me()).to.equal(200);
  });

  it('starts killed stores again, on what they held, and signs nobody out', async () => {
    const pids = (): number[] =>
      (JSON.parse(readFileSync(join(hub.dir, 'stores.json'), 'utf8')) as { pids: number[] }).pids;
    const before = pids();
    for (const pid of before) process.kill(pid, 'SIGKILL');
    await until(() => pids().every((pid) => !before.includes(pid)));
    await until(async () => (await answers(hub.running.web.url, '/readyz')) === 200);
    expect(await me()).to.equal(200);
    await until(
      async () =>
        (
          (await (await fetch(`${hub.running.web.url}/api/v1/boards/hub`)).json()) as {
            counting?: boolean;
          }
        ).counting !== true,
    );
    expect(pids().every(alive)).to.equal(true);
  });

  it('refuses a second hub on the same folder and leaves the first one alone', async () => {
    const second = await run(['scripts/run.mjs', 'start'], {
      ...hub.env,
      PORT: '0',
      SANDBOX_PORT: '30000',
    });
    expect(second.code).to.equal(1);
    expect(second.errors.trim().split('\n')).to.have.length(1);
    expect(second.errors).to.contain('a hub runs on').and.contain(hub.running.web.url);
    expect(await answers(hub.running.web.url, '/readyz')).to.equal(200);
  });

  it('runs a second hub beside the first one, on a folder and ports of its own', async () => {
    const other = await (await new StartedHub().prepare()).start();
    const both = [
      await answers(hub.running.web.url, '/readyz'),
      await answers(other.running.web.url, '/readyz'),
    ];
    const theirs = (await other.hub('token', 'fan1')).out.trim();
    const foreign = await fetch(`${hub.running.web.url}/api/v1/me`, {
      headers: { authorization: `Bearer ${theirs}` },
    });
    await other.end('SIGINT');
    other.remove();
    expect(both).to.deep.equal([200, 200]);
    expect(foreign.status).to.equal(401);
  });

  it('heals what a crash left behind, and the data outlasts it', async () => {
    const before = hub.running;
    const { pids } = JSON.parse(readFileSync(join(hub.dir, 'stores.json'), 'utf8')) as {
      pids: number[];
    };
    expect(pids.every(alive)).to.equal(true);
    await hub.end('SIGKILL');
    await hub.start();
    expect([before.web.pid, before.worker.pid, ...pids].some(alive)).to.equal(false);
    expect(await me()).to.equal(200);
  });

  it('ends everything at Ctrl-C, and keeps the data', async () => {
    const { web, worker } = hub.running;
    const stopped = await hub.end('SIGINT');
    expect([stopped.code, stopped.out.includes('stopping')]).to.deep.equal([0, true]);
    expect([web.pid, worker.pid].some(alive)).to.equal(false);
    expect(existsSync(join(hub.dir, 'run.json'))).to.equal(false);
    await hub.start();
    expect(await me()).to.equal(200);
  });
});

describe('npm start, where it cannot', function () {
  this.timeout(60_000);
  let dir = '';
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'village-cannot-'));
  });
  after(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const refused = async (args: string[], env: NodeJS.ProcessEnv): Promise<string> => {
    const { code, errors } = await run(args, env);
    expect(code).to.equal(1);
    return errors;
  };

  it('names the taken port and what to do', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const errors = await refused(
      ['scripts/run.mjs', 'start'],
      plainEnv({ DATA_DIR: join(dir, 'port'), PORT: String(port), SANDBOX_PORT: '31000' }),
    );
    taken.close();
    expect(errors).to.equal(
      `village: port ${port} is taken. Free it, or set PORT to another one ` +
        `(PORT=${port + 1000} npm start).\n`,
    );
  });

  it('names a folder that cannot be written', async () => {
    // Below a file nobody can write, not even root.
    const folder = join(root, 'package.json', 'data');
    const errors = await refused(
      ['scripts/run.mjs', 'start'],
      plainEnv({ DATA_DIR: folder, PORT: '0', SANDBOX_PORT: '31100' }),
    );
    expect(errors).to.equal(
      `village: cannot write in ${folder}. Make it writable, or set DATA_DIR to a ` +
        'folder that is.\n',
    );
  });

  it('names a Node that is too old', async () => {
    const old =
      "Object.defineProperty(process.versions, 'node', { value: '18.20.0' }); await " +
      "import('./scripts/run.mjs');";
    const errors = await refused(['--input-type=module', '-e', old], plainEnv());
    expect(errors).to.equal(
      'village: Node 18.20.0 is too old. Install Node 20.19 or newer, then run this again.\n',
    );
  });

  it('says what to install where there is neither a store nor a Python to fetch one', async () => {
    // The same folder without what was fetched before, and nothing on PATH.
    const bare = join(dir, 'bare');
    cpSync(join(root, 'build'), join(bare, 'build'), { recursive: true });
    for (const file of ['run.mjs', 'setup.mjs'])
      cpSync(join(root, 'scripts', file), join(bare, 'scripts', file));
    for (const name of [
      'node_modules',
      'server',
      'views',
      'public',
      'package.json',
      'package-lock.json',
    ])
      symlinkSync(join(root, name), join(bare, name));
    // Nothing answers: no test may reach for the network.
    const cut =
      'import net from "node:net"; import { syncBuiltinESMExports } from "node:module";' +
      'net.connect = () => { const one = new net.Socket(); setImmediate(() => ' +
      'one.destroy(new Error("no network"))); return one; }; ' +
      'syncBuiltinESMExports();';
    const env = plainEnv({
      DATA_DIR: join(dir, 'data'),
      PORT: '0',
      SANDBOX_PORT: '31200',
      PATH: join(dir, 'nothing'),
      NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(cut)}`,
    });
    const { code, errors, out } = await run([join(bare, 'build', 'scripts', 'start.js')], env);
    expect(code, out + errors).to.equal(1);
    expect(errors).to.contain('Python 3.11 to 3.13').and.contain('mongod');
  });

  it('never opens in production without its secrets, and names each', async () => {
    const { code, errors, out } = await run(
      ['build/server/main.js', 'web'],
      plainEnv({ NODE_ENV: 'production' }),
    );
    expect(code).to.equal(1);
    for (const name of [
      'SESSION_SECRET',
      'TOKEN_KEYS',
      'SIGNING_KEY',
      'MONGODB_URI',
      'REDIS_URL',
      'PUBLIC_URL',
    ])
      expect(errors, out).to.contain(`${name} is missing`);
  });
});
