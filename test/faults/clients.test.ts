import { expect } from 'chai';
import { connect } from 'node:net';
import { until } from '../support/until.js';
import { startWorld, type TestSocket, type World } from '../support/world.js';

/**
 * Clients that do not keep the rules of a conversation are cut, and nobody else notices
 * (RELIABILITY F14, F15).
 */
describe('clients that', function () {
  this.timeout(90_000);
  let world: World;
  const SLOW = 20;
  const TEXT = 'x'.repeat(60_000);

  before(async () => {
    world = await startWorld({ sockets: true });
    await world.athletes();
    await world.verify('athlete1', 'x');
    await world.room('room');
  });
  after(() => world.close());

  const connections = (): Promise<number> =>
    new Promise((resolve, reject) => {
      world.server.getConnections((error, count) => {
        if (error) reject(error);
        else resolve(count);
      });
    });
  const join = async (token: string, heard: (n: number) => void): Promise<TestSocket> => {
    const socket = world.socket(token);
    socket.on('chat:said', ({ items }) => {
      heard(items.length);
    });
    await socket.timeout(5000).emitWithAck('chat:join', { chat: 'room' });
    return socket;
  };

  it(
    'stop reading are cut and what waited for them is ' + 'freed, while the others hear everything',
    async () => {
      const { token } = await world.fan('ann');
      let heard = 0;
      const healthy = await join(token, (n) => {
        heard += n;
      });
      const id = healthy.id;
      const before = await connections();
      const slow = await Promise.all(
        Array.from({ length: SLOW }, () => join(token, () => undefined)),
      );
      for (const socket of slow) {
        // It neither reads nor comes back.
        socket.io.reconnection(false);
        const { ws } = (
          socket.io.engine as unknown as { transport: { ws: { _socket: { pause(): void } } } }
        ).transport;
        ws._socket.pause();
      }
      expect(await connections()).to.equal(before + SLOW);
      let said = 0;
      // More than the kernel keeps for a connection, so that it piles up in the process.
      await until(async () => {
        for (let n = 0; n < 5; n += 1) {
          said += 1;
          world.context.bus.tell('chat:items', {
            chat: 'room',
            event: 'chat:said',
            items: [
              {
                _id: `big${said}`,
                chat: 'room',
                n: said,
                kind: 'said',
                fan: 'f',
                by: { name: 'f', role: 'fan' },
                text: TEXT,
                lang: '',
                at: new Date(),
                clientId: `big-${said}`,
                removed: false,
              },
            ],
          });
        }
        await new Promise((resolve) => setTimeout(resolve, 30));
        return (await connections()) === before;
      });
      await until(() => heard === said);
      expect([healthy.connected, healthy.id]).to.deep.equal([true, id]);
    },
  );

  it(
    'send half a request, or connect and never join the ' + 'village, are cut after their time',
    async () => {
      const { hostname, port } = new URL(world.url);
      const half = (text: string): Promise<string> =>
        new Promise((resolve) => {
          let said = '';
          const socket = connect(Number(port), hostname, () => {
            socket.write(text);
          });
          socket.on('data', (part: Buffer) => {
            said += part.toString('latin1');
          });
          socket.on('error', () => undefined);
          socket.on('close', () => {
            resolve(said);
          });
        });
      const upgrade =
        'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ' +
        `${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: ` +
        'websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ' +
        `${Buffer.alloc(16, 1).toString('base64')}\r\n\r\n`;
      const [idle, never] = await Promise.all([half('GET /fr HTTP/1.1\r\nHost: '), half(upgrade)]);
      expect(idle).to.match(/^HTTP\/1\.1 408/);
      expect(never).to.match(/^HTTP\/1\.1 101/);
    },
  );
});
