import { expect } from 'chai';
import { once } from 'node:events';
import { io } from 'socket.io-client';
import { freePort } from '../../scripts/services/process.js';
import { startHub } from '../support/processes.js';
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
    const web = await startHub('web', { ...world.env, NODE_ENV: 'development', PORT: String(port), PUBLIC_URL: url });
    const people = await Promise.all(
      ['ann', 'ben', 'cat', 'dan', 'eve'].map(async (name) => {
        const { token } = await world.fan(name);
        const [me, star] = [world.sandbox.world.person(name), world.sandbox.world.person('athlete1')];
        if (me && star) world.sandbox.world.relate('x', me, star, true);
        return token;
      }),
    );
    const socket = io(`${url}/village`, { transports: ['websocket'], auth: { token: people[0] }, forceNew: true, reconnection: false });
    await once(socket as unknown as NodeJS.EventEmitter, 'connect');
    const left = once(socket as unknown as NodeJS.EventEmitter, 'disconnect');
    // The network takes its time, so that all five are under way when the process is told to end.
    const slow = { network: 'x' as const, path: '/2/users', status: 200, times: 5, latencyMs: 700, body: null };
    world.sandbox.world.faults.push(slow);
    const follow = (token: string): Promise<Response> =>
      fetch(`${url}/api/v1/athletes/athlete1/follow`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: '{"network":"x"}',
      });
    const asked = people.map(follow);
    await until(() => slow.times === 0);
    const gone = web.stop();
    await left;
    const answers = await Promise.all(asked.map(async (one) => (await one).json() as Promise<{ awarded: number }>));
    expect(answers.map((one) => one.awarded)).to.deep.equal([1, 1, 1, 1, 1]);
    await gone;
    expect(web.child.exitCode).to.equal(0);
    expect(await fetch(url).catch((error: unknown) => (error as { cause?: { code?: string } }).cause?.code)).to.equal('ECONNREFUSED');
    expect(await world.context.connection.collection('entries').countDocuments()).to.equal(5);
    expect(await world.context.connection.collection('scores').countDocuments()).to.equal(5);
  });
});
