import { expect } from 'chai';
import fc from 'fast-check';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import type { ChatItem } from '../../server/wire.js';
import { until } from '../support/until.js';
import { startWorld, type TestSocket, type World } from '../support/world.js';

type State = 'soon' | 'live' | 'paused' | 'ended';
/**
 * What a chat may become, written down here once more on purpose: the table of the hub must not
 * change unnoticed.
 */
const MAY: Record<State, State[]> = {
  soon: ['live'],
  live: ['paused', 'ended'],
  paused: ['live', 'ended'],
  ended: ['live'],
};
const STATES = Object.keys(MAY) as State[];
const ORGANISER = { id: 'o', name: 'o', roles: ['organiser'] };
const ANYBODY = { id: 'x', name: 'x', roles: [] };

describe('the state of a chat', function () {
  this.timeout(90_000);
  let world: World;
  let other: Context;
  let rooms = 0;
  const id = (): string => `client-${Math.random().toString(36).slice(2)}-state`;
  const fail = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (error: unknown) => (error as { id?: string }).id ?? String(error),
    );
  /** A new room of its own, and in it a reader. */
  const room = async (): Promise<{
    slug: string;
    socket: TestSocket;
    heard: ChatItem[];
    lasts: number[];
  }> => {
    const slug = `state-${(rooms += 1)}`;
    await world.room(slug);
    const socket = world.socket((await world.fan('reader')).token);
    const [heard, lasts]: [ChatItem[], number[]] = [[], []];
    socket.on('chat:state', ({ chat, items }) => {
      if (chat === slug) heard.push(...items);
    });
    socket.on('chat:presence', ({ chat, last }) => {
      if (chat === slug) lasts.push(last);
    });
    await socket.timeout(5000).emitWithAck('chat:join', { chat: slug });
    return { slug, socket, heard, lasts };
  };
  const stateOf = async (slug: string): Promise<unknown> =>
    (await world.context.connection.collection('chats').findOne({ _id: slug as never }))?.['state'];
  const told = async (slug: string): Promise<string[]> =>
    (
      await world.context.connection
        .collection('chat_items')
        .find({ chat: slug, kind: 'state' })
        .sort({ n: 1 })
        .toArray()
    ).map((item) => item['text'] as string);
  /** Items cannot be stored in this process until what is answered is called. */
  const noItems = (context: Context): (() => void) => {
    const { db } = context.connection;
    if (!db) throw new Error('no store');
    const command = db.command.bind(db);
    db.command = (each: Record<string, unknown>, ...rest: []) =>
      each['insert'] === 'chat_items'
        ? Promise.reject(new Error('ended here'))
        : command(each, ...rest);
    return () => {
      db.command = command;
    };
  };

  before(async () => {
    world = await startWorld({ sockets: true });
    other = await createContext(readConfig(world.env), 'other', {
      log: pino({ level: 'silent' }),
      search: false,
    });
    await world.athletes();
    await world.verify('athlete1', 'x');
  });
  after(async () => {
    await other.close();
    await world.close();
  });

  it(
    'goes only where it may, whatever is asked in whatever order by two at once, ' +
      'and the room is told each step once',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...STATES),
          fc.array(fc.tuple(fc.boolean(), fc.constantFrom(...STATES)), { maxLength: 8 }),
          async (from, asked) => {
            const slug = `steps-${(rooms += 1)}`;
            await world.room(slug);
            await world.context.connection
              .collection('chats')
              .updateOne({ _id: slug as never }, { $set: { state: from } });
            let now: State = from;
            const steps: State[] = [];
            for (const [here, to] of asked) {
              const answer = await fail(
                (here ? world.context : other).chats.setState(ORGANISER, slug, to),
              );
              const may = to === now || MAY[now].includes(to);
              expect(answer, `${now} to ${to}`).to.equal(may ? 'done' : 'chat_turn');
              if (may && to !== now) steps.push((now = to));
            }
            expect([await stateOf(slug), await told(slug)]).to.deep.equal([now, steps]);
            // And all at the same time: one way through the table, whoever was first.
            await Promise.all(
              asked.map(([here, to]) =>
                fail((here ? world.context : other).chats.setState(ORGANISER, slug, to)),
              ),
            );
            const all = await told(slug);
            for (const [at, to] of all.entries())
              expect(
                MAY[(all[at - 1] as State | undefined) ?? from],
                `${all.join()} from ${from}`,
              ).to.include(to);
            expect(await stateOf(slug)).to.equal(all.at(-1) ?? from);
          },
        ),
        { numRuns: 12 },
      );
    },
  );

  it('is refused by the form too where it may not go, with a word about why', async () => {
    const slug = `form-${(rooms += 1)}`;
    await world.room(slug);
    await world.context.connection
      .collection('chats')
      .updateOne({ _id: slug as never }, { $set: { state: 'soon' } });
    const lead = world.browser();
    const page = await lead.signIn('x', 'athlete1');
    if (page.url.endsWith('/welcome')) await lead.welcome(page.text, {});
    await world.context.fans.setRole(
      (await world.context.fans.resolve('x:athlete1'))?._id ?? '',
      'organiser',
      true,
      'test',
    );
    await lead.signIn('x', 'athlete1');
    const form = lead.form((await lead.go(`/en/chats/${slug}`)).text, `/chats/${slug}/state`);
    form.set('state', 'ended');
    const answer = await lead.post(`/en/chats/${slug}/state`, form);
    expect([answer.status, await stateOf(slug)]).to.deep.equal([409, 'soon']);
    expect(answer.text).to.contain('cannot go to that state');
  });

  it(
    'that was stored by one who ended before the room was told is told when it is ' +
      'asked for again',
    async () => {
      const { slug, heard } = await room();
      const restore = noItems(world.context);
      expect(await fail(world.context.chats.setState(ORGANISER, slug, 'paused'))).to.not.equal(
        'done',
      );
      restore();
      expect([await stateOf(slug), heard]).to.deep.equal(['paused', []]);
      expect(await fail(world.context.chats.setState(ORGANISER, slug, 'paused'))).to.equal('done');
      await until(() => heard.length > 0);
      expect([heard.map((item) => item.text), await told(slug)]).to.deep.equal([
        ['paused'],
        ['paused'],
      ]);
    },
  );

  it(
    'that was stored by one who ended before the room was told is told by the ' +
      'room itself when nobody asks again',
    async () => {
      const { slug, heard } = await room();
      const restore = noItems(other);
      expect(await fail(other.chats.setState(ORGANISER, slug, 'paused'))).to.not.equal('done');
      restore();
      await until(() => heard.length > 0);
      expect([heard.map((item) => item.text), await told(slug)]).to.deep.equal([
        ['paused'],
        ['paused'],
      ]);
    },
  );

  it('reaches a room on another process although every message of the bus is lost', async () => {
    const { slug, socket, heard, lasts } = await room();
    other.bus.tell = () => undefined;
    world.context.bus.tell = () => undefined;
    await other.chats.setState(ORGANISER, slug, 'paused');
    // The room learns that there is something it has not seen …
    await until(() => lasts.some((last) => last >= 1));
    const answer = (await socket
      .timeout(5000)
      .emitWithAck('chat:join', { chat: slug, after: 0 })) as {
      data: { state: string; items: ChatItem[] };
    };
    expect([answer.data.state, answer.data.items.map((item) => item.text)]).to.deep.equal([
      'paused',
      ['paused'],
    ]);
    // … and takes nothing that is said too late.
    expect(await fail(world.context.chats.say(ANYBODY, slug, 'too late', id()))).to.equal(
      'chat_closed',
    );
    await other.chats.setState(ORGANISER, slug, 'live');
    await until(
      async () => (await fail(world.context.chats.say(ANYBODY, slug, 'again', id()))) === 'done',
    );
    expect(heard).to.deep.equal([]);
    Reflect.deleteProperty(other.bus, 'tell');
    Reflect.deleteProperty(world.context.bus, 'tell');
  });
});

describe('a store that hangs', function () {
  this.timeout(60_000);
  let world: World;
  before(async () => {
    world = await startWorld({ sockets: true });
    await world.athletes();
    await world.room('room');
  });
  after(() => world.close());

  it(
    'is waited for no longer than two seconds; what it took meanwhile is told ' +
      'once it is known, and a repeat finds it',
    async () => {
      const socket = world.socket((await world.fan('ann')).token);
      const heard: ChatItem[] = [];
      socket.on('chat:said', ({ items }) => {
        heard.push(...items);
      });
      await socket.timeout(5000).emitWithAck('chat:join', { chat: 'room' });
      const say = (text: string): Promise<ChatItem | string> =>
        world.context.chats.say(ANYBODY, 'room', text, `client-of-${text}`).then(
          ({ item }) => item,
          (error: unknown) => (error as { id: string }).id,
        );
      const first = await say('before');
      const { db } = world.context.connection;
      if (!db) throw new Error('no store');
      const command = db.command.bind(db);
      // The store takes what it is given, and answers when it is let go.
      let letGo: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      db.command = async (each: Record<string, unknown>, ...rest: []) => {
        const answer = await command(each, ...rest);
        if (each['insert'] === 'chat_items') await gate;
        return answer;
      };
      // Both the one on its way and the one that waits behind it.
      const hanging = say('taken');
      await until(
        async () =>
          (await world.context.connection
            .collection('chat_items')
            .countDocuments({ text: 'taken' })) === 1,
      );
      expect(await Promise.all([hanging, say('behind')])).to.deep.equal([
        'unavailable',
        'unavailable',
      ]);
      db.command = command;
      letGo();
      await until(() => heard.some((item) => item.text === 'taken'));
      const again = await say('taken');
      const after = await say('after');
      const numbers = [first, again, after].map((item) =>
        typeof item === 'string' ? item : item.n,
      );
      const stored = await world.context.connection
        .collection('chat_items')
        .find({ chat: 'room' })
        .sort({ n: 1 })
        .toArray();
      expect(stored.map((item) => item['n'] as number)).to.deep.equal(
        stored.map((_item, at) => at + 1),
      );
      expect(numbers.every((n) => typeof n === 'number')).to.equal(true);
      expect(stored.filter((item) => item['text'] === 'taken')).to.have.length(1);
    },
  );
});
