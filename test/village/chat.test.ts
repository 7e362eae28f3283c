import { expect } from 'chai';
import { io } from 'socket.io-client';
import fc from 'fast-check';
import { pino } from 'pino';
import { createContext, type Context } from '../../server/context.js';
import { readConfig } from '../../server/config.js';
import type { ChatItem } from '../../server/wire.js';
import { until } from '../support/until.js';
import { startWorld, type TestSocket, type World } from '../support/world.js';

interface Joined {
  data: { chat: string; state: string; items: ChatItem[]; last: number; count: number };
}
type Answer<T> = { data: T } | { error: { id: string; message: string } };

describe('live chat', () => {
  let world: World;
  let other: Context;
  const SLUG = 'room';
  let number = 0;
  const id = (): string =>
    `client-${String((number += 1)).padStart(6, '0')}-${Math.random().toString(36).slice(2)}`;
  const ask = <T>(socket: TestSocket, event: string, input: unknown): Promise<Answer<T>> =>
    (
      socket as unknown as {
        timeout(ms: number): { emitWithAck(event: string, input: unknown): Promise<Answer<T>> };
      }
    )
      .timeout(5000)
      .emitWithAck(event, input);
  const joined = async (
    token: string,
    after?: number,
  ): Promise<{ socket: TestSocket; answer: Joined['data']; heard: ChatItem[] }> => {
    const socket = world.socket(token);
    const heard: ChatItem[] = [];
    socket.on('chat:said', ({ items }) => {
      heard.push(...items);
    });
    const answer = await ask<Joined['data']>(socket, 'chat:join', {
      chat: SLUG,
      ...(after === undefined ? {} : { after }),
    });
    if ('error' in answer) throw new Error(answer.error.id);
    return { socket, answer: answer.data, heard };
  };
  const fail = (answer: Answer<unknown>): string => ('error' in answer ? answer.error.id : 'done');

  before(async () => {
    world = await startWorld({ sockets: true });
    other = await createContext(readConfig(world.env), 'other', {
      log: pino({ level: 'silent' }),
      search: false,
    });
    await world.athletes();
    await world.verify('athlete1', 'x');
    await world.room(SLUG);
  });
  after(async () => {
    await other.close();
    await world.close();
  });

  it('is seen by everyone in the room, once and in order', async () => {
    const [a, b] = [
      await joined((await world.fan('ann')).token),
      await joined((await world.fan('ben')).token),
    ];
    for (let n = 0; n < 5; n += 1)
      await ask(a.socket, 'chat:say', { chat: SLUG, text: `hello ${n}`, clientId: id() });
    await until(() => b.heard.length >= 5 && a.heard.length >= 5);
    expect(b.heard.map((item) => item.text)).to.deep.equal([
      'hello 0',
      'hello 1',
      'hello 2',
      'hello 3',
      'hello 4',
    ]);
    const ns = b.heard.map((item) => item.n);
    expect(ns).to.deep.equal(ns.map((_n, at) => (ns[0] ?? 0) + at));
  });

  it('answers a repeat with the first answer, and stores it once', async () => {
    const { socket } = await joined((await world.fan('ann')).token);
    const clientId = id();
    const [first, second] = [
      await ask<{ item: ChatItem }>(socket, 'chat:say', { chat: SLUG, text: 'once', clientId }),
      await ask<{ item: ChatItem }>(socket, 'chat:say', { chat: SLUG, text: 'once', clientId }),
    ];
    expect(
      'data' in first && 'data' in second && first.data.item.n === second.data.item.n,
    ).to.equal(true);
    const twice = await Promise.all(
      [1, 2, 3].map(() =>
        world.context.chats.say(
          { id: 'x', name: 'x', roles: [] },
          SLUG,
          'same',
          'client-same-0001',
        ),
      ),
    );
    expect(new Set(twice.map((each) => each.item.n)).size).to.equal(1);
  });

  it('has no holes whatever two processes say at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 3 })), {
          minLength: 1,
          maxLength: 40,
        }),
        async (acts) => {
          const before = await world.context.chats.last(SLUG);
          const said = await Promise.all(
            acts.map(([here, who], at) =>
              (here ? world.context : other).chats.say(
                { id: `p${who}`, name: `p${who}`, roles: [] },
                SLUG,
                `m${at}`,
                id(),
              ),
            ),
          );
          const ns = said.map((each) => each.item.n).sort((a, b) => a - b);
          expect(ns).to.deep.equal(ns.map((_n, at) => before + 1 + at));
        },
      ),
      { numRuns: 15 },
    );
  });

  it('fills the gap of a reader who was away', async () => {
    const { token } = await world.fan('ben');
    const first = await joined(token);
    first.socket.disconnect();
    for (let n = 0; n < 3; n += 1)
      await world.context.chats.say({ id: 'x', name: 'x', roles: [] }, SLUG, `missed ${n}`, id());
    const back = await joined(token, first.answer.last);
    expect(back.answer.items.map((item) => item.text)).to.deep.equal([
      'missed 0',
      'missed 1',
      'missed 2',
    ]);
    const http = await world.api(`/chats/${SLUG}/messages?after=${first.answer.last}`);
    expect(
      (http.body as unknown as { items: ChatItem[] }).items.map((item) => item.n),
    ).to.deep.equal(back.answer.items.map((item) => item.n));
  });

  it('gives what was said meanwhile by another process to those in the room', async () => {
    const { heard } = await joined((await world.fan('ann')).token);
    await other.chats.say({ id: 'far', name: 'far', roles: [] }, SLUG, 'from afar', id());
    await until(() => heard.some((item) => item.text === 'from afar'));
  });

  it(
    'tells the room within seconds of what another ' + 'process said when the news of it was lost',
    async () => {
      const { socket, heard } = await joined((await world.fan('ann')).token);
      const tell = other.bus.tell.bind(other.bus);
      other.bus.tell = () => undefined;
      const { item } = await other.chats.say(
        { id: 'far', name: 'far', roles: [] },
        SLUG,
        'unheard',
        id(),
      );
      other.bus.tell = tell;
      const told = await new Promise<number>((resolve) => {
        socket.on('chat:presence', ({ chat, last }) => {
          if (chat === SLUG && last >= item.n) resolve(last);
        });
      });
      expect([told, heard.some((each) => each.text === 'unheard')]).to.deep.equal([item.n, false]);
    },
  );

  it(
    'reads once for all who come back at the same time, ' + 'and anew as soon as something is said',
    async () => {
      await world.room('crowd');
      const { chats, connection } = world.context;
      const speak = (text: string): Promise<unknown> =>
        chats.say({ id: 'x', name: 'x', roles: [] }, 'crowd', text, id());
      const crowd = async (): Promise<string[]> =>
        (await Promise.all(Array.from({ length: 50 }, () => chats.items('crowd', null, 0)))).map(
          ({ items }) => items.map((item) => item.text).join(),
        );
      let reads = 0;
      await speak('one');
      connection.set(
        'debug',
        (collection: string, method: string) =>
          (reads += Number(collection === 'chat_items' && method === 'find')),
      );
      expect(new Set(await crowd())).to.deep.equal(new Set(['one']));
      expect(reads).to.equal(1);
      await speak('two');
      expect(new Set(await crowd())).to.deep.equal(new Set(['one,two']));
      expect(reads).to.equal(2);
      connection.set('debug', false);
      await other.chats.say({ id: 'x', name: 'x', roles: [] }, 'crowd', 'three', id());
      await until(async () => (await crowd())[0] === 'one,two,three');
    },
  );

  it(
    'counts the fans in a room, each once on however many tabs and processes, ' +
      'here at once and elsewhere as it is told, and forgets who has left',
    async () => {
      await world.room('counted');
      const enter = async (
        name: string,
      ): Promise<{ socket: TestSocket; count: number; fan: string }> => {
        const { token, fan } = await world.fan(name);
        const socket = world.socket(token);
        const answer = await ask<Joined['data']>(socket, 'chat:join', { chat: 'counted' });
        return { socket, count: 'data' in answer ? answer.data.count : -1, fan: fan._id };
      };
      const entered = [
        await enter('ann'),
        await enter('ben'),
        await enter('ben'),
        await enter('ben'),
      ];
      expect(entered.map((each) => each.count)).to.deep.equal([1, 2, 2, 2]);
      const [here, far] = [world.context.chats.presence, other.chats.presence];
      for (const fan of ['far1', 'far2', entered[0]?.fan ?? '']) far.entered('counted', fan);
      await Promise.all([here.tell('counted'), far.tell('counted')]);
      // Ann is on both.
      await until(
        async () => (await here.count('counted')) === 4 && (await far.count('counted')) === 4,
      );
      for (const { socket } of entered.slice(0, 3)) socket.disconnect();
      await here.tell('counted');
      await until(
        async () => (await here.count('counted')) === 4 && (await far.count('counted')) === 4,
      );
      entered[3]?.socket.disconnect();
      await until(async () => (await far.count('counted')) === 3);
      far.left('counted', 'far1');
      await far.tell('counted');
      await until(async () => (await here.count('counted')) === 2);
    },
  );

  it('shows the host as host and a moderator as moderator', async () => {
    const host = await world.fan('athlete1', { role: 'athlete' });
    const guest = await world.fan('athlete2', { role: 'athlete' });
    const moderator = await world.fan('moderator2', { role: 'moderator' });
    const roles: (string | undefined)[] = [];
    for (const { token } of [host, guest, moderator]) {
      const { socket } = await joined(token);
      const said = await ask<{ item: ChatItem }>(socket, 'chat:say', {
        chat: SLUG,
        text: 'hi',
        clientId: id(),
      });
      roles.push('data' in said ? said.data.item.by?.role : said.error.id);
    }
    expect(roles).to.deep.equal(['host', 'athlete', 'moderator']);
  });

  it('refuses what is no message, no room, no event or too large, and says why', async () => {
    const { socket } = await joined((await world.fan('cat')).token);
    expect(
      fail(await ask(socket, 'chat:say', { chat: SLUG, text: '   ', clientId: id() })),
    ).to.equal('bad_input');
    expect(
      fail(await ask(socket, 'chat:say', { chat: SLUG, text: 'a'.repeat(281), clientId: id() })),
    ).to.equal('bad_input');
    expect(
      fail(await ask(socket, 'chat:say', { chat: SLUG, text: { $ne: null }, clientId: id() })),
    ).to.equal('bad_input');
    expect(
      fail(await ask(socket, 'chat:say', { chat: SLUG, text: 'x', clientId: id(), role: 'host' })),
    ).to.equal('bad_input');
    expect(fail(await ask(socket, 'chat:join', { chat: 'nowhere' }))).to.equal('chat_not_found');
    expect(fail(await ask(socket, 'chat:open', {}))).to.equal('bad_input');
    expect(fail(await ask(socket, 'chat:join', null))).to.equal('bad_input');
    const closed = new Promise<void>((resolve) => {
      socket.once('disconnect', () => {
        resolve();
      });
    });
    (socket as unknown as { emit(event: string, input: unknown): void }).emit('chat:say', {
      chat: SLUG,
      text: 'b'.repeat(40_000),
      clientId: id(),
    });
    await closed;
  });

  it('shows text as text: nothing of it is markup, hidden or controlling', async () => {
    const said = await world.context.chats.say(
      { id: 'x', name: '<b>x</b>', roles: [] },
      SLUG,
      '<script>alert(1)</script>',
      id(),
    );
    expect(said.item.text).to.equal('<script>alert(1)</script>');
    const page = await (await fetch(`${world.url}/en/chats/${SLUG}`)).text();
    expect(page)
      .to.contain('&lt;script&gt;alert(1)&lt;/script&gt;')
      .and.not.contain('<script>alert(1)');
    const { socket } = await joined((await world.fan('dan')).token);
    const answer = await ask<{ item: ChatItem }>(socket, 'chat:say', {
      chat: SLUG,
      text: 'a\u202eb\u0000c',
      clientId: id(),
    });
    expect('data' in answer && answer.data.item.text).to.equal('abc');
  });

  it(
    'lets nobody in without a session or token, from ' + 'a foreign origin, or by polling',
    async () => {
      const refused = (options: object): Promise<string> =>
        new Promise((resolve) => {
          const socket = io(`${world.url}/village`, {
            transports: ['websocket'],
            forceNew: true,
            reconnection: false,
            ...options,
          });
          socket.on('connect_error', (error) => {
            socket.close();
            resolve((error as { data?: { id: string } }).data?.id ?? error.message);
          });
          socket.on('connect', () => {
            socket.close();
            resolve('connected');
          });
        });
      expect(await refused({})).to.equal('not_signed_in');
      expect(await refused({ auth: { token: 'vlg_none' } })).to.equal('bad_token');
      expect(
        await refused({
          auth: { token: (await world.fan('ann')).token },
          extraHeaders: { origin: 'https://evil.example' },
        }),
      ).to.not.equal('connected');
      expect((await fetch(`${world.url}/socket.io/?EIO=4&transport=polling`)).status).to.equal(400);
    },
  );

  it('stops a fan at once who is banned or signed out everywhere', async () => {
    const { token, fan } = await world.fan('rude');
    const { socket } = await joined(token);
    const gone = new Promise<void>((resolve) => {
      socket.once('disconnect', () => {
        resolve();
      });
    });
    await world.context.fans.ban(fan._id, 'admin', 'test');
    await gone;
    const { token: mute, fan: muted } = await world.fan('quiet');
    const narrow = await world.context.tokens.create(muted._id, 'read', ['read']);
    const reader = await joined(narrow);
    expect(
      fail(await ask(reader.socket, 'chat:say', { chat: SLUG, text: 'no', clientId: id() })),
    ).to.equal('missing_scope');
    expect(mute).to.be.a('string');
  });

  it('takes messages only while it is live, and tells the room when that changes', async () => {
    const host = await world.fan('athlete1', { role: 'athlete' });
    const { socket } = await joined((await world.fan('ann')).token);
    const states: string[] = [];
    socket.on('chat:state', ({ items }) => {
      states.push(...items.map((item) => item.text ?? ''));
    });
    const refusal = async (work: Promise<unknown>) => {
      try {
        await work;
      } catch (error) {
        return (error as { id: string }).id;
      }
      return 'done';
    };
    expect(
      await refusal(
        world.context.chats.setState({ id: 'fan', name: 'fan', roles: [] }, SLUG, 'paused'),
      ),
    ).to.equal('not_allowed');
    await world.context.chats.setState(
      { id: host.fan._id, name: 'athlete1', roles: ['athlete'] },
      SLUG,
      'paused',
    );
    await until(() => states.includes('paused'));
    expect(
      fail(await ask(socket, 'chat:say', { chat: SLUG, text: 'too late', clientId: id() })),
    ).to.equal('chat_closed');
    await world.context.chats.setState(
      { id: host.fan._id, name: 'athlete1', roles: ['athlete'] },
      SLUG,
      'live',
    );
    await until(() => states.includes('live'));
  });

  it('is paused and started by its host with a form, and by nobody else', async () => {
    const [lead, guest] = [world.browser(), world.browser()];
    await lead.signIn('x', 'athlete1');
    await guest.welcome((await guest.signIn('x', 'fan4')).text, {});
    const page = await lead.go(`/en/chats/${SLUG}`);
    const form = lead.form(page.text, `/chats/${SLUG}/state`);
    form.set('state', 'paused');
    expect((await lead.post(`/en/chats/${SLUG}/state`, form)).text)
      .to.contain('Start the chat')
      .and.contain('Paused');
    const theirs = await guest.go(`/en/chats/${SLUG}`);
    expect(theirs.text).not.to.contain('Start the chat');
    const forged = guest.form((await guest.go('/en/me/settings')).text, '/sign-out');
    forged.set('state', 'live');
    expect((await guest.post(`/en/chats/${SLUG}/state`, forged)).status).to.equal(403);
    form.set('state', 'live');
    expect((await lead.post(`/en/chats/${SLUG}/state`, form)).text).to.contain('Pause');
  });

  it(
    'works without JavaScript: a form, a page, and what ' + 'was typed kept when it is refused',
    async () => {
      const browser = world.browser();
      await browser.welcome((await browser.signIn('x', 'fan5')).text, {});
      const page = await browser.go(`/en/chats/${SLUG}`);
      const form = browser.form(page.text, `/chats/${SLUG}/say`);
      form.set('text', 'by form');
      expect((await browser.post(`/en/chats/${SLUG}/say`, form)).text).to.contain('by form');
      form.set('text', 'x'.repeat(300));
      const refused = await browser.post(`/en/chats/${SLUG}/say`, form);
      expect(refused.status).to.equal(400);
      expect(refused.text).to.contain('1 to 280').and.contain('x'.repeat(300));
    },
  );

  it('tells points to the fan\u2019s open pages', async () => {
    const { token } = await world.fan('fan2');
    const socket = world.socket(token);
    const told = new Promise<{ points: number; items: unknown[]; seq: number }>((resolve) => {
      socket.on('points:awarded', resolve);
    });
    await new Promise<void>((resolve) => {
      socket.on('connect', () => {
        resolve();
      });
    });
    world.sandbox.world.relate(
      'x',
      world.sandbox.world.person('fan2') as never,
      world.sandbox.world.person('athlete1') as never,
      true,
    );
    await world.api('/athletes/athlete1/follow', { method: 'POST', token, body: { network: 'x' } });
    expect(await told).to.include({ points: 1, seq: 1 });
  });
});

describe('chat limits', () => {
  let world: World;
  before(async () => {
    world = await startWorld({ limitScale: 1, sockets: true });
    await world.athletes();
    await world.room('r');
  });
  after(() => world.close());
  const say = (token: string, clientId: string) =>
    world.api('/chats/r/messages', { method: 'POST', token, body: { text: 'go', clientId } });

  it('let five messages through in five seconds and say how long to wait', async () => {
    const { token } = await world.fan('fast');
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_x, n) => say(token, `client-${n}-abcdef`)),
    );
    expect(answers.filter((answer) => answer.status === 201)).to.have.length(5);
    const refused = answers.find((answer) => answer.status === 429);
    expect(refused?.body).to.include({ id: 'rate_limited' });
    expect(Number(refused?.headers.get('retry-after'))).to.be.greaterThan(0);
  });

  it(
    'count what is refused as well, before anybody looks at its text: by the API, ' +
      'a socket or a form',
    async () => {
      const long = '\u00e9\u4e00'.repeat(1000);
      const ids = Array.from({ length: 8 }, (_x, n) => `client-long-${n}-abc`);
      const inOrder = <T>(answers: T[]): T[] => answers.sort();
      const expected = [400, 400, 400, 400, 400, 429, 429, 429];
      const { token } = await world.fan('talker');
      const said = await Promise.all(
        ids.map((clientId) =>
          world.api('/chats/r/messages', { method: 'POST', token, body: { text: long, clientId } }),
        ),
      );
      expect(inOrder(said.map(({ status }) => status))).to.deep.equal(expected);
      const socket = world.socket((await world.fan('shouter')).token);
      const heard = await Promise.all(
        ids.map((clientId) =>
          socket.timeout(5000).emitWithAck('chat:say', { chat: 'r', text: long, clientId }),
        ),
      );
      expect(
        inOrder((heard as { error?: { id: string } }[]).map(({ error }) => error?.id ?? 'said')),
      ).to.deep.equal(expected.map((status) => (status === 400 ? 'bad_input' : 'rate_limited')));
      const browser = world.browser();
      await browser.welcome((await browser.signIn('x', 'fan3')).text, {});
      const page = (await browser.go('/en/chats/r')).text;
      const sent = await Promise.all(
        ids.map((clientId) => {
          const form = browser.form(page, '/chats/r/say');
          form.set('text', long);
          form.set('clientId', clientId);
          return browser.post('/en/chats/r/say', form);
        }),
      );
      expect(inOrder(sent.map(({ status }) => status))).to.deep.equal(expected);
    },
  );

  it('are not used up by repeats of what was said, by the API, a socket or a form', async () => {
    const { token, fan } = await world.fan('patient');
    const first = await say(token, 'client-again-0001');
    const again = await Promise.all(
      Array.from({ length: 20 }, () => say(token, 'client-again-0001')),
    );
    expect(again.map((each) => each.status)).to.deep.equal(again.map(() => 201));
    expect(new Set(again.map((each) => JSON.stringify(each.body['item'])))).to.deep.equal(
      new Set([JSON.stringify(first.body['item'])]),
    );
    const socket = world.socket(token);
    const message = { chat: 'r', text: 'go', clientId: 'client-again-0001' };
    for (let n = 0; n < 7; n += 1)
      expect(await socket.timeout(5000).emitWithAck('chat:say', message)).to.have.nested.property(
        'data.item.n',
        (first.body as unknown as { item: ChatItem }).item.n,
      );
    expect(
      Number(
        (await world.context.redis.commands.get(
          `${world.context.redis.prefix}limit:say:${fan._id}`,
        )) ?? 1,
      ),
    ).to.equal(1);
    const browser = world.browser();
    await browser.welcome((await browser.signIn('x', 'fan4')).text, {});
    const form = browser.form((await browser.go('/en/chats/r')).text, '/chats/r/say');
    form.set('text', 'by form');
    for (let n = 0; n < 7; n += 1)
      expect((await browser.post('/en/chats/r/say', form)).status).to.equal(200);
  });

  it(
    'hold for who says everything twice, and for who ' + 'repeats one thing without an end',
    async () => {
      const { token, fan } = await world.fan('sly');
      const said = Array.from({ length: 20 }, (_x, n) => `client-twice-${n}-abc`);
      for (let round = 0; round < 2; round += 1)
        await Promise.all(said.map((clientId) => say(token, clientId)));
      // At most five each time, and none because it was refused before.
      const stored = await world.context.connection
        .collection('chat_items')
        .countDocuments({ chat: 'r', fan: fan._id });
      expect(stored).to.be.within(5, 10);
      const { token: stubborn } = await world.fan('stubborn');
      const answers = [];
      for (let part = 0; part < 5; part += 1)
        answers.push(
          ...(await Promise.all(
            Array.from({ length: 20 }, () => say(stubborn, 'client-stubborn-01')),
          )),
        );
      expect(answers.some((answer) => answer.status === 429)).to.equal(true);
    },
  );
});
