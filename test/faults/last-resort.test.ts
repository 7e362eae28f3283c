import { expect } from 'chai';
import { once } from 'node:events';
import { io } from 'socket.io-client';
import { freePort } from '../../scripts/services/process.js';
import { startHub } from '../support/processes.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

/**
 * Run in the hub's process before anything of its own: a fault on demand, of the kinds that nobody
 * can catch (RELIABILITY F19).
 */
const PLANT = `
const faults = {
  timer: () => setTimeout(() => { throw new Error('planted in a timer'); }, 0),
  promise: () => { void Promise.reject(new Error('planted in a promise')); },
  emitter: () => { process.nextTick(() => { process.emit('no-such-listener'); throw new Error('planted in a listener'); }); },
};
process.on('message', (kind) => faults[kind]?.());
`;

describe('an error that nobody caught', function () {
  this.timeout(60_000);
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.athletes();
    await world.verify('athlete1', 'x');
    await world.room('room');
  });
  after(() => world.close());
  const planted = (port: number): NodeJS.ProcessEnv => ({
    ...world.env,
    NODE_ENV: 'development',
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    NODE_OPTIONS: `--import data:text/javascript;base64,${Buffer.from(PLANT).toString('base64')}`,
  });

  it('does not end the web process: it is counted, and everybody’s sockets live on', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const web = await startHub('web', planted(port));
    const socket = io(`${url}/village`, {
      transports: ['websocket'],
      auth: { token: (await world.fan('ann')).token },
      forceNew: true,
      reconnection: false,
    });
    await once(socket as unknown as NodeJS.EventEmitter, 'connect');
    const faults = async (): Promise<number> => {
      const text = await (
        await fetch(`${url}/metrics`, {
          headers: { authorization: `Bearer ${world.env['METRICS_TOKEN'] ?? ''}` },
        })
      ).text();
      return [...text.matchAll(/^village_faults_total\{[^}]*\} (\d+)/gm)].reduce(
        (sum, [, n]) => sum + Number(n),
        0,
      );
    };
    for (const [at, kind] of ['timer', 'promise', 'emitter'].entries()) {
      web.child.send(kind);
      await until(async () => web.child.exitCode !== null || (await faults()) === at + 1);
      expect(web.child.exitCode, kind).to.equal(null);
    }
    const answer = (await socket.timeout(5000).emitWithAck('chat:join', { chat: 'room' })) as {
      data?: { chat: string };
    };
    expect([answer.data?.chat, socket.connected]).to.deep.equal(['room', true]);
    socket.disconnect();
    await web.stop();
    expect(web.child.exitCode).to.equal(0);
  });

  it('does not end the worker: what was asked of it before and after is done', async () => {
    const worker = await startHub('worker', planted(await freePort()));
    const identities = world.context.connection.collection('identities');
    for (const kind of ['timer', 'promise', 'emitter']) worker.child.send(kind);
    const { fan } = await world.fan('ben');
    await world.context.follows.checkAll(fan._id);
    await until(
      async () =>
        worker.child.exitCode !== null ||
        (await identities.countDocuments({ fan: fan._id, checkedAt: { $type: 'date' } })) === 1,
    );
    expect(worker.child.exitCode).to.equal(null);
    await worker.stop();
    expect(worker.child.exitCode).to.equal(0);
  });
});
