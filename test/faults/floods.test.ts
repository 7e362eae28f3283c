import { expect } from 'chai';
import { io, type Socket } from 'socket.io-client';
import { SEATS } from '../../server/sockets/seats.js';
import { startBeside, type Beside } from '../support/beside.js';
import { RawSocket } from '../support/raw-socket.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

/**
 * Whoever asks for more than anybody needs is cut or bounded, and nobody else notices (RELIABILITY
 * F14, F15, S12).
 */
describe('sockets in excess', function () {
  this.timeout(90_000);
  let world: World;
  let beside: Beside;
  const open = new Set<Socket>();
  const enter = async (url: string, token: string): Promise<Socket> => {
    const socket = io(`${url}/village`, {
      transports: ['websocket'],
      auth: { token },
      forceNew: true,
      reconnection: false,
    });
    open.add(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    return socket;
  };
  const cuts = async (why: string): Promise<number> =>
    (await world.context.metrics.cuts.get()).values.find(({ labels }) => labels.why === why)
      ?.value ?? 0;

  before(async () => {
    world = await startWorld({ sockets: true });
    beside = await startBeside(world);
    await world.athletes();
    await world.room('room');
  });
  after(async () => {
    for (const socket of open) socket.disconnect();
    await beside.close();
    await world.close();
  });

  it(
    'a flood of any event, known or not, allowed or refused, with or without an ' +
      'acknowledgement, ends in a cut, long before it is all read',
    async () => {
      const healthy = await enter(world.url, (await world.fan('calm')).token);
      const { token } = await world.fan('flooder');
      const floods = [
        (n: number) => `42/village,${n}["chat:leave",{"chat":"room"}]`,
        (n: number) => `42/village,${n}["chat:join",{"chat":"room"}]`,
        (n: number) => `42/village,${n}["chat:join",null]`,
        (n: number) => `42/village,${n}["chat:open",{}]`,
        () => '42/village,["chat:say",{}]',
        () => '42/village,["no:such"]',
        () => '42/village,',
        () => '43/village,1[]',
        () => '3',
      ];
      for (const packet of floods) {
        const before = await cuts('flood');
        const raw = await RawSocket.enter(world.url, token);
        for (let n = 0; n < 2000; n += 1) raw.send(packet(n));
        await until(() => raw.closed);
        expect(await cuts('flood'), packet(0)).to.equal(before + 1);
        expect(raw.heard.filter((text) => text.startsWith('43')).length).to.be.below(150);
      }
      // Before it is let in even less will do: each hello would cost a look at the stores.
      const before = await cuts('flood');
      const raw = await RawSocket.open(world.url);
      for (let n = 0; n < 50; n += 1) raw.send('40/elsewhere,');
      await until(() => raw.closed);
      expect([await cuts('flood'), healthy.connected]).to.deep.equal([before + 1, true]);
    },
  );

  it('connections that never come into the village, or leave it and stay, are cut', async () => {
    const { token } = await world.fan('never');
    const left = await RawSocket.enter(world.url, token);
    left.send('41/village,');
    const [silent, main, elsewhere, refused, off] = await Promise.all([
      RawSocket.open(world.url),
      RawSocket.open(world.url),
      RawSocket.open(world.url),
      RawSocket.open(world.url),
      RawSocket.open(world.url, { path: '/elsewhere' }),
    ]);
    main.send('40');
    elsewhere.send('40/elsewhere,');
    refused.send('40/village,{"token":"vlg_none"}');
    const all = { left, silent, main, elsewhere, refused, off };
    // They answer pings like an honest client would.
    await until(() => {
      for (const raw of Object.values(all)) if (raw.heard.at(-1) === '2') raw.send('3');
      return Object.values(all).every((raw) => raw.closed);
    });
    expect(main.heard.filter((text) => text.startsWith('40{'))).to.deep.equal([]);
    expect(main.heard.some((text) => text.startsWith('44'))).to.equal(true);
  });

  it(
    'of one fan, over all processes, the oldest goes when a new one comes, and ' +
      'that of another fan stays',
    async () => {
      const { token } = await world.fan('many');
      const other = await enter(world.url, (await world.fan('few')).token);
      const sockets: Socket[] = [];
      for (let n = 0; n < SEATS; n += 1)
        sockets.push(await enter(n % 2 === 0 ? world.url : beside.url, token));
      expect(sockets.every((socket) => socket.connected)).to.equal(true);
      for (let n = 0; n < 3; n += 1) sockets.push(await enter(beside.url, token));
      await until(() => sockets.slice(0, 3).every((socket) => !socket.connected));
      expect(sockets.slice(3).every((socket) => socket.connected)).to.equal(true);
      expect(other.connected).to.equal(true);
      // A place that is given back is free again.
      sockets.at(-1)?.disconnect();
      await until(
        async () =>
          (await world.context.redis.commands.zcard(
            `${world.context.redis.prefix}seats:${(await world.fan('many')).fan._id}`,
          )) ===
          SEATS - 1,
      );
      sockets.push(await enter(world.url, token));
      expect(sockets[3]?.connected).to.equal(true);
    },
  );

  it('of one fan are bounded in each process while Redis forgets', async () => {
    const { token, fan } = await world.fan('forgotten');
    const sockets: Socket[] = [];
    for (let n = 0; n < SEATS + 2; n += 1) {
      sockets.push(await enter(world.url, token));
      await world.context.redis.commands.del(`${world.context.redis.prefix}seats:${fan._id}`);
    }
    await until(() => sockets.slice(0, 2).every((socket) => !socket.connected));
    expect(sockets.slice(2).every((socket) => socket.connected)).to.equal(true);
  });
});

/**
 * Behind a proxy every request comes from the proxy: what it says about its client counts, if it is
 * trusted (ASVS 4.1.3).
 */
describe('the limit on handshakes', function () {
  this.timeout(60_000);
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  const tries = async (url: string, addresses: string[]): Promise<boolean[]> => {
    const through: boolean[] = [];
    for (const address of addresses) {
      const raw = await RawSocket.open(url, { headers: { 'x-forwarded-for': address } });
      through.push(raw.answer.startsWith('HTTP/1.1 101'));
      raw.close();
    }
    return through;
  };
  // Two a minute.
  const limitScale = 2 / 12_000;

  it('is each client’s own behind a proxy that is trusted', async () => {
    const hub = await startBeside(
      world,
      { TRUST_PROXY: 'loopback', REDIS_PREFIX: `${world.env['REDIS_PREFIX'] ?? ''}a:` },
      { limitScale },
    );
    const ann = '203.0.113.1';
    const ben = '203.0.113.2';
    expect(await tries(hub.url, [ann, ann, ann, ben, ben, ben])).to.deep.equal([
      true,
      true,
      false,
      true,
      true,
      false,
    ]);
    await hub.close();
  });

  it('cannot be passed by naming another address to a hub that trusts nobody', async () => {
    const hub = await startBeside(
      world,
      { REDIS_PREFIX: `${world.env['REDIS_PREFIX'] ?? ''}b:` },
      { limitScale },
    );
    expect(await tries(hub.url, ['203.0.113.1', '203.0.113.2', '203.0.113.3'])).to.deep.equal([
      true,
      true,
      false,
    ]);
    await hub.close();
  });
});
