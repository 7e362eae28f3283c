import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endById, freePort, type Service } from '../../scripts/services/process.js';
import { startRedis } from '../../scripts/services/redis.js';
import type { ChatItem } from '../../server/wire.js';
import { until } from '../support/until.js';
import { startWorld, type TestSocket, type World } from '../support/world.js';

/**
 * Redis holds nothing that lasts: whatever befalls it, awards, sessions and the chat of a process
 * go on (RELIABILITY F5, F13).
 */
describe('with a Redis that', function () {
  this.timeout(60_000);
  let dir: string;
  let port: number;
  let redis: Service;
  let world: World;
  const quiet = (): undefined => undefined;
  let sockets: { socket: TestSocket; heard: string[] }[] = [];
  const people: { token: string }[] = [];
  let number = 0;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'village-redis-'));
    port = await freePort();
    // A Redis of our own, because this test kills and stops it.
    redis = await startRedis(dir, quiet, { port });
    world = await startWorld({ card: 'hub', sockets: true, stores: { redis: redis.url } });
    await world.athletes();
    for (let n = 1; n <= 9; n += 1) await world.verify(`athlete${n}`, 'x');
    await world.context.points.heal();
    await world.room('room');
    for (const name of ['ann', 'ben']) people.push({ token: (await world.fan(name)).token });
    sockets = await Promise.all(
      people.map(async ({ token }) => {
        const socket = world.socket(token);
        const heard: string[] = [];
        socket.on('chat:said', ({ items }: { items: ChatItem[] }) => {
          heard.push(...items.map((item) => item.text ?? ''));
        });
        await socket.timeout(5000).emitWithAck('chat:join', { chat: 'room' });
        return { socket, heard };
      }),
    );
  });
  after(async () => {
    await world.close();
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const follow = (athlete: string, who = 0): ReturnType<World['api']> =>
    world.api(`/athletes/${athlete}/follow`, {
      method: 'POST',
      token: people[who]?.token ?? '',
      body: { network: 'x' },
    });
  const counting = async (): Promise<boolean> =>
    ((await world.api('/boards/hub')).body as { counting?: boolean }).counting === true;

  /** What must go on without Redis. */
  async function goesOn(athletes: string[]): Promise<void> {
    const begun = performance.now();
    for (const athlete of athletes)
      expect((await follow(athlete)).body, athlete).to.include({ verdict: 'yes', awarded: 1 });
    // One request may find out; the others do not wait for Redis again.
    expect(performance.now() - begun).to.be.lessThan(athletes.length * 1000);
    expect((await follow(athletes[0] as string)).body).to.include({ verdict: 'yes', awarded: 0 });
    expect(await counting()).to.equal(true);
    const page = await fetch(`${world.url}/en/boards/hub`);
    expect([page.status, /The board is being rebuilt/.test(await page.text())]).to.deep.equal([
      200,
      true,
    ]);
    const text = `still here ${(number += 1)}`;
    const clientId = `client-redis-${String(number).padStart(6, '0')}`;
    const answer: unknown = await sockets[0]?.socket
      .timeout(5000)
      .emitWithAck('chat:say', { chat: 'room', text, clientId });
    expect(answer).to.have.property('data');
    await until(() => sockets.every((socket) => socket.heard.includes(text)));
  }

  it(
    'is killed: awards, pages, sessions and the room of a process go on; boards ' +
      'are counted anew when it is back',
    async () => {
      await follow('athlete1', 1);
      const before = sockets.map(({ socket }) => socket.id);
      process.kill(redis.pid ?? 0, 'SIGKILL');
      await endById(redis.pid ?? 0);
      await goesOn(['athlete1', 'athlete2', 'athlete3', 'athlete4']);
      redis = await startRedis(dir, quiet, { port });
      await until(async () =>
        (await world.context.points.heal().catch((): string[] => [])).includes('hub'),
      );
      await world.settle();
      expect(await counting()).to.equal(false);
      expect(
        (await world.context.points.board('hub', { limit: 5 }))?.rows.map((row) => row.points),
      ).to.deep.equal([4, 1]);
      expect(sockets.map(({ socket }) => socket.id)).to.deep.equal(before);
    },
  );

  it(
    'hangs: no request waits for it twice, and what came meanwhile is on the ' +
      'boards when it wakes',
    async () => {
      process.kill(redis.pid ?? 0, 'SIGSTOP');
      try {
        await goesOn(['athlete5', 'athlete6', 'athlete7', 'athlete8', 'athlete9']);
      } finally {
        process.kill(redis.pid ?? 0, 'SIGCONT');
      }
      await until(async () => {
        await world.context.points.heal().catch(() => []);
        return (await world.context.points.board('hub', { limit: 5 }))?.rows[0]?.points === 9;
      });
      expect((await world.context.points.verify()).bad).to.equal(null);
    },
  );
});
