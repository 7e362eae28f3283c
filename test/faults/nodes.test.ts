import { expect } from 'chai';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { seat, type Seat } from '../../scripts/bench/seat.js';
import { freePort } from '../../scripts/services/process.js';
import { startHub, type HubProcess } from '../support/processes.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

const READERS = 200;
const SPEAKERS = 40;
const ROUNDS = 8;

/**
 * What stands before the processes of a hub: hands each connection to the next one that answers.
 */
function balancer(ports: number[]): Promise<{ url: string; close(): void }> {
  let turn = 0;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    open.add(client);
    client.on('error', () => client.destroy());
    client.once('close', () => open.delete(client));
    const ask = (left: number): void => {
      const node = connect(ports[(turn += 1) % ports.length] ?? 0, '127.0.0.1');
      const none = (): void => {
        if (left > 1) ask(left - 1);
        else client.destroy();
      };
      node.once('error', none);
      node.once('connect', () => {
        node.off('error', none);
        node.on('error', () => node.destroy());
        node.once('close', () => client.destroy());
        client.once('close', () => node.destroy());
        client.pipe(node).pipe(client);
      });
    };
    ask(ports.length);
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      const close = (): void => {
        for (const each of open) each.destroy();
        server.close();
      };
      resolve({ url: `http://127.0.0.1:${port}`, close });
    });
  });
}

/** Two processes side by side, and one of them dies (RELIABILITY F12). */
describe('a room over two processes', function () {
  this.timeout(90_000);
  let world: World;
  let nodes: HubProcess[];
  let door: Awaited<ReturnType<typeof balancer>>;
  let seats: Seat[] = [];
  const speakers: string[] = [];

  before(async () => {
    world = await startWorld();
    await world.athletes();
    await world.room('room');
    const ports = [await freePort(), await freePort()];
    door = await balancer(ports);
    nodes = await Promise.all(
      ports.map((port) =>
        startHub('web', {
          ...world.env,
          NODE_ENV: 'development',
          PORT: String(port),
          PUBLIC_URL: door.url,
        }),
      ),
    );
    for (let n = 0; n < SPEAKERS; n += 1) speakers.push((await world.fan(`speaker${n}`)).token);
    seats = Array.from({ length: READERS }, (_x, n) =>
      seat(door.url, 'room', speakers[n % SPEAKERS] ?? ''),
    );
  });
  after(async () => {
    for (const { socket } of seats) socket.disconnect();
    door.close();
    await Promise.all(nodes.map((node) => node.stop()));
    await world.close();
  });

  /** Says something until it is acknowledged, under one client id. */
  async function speak(token: string, text: string): Promise<void> {
    for (let tries = 0; tries < 200; tries += 1) {
      const answer = await fetch(`${door.url}/api/v1/chats/room/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ text, clientId: `client-of-${text.replace(/\s/g, '-')}` }),
      }).catch(() => null);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`${text} was never acknowledged`);
  }

  it(
    'loses nothing and shows nothing twice to anybody when one is killed while ' +
      'people speak; its readers move to the other',
    async () => {
      await until(() => seats.every((seat) => seat.joined));
      const sockets = seats.map((seat) => seat.socket.id);
      const texts: string[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        // In the middle of a round: some are acknowledged by the one that dies, some are on their
        // way.
        const killed =
          round === 2
            ? new Promise((resolve) => setTimeout(resolve, 15)).then(() => nodes[0]?.kill())
            : null;
        const said = speakers.slice(0, 20).map((_token, n) => `round ${round} says ${n}`);
        texts.push(...said);
        await Promise.all(said.map((text, n) => speak(speakers[(round % 2) * 20 + n] ?? '', text)));
        await killed;
      }
      await until(() => seats.every((seat) => seat.joined && seat.shown.length >= texts.length));
      const moved = seats.filter((seat, at) => seat.socket.id !== sockets[at]).length;
      expect(moved, 'how many had to move').to.be.within(1, READERS - 1);
      const order = seats[0]?.shown.map((item) => item.text);
      expect([...(order ?? [])].sort()).to.deep.equal([...texts].sort());
      for (const seat of seats) expect(seat.shown.map((item) => item.text)).to.deep.equal(order);
    },
  );
});
