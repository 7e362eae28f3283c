import { expect } from 'chai';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { io } from 'socket.io-client';
import { startMongodb } from '../../scripts/services/mongodb.js';
import { endById, freePort, type Service } from '../../scripts/services/process.js';
import { startRedis } from '../../scripts/services/redis.js';
import { followAt, startHub } from '../support/processes.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

/** A web process that is asked to go finishes what it has begun (RELIABILITY F2). */
describe('a web process that is told to end', function () {
  this.timeout(25_000);
  let world: World;
  before(async () => {
    world = await startWorld({ card: 'confirmed' });
    await world.athletes();
    await world.verify('athlete1', 'x');
  });
  after(() => world.close());

  it('answers what is under way, takes nothing new, closes its sockets and ends well', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const web = await startHub('web', {
      ...world.env,
      NODE_ENV: 'development',
      PORT: String(port),
      PUBLIC_URL: url,
    });
    const people = await Promise.all(
      ['ann', 'ben', 'cat', 'dan', 'eve'].map(async (name) => {
        const { token } = await world.fan(name);
        const [me, star] = [
          world.sandbox.world.person(name),
          world.sandbox.world.person('athlete1'),
        ];
        if (me && star) world.sandbox.world.relate('x', me, star, true);
        return token;
      }),
    );
    const socket = io(`${url}/village`, {
      transports: ['websocket'],
      auth: { token: people[0] },
      forceNew: true,
      reconnection: false,
    });
    await once(socket as unknown as NodeJS.EventEmitter, 'connect');
    const left = once(socket as unknown as NodeJS.EventEmitter, 'disconnect');
    // The network takes its time, so that all five are under way when the process is told to end.
    const slow = {
      network: 'x' as const,
      path: '/2/users',
      status: 200,
      times: 5,
      latencyMs: 700,
      body: null,
    };
    world.sandbox.world.faults.push(slow);
    const asked = people.map((token) => followAt(url, token, 'athlete1'));
    await until(() => slow.times === 0);
    const gone = web.stop();
    await left;
    const answers = await Promise.all(
      asked.map(async (each) => (await each).json() as Promise<{ awarded: number }>),
    );
    expect(answers.map((answer) => answer.awarded)).to.deep.equal([1, 1, 1, 1, 1]);
    await gone;
    expect(web.child.exitCode).to.equal(0);
    expect(
      await fetch(url).catch(
        (error: unknown) => (error as { cause?: { code?: string } }).cause?.code,
      ),
    ).to.equal('ECONNREFUSED');
    expect(await world.context.connection.collection('entries').countDocuments()).to.equal(5);
    expect(await world.context.connection.collection('scores').countDocuments()).to.equal(5);
  });
});

/**
 * Whatever it still had to do is left to others (LEDGER 3): a process must not outstay its stores.
 */
describe('a process whose stores are gone', function () {
  this.timeout(60_000);
  const dir = mkdtempSync(join(tmpdir(), 'village-gone-'));
  let stores: Service[] = [];
  let ports: number[];
  let world: World;
  // Stores of our own, because this test kills them.
  const startStores = async (): Promise<void> => {
    const [mongodb = 0, redis = 0] = ports;
    const quiet = (): undefined => undefined;
    stores = [
      await startMongodb(join(dir, 'mongodb'), quiet, { port: mongodb }),
      await startRedis(join(dir, 'redis'), quiet, { port: redis }),
    ];
  };
  before(async () => {
    ports = [await freePort(), await freePort()];
    await startStores();
    world = await startWorld({
      card: 'hub',
      stores: { mongodb: stores[0]?.url ?? '', redis: stores[1]?.url ?? '' },
    });
    await world.athletes();
    await world.verify('athlete1', 'x');
  });
  after(async () => {
    await world.close();
    await Promise.all(stores.map((store) => store.stop()));
    rmSync(dir, { recursive: true, force: true });
  });

  it('ends when it is told to, and what it left unsettled is settled by the next', async () => {
    const tokens = await Promise.all(
      ['ann', 'ben', 'cat'].map(async (name) => (await world.fan(name)).token),
    );
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const env = { ...world.env, NODE_ENV: 'development', PORT: String(port), PUBLIC_URL: url };
    const [web, worker] = await Promise.all([startHub('web', env), startHub('worker', env)]);
    const answers = await Promise.all(
      tokens.map(
        async (token) =>
          (await followAt(url, token, 'athlete1')).json() as Promise<{ awarded: number }>,
      ),
    );
    // At once after the answers: scores and boards are not written yet.
    for (const { pid } of stores) process.kill(pid ?? 0, 'SIGKILL');
    await Promise.all(stores.map(({ pid }) => endById(pid ?? 0)));
    expect(answers.map((answer) => answer.awarded)).to.deep.equal([1, 1, 1]);
    await Promise.all([web.stop(), worker.stop()]);
    expect([web.child.exitCode, worker.child.exitCode]).to.deep.equal([0, 0]);
    await startStores();
    await until(async () => {
      world.clock.advance(11_000);
      await world.context.points.sweep().catch(() => 0);
      return (await world.context.connection.collection('scores').countDocuments()) === 3;
    });
  });
});
