import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMongodb } from '../../scripts/services/mongodb.js';
import { ATHLETES as PEOPLE } from '../../scripts/sandbox/people.js';
import { endById, freePort, pause, type Service } from '../../scripts/services/process.js';
import { followAt, startHub, type HubProcess } from '../support/processes.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

const ROUNDS = 10;
const FANS = 24;
const ATHLETES = PEOPLE.slice(0, 9).map(({ handle }) => handle);

/**
 * Real processes, real kills, and a log of acknowledgements kept by the client (RELIABILITY F1,
 * F4).
 */
describe('killed under load', function () {
  this.timeout(240_000);
  let dir: string;
  let store: Service;
  let mongoPort: number;
  let world: World;
  let env: NodeJS.ProcessEnv;
  let url: string;
  let web: HubProcess;
  let worker: HubProcess;
  const tokens: { token: string; fan: string }[] = [];
  const acknowledged = new Set<string>();
  /** How often each status but a success was answered. */
  const refusals = new Map<number, number>();
  const quiet = (): undefined => undefined;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'village-kill-'));
    mongoPort = await freePort();
    // A store of our own, because this test kills it.
    store = await startMongodb(join(dir, 'mongodb'), quiet, { port: mongoPort });
    world = await startWorld({ card: 'hub', stores: { mongodb: store.url } });
    await world.athletes();
    for (const athlete of ATHLETES) await world.verify(athlete, 'x');
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    env = { ...world.env, NODE_ENV: 'development', PORT: String(port), PUBLIC_URL: url };
    for (let n = 0; n < FANS; n += 1) {
      const { fan, token } = await world.fan(`killed${n}`);
      tokens.push({ fan: fan._id, token });
    }
    [web, worker] = await Promise.all([startHub('web', env), startHub('worker', env)]);
  });
  after(async () => {
    await Promise.all([web.stop(), worker.stop()]);
    await world.close();
    await store.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /**
   * Asks for every deed until it is acknowledged, a few at a time, again and again after a failure.
   */
  async function load(round: number, fans: typeof tokens): Promise<void> {
    const deeds = fans
      .flatMap(({ token, fan }) => ATHLETES.map((athlete) => ({ token, fan, athlete })))
      .sort(() => Math.random() - 0.5);
    const runner = async (): Promise<void> => {
      for (let deed = deeds.pop(); deed; deed = deeds.pop()) {
        const { token, fan, athlete } = deed;
        for (let tries = 0; ; tries += 1) {
          if (tries > 400) throw new Error(`round ${round}: ${athlete} was never acknowledged`);
          // Raced, not `AbortSignal.timeout`: in Node 20 such a signal may be collected, and then
          // its fetch is never ended.
          const late = new AbortController();
          let timer: NodeJS.Timeout | undefined;
          const answer = await Promise.race([
            followAt(url, token, athlete, late.signal).then(
              async (response) => {
                if (!response.ok)
                  refusals.set(response.status, (refusals.get(response.status) ?? 0) + 1);
                return response.ok ? ((await response.json()) as { verdict: string }) : null;
              },
              () => null,
            ),
            new Promise<null>((resolve) => {
              timer = setTimeout(() => {
                late.abort();
                resolve(null);
              }, 8000);
            }),
          ]).catch(() => null);
          clearTimeout(timer);
          if (answer?.verdict === 'yes') {
            acknowledged.add(`${fan}|${athlete}`);
            break;
          }
          await pause(40);
        }
      }
    };
    await Promise.all(Array.from({ length: 8 }, runner));
  }

  async function right(): Promise<void> {
    const entries = await world.context.connection.collection('entries').find().toArray();
    const counts = new Map<string, number>();
    for (const entry of entries)
      counts.set(
        `${String(entry['fan'])}|${String(entry['athlete'])}`,
        (counts.get(`${String(entry['fan'])}|${String(entry['athlete'])}`) ?? 0) + 1,
      );
    expect(
      [...acknowledged].filter((key) => counts.get(key) !== 1),
      'lost or doubled',
    ).to.deep.equal([]);
    expect(
      [...counts].filter(([, count]) => count !== 1),
      'doubled',
    ).to.deep.equal([]);
    expect((await world.context.points.verify()).bad).to.equal(null);
    // Boards and scores equal the ledger within seconds: ten to notice a dead process, five to the
    // next look.
    const sums = new Map<string, number>();
    for (const entry of entries)
      sums.set(
        String(entry['fan']),
        (sums.get(String(entry['fan'])) ?? 0) + Number(entry['delta']),
      );
    for (let tries = 0; ; tries += 1) {
      const page = await world.context.points.board('hub', { limit: 100 });
      const shown = new Map(page?.rows.map((row) => [row.fan, row.points]));
      if (page && [...sums].every(([fan, points]) => shown.get(fan) === points)) return;
      if (tries > 150) expect(Object.fromEntries(shown)).to.deep.equal(Object.fromEntries(sums));
      await pause(200);
    }
  }

  async function rounds(kill: () => Promise<void>): Promise<void> {
    await world.context.connection.collection('entries').deleteMany({});
    await world.context.connection.collection('scores').deleteMany({});
    await world.context.redis.commands.flushall();
    acknowledged.clear();
    refusals.clear();
    // Heads known from before are of a ledger that is gone: begin with processes that know nothing.
    await web.stop();
    web = await startHub('web', env);
    const per = Math.floor(FANS / ROUNDS);
    for (let round = 0; round < ROUNDS; round += 1) {
      const running = load(round, tokens.slice(round * per, (round + 1) * per));
      await pause(20 + Math.random() * 180);
      await kill();
      await running;
    }
    expect(acknowledged.size).to.equal(ROUNDS * per * ATHLETES.length);
    expect(
      [...refusals.keys()],
      'a store or process that is away is no fault of ours',
    ).to.deep.equal(refusals.has(503) ? [503] : []);
    await right();
  }

  it(
    'the web process loses nothing that was acknowledged ' + 'and doubles nothing, ten times over',
    () =>
      rounds(async () => {
        await web.kill();
        web = await startHub('web', env);
      }),
  );
  it('the worker neither', () =>
    rounds(async () => {
      await worker.kill();
      worker = await startHub('worker', env);
    }));
  it('nor the store', () =>
    rounds(async () => {
      process.kill(store.pid ?? 0, 'SIGKILL');
      await endById(store.pid ?? 0);
      store = await startMongodb(join(dir, 'mongodb'), quiet, { port: mongoPort });
    }));

  it(
    'answers 503 while the store is stopped, in words ' + 'too, and recovers without a restart',
    async () => {
      const pid = web.child.pid;
      await store.stop();
      const answer = await followAt(url, tokens[0]?.token ?? '', 'athlete1');
      expect([answer.status, answer.headers.get('retry-after')]).to.deep.equal([503, '2']);
      expect((await fetch(`${url}/readyz`)).status).to.equal(503);
      expect((await fetch(`${url}/healthz`)).status).to.equal(200);
      const page = await fetch(`${url}/en/athletes/athlete1`);
      expect([page.status, /One moment/.test(await page.text())]).to.deep.equal([503, true]);
      store = await startMongodb(join(dir, 'mongodb'), quiet, { port: mongoPort });
      await until(async () => (await fetch(`${url}/readyz`)).status === 200);
      expect(web.child.pid).to.equal(pid);
      expect(web.child.exitCode).to.equal(null);
    },
  );
});
