import { expect } from 'chai';
import fc from 'fast-check';
import { once } from 'node:events';
import { connect } from 'node:net';
import { io, type Socket } from 'socket.io-client';
import { freePort } from '../../scripts/services/process.js';
import { startHub, type HubProcess } from '../support/processes.js';
import { RawSocket } from '../support/raw-socket.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

/**
 * Nothing that a client can send ends a process or touches another's connection (RELIABILITY F14,
 * F19).
 */
describe('whatever a socket sends', function () {
  this.timeout(90_000);
  let world: World;
  let web: HubProcess;
  let url: string;
  let token: string;
  let witness: Socket;
  let heldOn = true;

  before(async () => {
    world = await startWorld();
    await world.athletes();
    await world.room('room');
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    web = await startHub('web', {
      ...world.env,
      NODE_ENV: 'development',
      PORT: String(port),
      PUBLIC_URL: url,
    });
    witness = io(`${url}/village`, {
      transports: ['websocket'],
      auth: { token: (await world.fan('witness')).token },
      forceNew: true,
      reconnection: false,
    });
    await once(witness as unknown as NodeJS.EventEmitter, 'connect');
    witness.once('disconnect', () => {
      heldOn = false;
    });
    await witness.timeout(5000).emitWithAck('chat:join', { chat: 'room' });
  });
  beforeEach(async () => {
    // Another fan each time: one who makes many connections is slowed down, which is not what is
    // asked here.
    token = (await world.fan(`sender${Math.random().toString(36).slice(2)}`)).token;
  });
  after(async () => {
    witness.disconnect();
    await web.stop();
    await world.close();
  });

  /** The process answers, and somebody else's socket neither was closed nor is slow. */
  const stands = async (): Promise<void> => {
    expect(web.child.exitCode, 'the web process ended').to.equal(null);
    expect((await fetch(`${url}/healthz`)).status).to.equal(200);
    expect(heldOn, 'somebody else was cut').to.equal(true);
    const answer = (await witness.timeout(5000).emitWithAck('chat:leave', { chat: 'room' })) as {
      data?: { chat: string };
    };
    expect(answer.data?.chat).to.equal('room');
  };

  it(
    'a second connect to a namespace, the same, the default or an unknown one, ' +
      'ends that socket at most',
    async () => {
      for (const second of [
        '40/elsewhere,',
        '40',
        '40/village,',
        `40/village,{"token":"${token}"}`,
        '40/admin,{}',
        '0',
        '00',
      ]) {
        const raw = await RawSocket.enter(url, token);
        expect(raw.inside).to.equal(true);
        raw.send(second);
        raw.send(`42/village,7["chat:leave",{"chat":"room"}]`);
        await until(
          () =>
            raw.ended ||
            raw.heard.some((text) => text.startsWith('43/village,7') || text.startsWith('44')),
        );
        raw.close();
        await stands();
      }
    },
  );

  it('the same connect twice at once makes one socket or none', async () => {
    const raw = await RawSocket.open(url);
    const hello = `40/village,${JSON.stringify({ token })}`;
    // In one piece, so that all are read before the first is answered.
    raw.socket.cork();
    for (let n = 0; n < 5; n += 1) raw.send(hello);
    raw.socket.uncork();
    await until(() => raw.ended);
    expect(raw.heard.filter((text) => text.startsWith('40/village,')).length).to.be.at.most(1);
    await stands();
  });

  it(
    'packets of every type, whole and broken, in any ' + 'order, with and without attachments',
    async () => {
      const payload = fc.oneof(
        fc.constantFrom(
          '',
          '[]',
          '{}',
          '[null]',
          '[1]',
          '["chat:join"]',
          '["chat:join",null]',
          '["chat:say",{"chat":"room"}]',
          '["error",{}]',
          '["disconnect"]',
          '["disconnecting",1]',
        ),
        fc.constantFrom(
          '["chat:say",{"_placeholder":true,"num":0}]',
          '["chat:join",{"_placeholder":true,"num":99}]',
          '["__proto__"]',
          '["constructor",{}]',
          '["connect"]',
          '"text"',
          '{"token":1}',
          '{"pid":"x","offset":"0-0"}',
        ),
        fc.json({ maxDepth: 3 }),
        fc.string({ maxLength: 30 }),
      );
      const namespace = fc.constantFrom(
        '',
        '/village,',
        '/,',
        '/elsewhere,',
        '/village',
        '/village?token=x,',
        '/../,',
      );
      const id = fc.constantFrom('', '0', '7', '99999999999999999999', '-1');
      const attachments = fc.constantFrom('', '', '', '1-', '2-', '0-', '99-', 'x-', '-');
      const socketPacket = fc
        .tuple(
          fc.constantFrom('0', '1', '2', '3', '4', '5', '6', '7', 'x', ''),
          attachments,
          namespace,
          id,
          payload,
        )
        .map(([type, count, nsp, ack, data]) => `4${type}${count}${nsp}${ack}${data}`);
      const enginePacket = fc
        .tuple(
          fc.constantFrom('0', '1', '2', '3', '5', '6', '7', 'b', '', '\u0000'),
          fc.constantFrom('', 'probe', '{"sid":"x"}', 'AAAA'),
        )
        .map((parts) => parts.join(''));
      const packet = fc.oneof(
        { weight: 6, arbitrary: socketPacket },
        { weight: 2, arbitrary: enginePacket },
        {
          weight: 2,
          arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
        },
        { weight: 1, arbitrary: fc.string({ maxLength: 60 }) },
      );
      const senders = await Promise.all(
        Array.from({ length: 4 }, (_x, n) => world.fan(`many${n}`)),
      );
      let turn = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.boolean(),
          fc.array(packet, { minLength: 1, maxLength: 12 }),
          async (inside, packets) => {
            const raw = inside
              ? await RawSocket.enter(url, senders[(turn += 1) % senders.length]?.token ?? '')
              : await RawSocket.open(url);
            for (const packet of packets) raw.send(packet);
            // What came before it has been handled once this is answered, or it is closed.
            raw.send('42/village,31337["chat:leave",{"chat":"room"}]');
            await until(
              () =>
                raw.ended ||
                !inside ||
                raw.heard.some((text) => text.startsWith('43/village,31337')),
            );
            raw.close();
            await stands();
          },
        ),
        { numRuns: 80 },
      );
    },
  );

  it('frames that are none, and a connection broken in the middle of the handshake', async () => {
    for (const opcode of [0, 3, 7, 8, 9, 10, 11, 15]) {
      const raw = await RawSocket.enter(url, token);
      raw.frame(opcode, Buffer.from([0xff, 0xff]));
      raw.close();
    }
    for (let n = 0; n < 200; n += 1) {
      const { hostname, port } = new URL(url);
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      socket.write(
        'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ' +
          `${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: ` +
          'websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ' +
          `${Buffer.alloc(16, 1).toString('base64')}\r\n\r\n`,
        () => socket.resetAndDestroy(),
      );
    }
    // Those that came before have been looked at once this one is in.
    const last = await RawSocket.enter(url, token);
    expect(last.inside).to.equal(true);
    last.close();
    await stands();
  });

  it(
    'a second connection that wants to take over the first, with or without the ' +
      'origin of a stranger, is refused',
    async () => {
      const raw = await RawSocket.open(url);
      await until(() => raw.heard.length > 0);
      const { sid } = JSON.parse((raw.heard[0] ?? '0{}').slice(1)) as { sid: string };
      const second = await RawSocket.open(url, {
        path: `/socket.io/?EIO=4&transport=websocket&sid=${sid}`,
        headers: { origin: 'https://evil.example' },
      });
      expect(second.answer).to.match(/^HTTP\/1\.1 400/);
      raw.close();
      await stands();
    },
  );
});
