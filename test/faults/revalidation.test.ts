import { expect } from 'chai';
import { io, type Socket } from 'socket.io-client';
import { HEARD_WITH, SENT_WITH } from '../../server/wire.js';
import { startBeside, type Beside } from '../support/beside.js';
import type { Browser } from '../support/browserless.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';
import { SCOPES } from '../../server/platform/rights.js';

/**
 * A socket ends with what it stands on, on every process, whether the news of it comes or not
 * (RELIABILITY S4, S5), and hears what its scopes allow.
 */
describe('a socket', function () {
  this.timeout(90_000);
  let world: World;
  let beside: Beside;
  const open = new Set<Socket>();
  const enter = async (url: string, by: { token?: string; browser?: Browser }): Promise<Socket> => {
    const socket = io(`${url}/village`, {
      transports: ['websocket'],
      auth: by.token === undefined ? {} : { token: by.token },
      ...(by.browser ? { extraHeaders: { cookie: by.browser.cookie, origin: world.url } } : {}),
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
  const signedIn = async (person: string): Promise<Browser> => {
    const browser = world.browser();
    world.sandbox.world.add({ handle: person, name: person });
    const page = await browser.signIn('x', person);
    if (page.url.endsWith('/welcome')) await browser.welcome(page.text, {});
    return browser;
  };
  const idOf = async (person: string): Promise<string> =>
    (await world.context.fans.resolve(`x:${person}`))?._id ?? '';

  before(async () => {
    world = await startWorld({ sockets: true });
    // Its own address, so that cookies of the first are good there too.
    beside = await startBeside(world, { PUBLIC_URL: world.url });
    await world.athletes();
    await world.verify('athlete1', 'x');
    await world.room('room');
  });
  after(async () => {
    for (const socket of open) socket.disconnect();
    await beside.close();
    await world.close();
  });

  /** Every way in which the ground of a socket can go, told or not. */
  const ends: [
    what: string,
    how: (person: string, browser: Browser, token: string) => Promise<void>,
    ended: ('session' | 'token')[],
  ][] = [
    [
      'signs out on this device',
      async (_person, browser) => {
        await browser.post(
          '/en/sign-out',
          browser.form((await browser.go('/en/me/settings')).text, '/sign-out'),
        );
      },
      ['session'],
    ],
    [
      'signs out, and the process that is told ends before it has removed the session',
      async (person) => {
        const fan = await idOf(person);
        const session = await world.context.connection.collection('sessions').findOne({ fan });
        await world.context.fans.ended(fan, String(session?._id));
      },
      ['session'],
    ],
    [
      'signs out everywhere',
      async (person) => world.context.fans.signOutEverywhere(await idOf(person)),
      ['session'],
    ],
    [
      'ends the token',
      async (person) => {
        const fan = await idOf(person);
        const [token] = await world.context.tokens.list(fan);
        await world.context.tokens.end(fan, token?.hash ?? '');
      },
      ['token'],
    ],
    [
      'is banned',
      async (person) => world.context.fans.ban(await idOf(person), 'admin', 'test'),
      ['session', 'token'],
    ],
  ];
  for (const told of [true, false]) {
    for (const [at, [what, how, ended]] of ends.entries()) {
      it(
        `ends on both processes when its fan ${what}, ` +
          `${told ? 'told by the bus' : 'though every message of the bus is lost'}, and ` +
          'nobody else’s does',
        async () => {
          const person = `${told ? 'told' : 'untold'}${at}`;
          const browser = await signedIn(person);
          const token = await world.context.tokens.create(await idOf(person), 'test');
          const both = [world.url, beside.url];
          const sockets = {
            session: await Promise.all(both.map((url) => enter(url, { browser }))),
            token: await Promise.all(both.map((url) => enter(url, { token }))),
          };
          const stranger = await enter(beside.url, { token: (await world.fan('stranger')).token });
          const tell = world.context.bus.tell.bind(world.context.bus);
          if (!told) world.context.bus.tell = () => undefined;
          await how(person, browser, token);
          await until(() => ended.every((kind) => sockets[kind].every((each) => !each.connected)));
          world.context.bus.tell = tell;
          const stay = [
            ...(['session', 'token'] as const)
              .filter((kind) => !ended.includes(kind))
              .flatMap((kind) => sockets[kind]),
            stranger,
          ];
          expect(stay.map((each) => each.connected)).to.deep.equal(stay.map(() => true));
        },
      );
    }
  }

  it('sends and hears what the scopes of its token allow, event by event', async () => {
    const { fan } = await world.fan('athlete1', { role: 'athlete' });
    const host = { id: fan._id, name: 'athlete1', roles: ['athlete'] };
    const inputs = {
      'chat:join': { chat: 'room' },
      'chat:leave': { chat: 'room' },
      'chat:say': { chat: 'room', text: 'hello', clientId: 'client-of-a-scope' },
    };
    for (const scope of SCOPES) {
      const { fan: reader } = await world.fan(`scope-${scope}`);
      const socket = await enter(beside.url, {
        token: await world.context.tokens.create(reader._id, scope, [scope]),
      });
      // What everybody who may hear hears, so that what is not told by then is not told at all.
      const full = await enter(beside.url, {
        token: await world.context.tokens.create(reader._id, 'full'),
      });
      await full.timeout(5000).emitWithAck('chat:join', { chat: 'room' });
      const [heard, all] = [new Set<string>(), new Set<string>()];
      socket.onAny((event: string) => heard.add(event));
      full.onAny((event: string) => all.add(event));
      for (const [event, needed] of Object.entries(SENT_WITH)) {
        const answer = (await socket
          .timeout(5000)
          .emitWithAck(event, inputs[event as keyof typeof inputs])) as { error?: { id: string } };
        const refused = answer.error?.id === 'missing_scope';
        expect(refused, `${scope} sends ${event}`).to.equal(
          !(needed as readonly string[]).includes(scope),
        );
        if (event === 'chat:leave')
          await socket.timeout(5000).emitWithAck('chat:join', { chat: 'room' });
      }
      world.context.bus.tell('points:moved', {
        moves: [
          {
            fan: reader._id,
            seq: 1,
            items: [{ deed: 'd', athlete: 'a', delta: 1 }],
            points: 1,
            medals: { before: {}, after: {} },
          },
        ],
      });
      world.context.bus.tell('follows:progress', {
        fan: reader._id,
        network: 'x',
        done: 1,
        total: 2,
        awarded: 0,
      });
      await world.context.chats.say(host, 'room', 'hello', `client-hello-${scope}`);
      for (const state of ['paused', 'live'] as const)
        await world.context.chats.setState(host, 'room', state);
      await until(() => Object.keys(HEARD_WITH).every((event) => all.has(event)));
      // One acknowledgement later whatever was sent before it has arrived.
      await socket.timeout(5000).emitWithAck('chat:leave', { chat: 'room' });
      const may = Object.entries(HEARD_WITH).filter(([, needed]) =>
        (needed as readonly string[]).includes(scope),
      );
      expect([...heard].sort(), `${scope} hears`).to.deep.equal(may.map(([event]) => event).sort());
    }
  });
});
