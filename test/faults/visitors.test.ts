import { expect } from 'chai';
import { doorsOf, pathOf } from '../support/doors.js';
import { startWorld, type World } from '../support/world.js';

/** Begins to sign in with this cookie and form token; answers the status. */
const signIn = async (world: World, cookie: string, csrf: string): Promise<number> => {
  const answer = await fetch(`${world.url}/en/sign-in/x`, {
    method: 'POST',
    redirect: 'manual',
    headers: {
      'sec-fetch-site': 'same-origin',
      'content-type': 'application/x-www-form-urlencoded',
      cookie,
    },
    body: new URLSearchParams({ csrf }),
  });
  return answer.status;
};

/** Who has not signed in costs nothing that lasts, and cannot be made to (RELIABILITY S6, S7). */
describe('a visitor', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.athletes();
    await world.verify('athlete1', 'x');
    await world.room('room');
  });
  after(() => world.close());
  const stored = async (): Promise<{ documents: number; keys: string[] }> => {
    const { connection, redis } = world.context;
    return {
      documents: await connection.collection('sessions').countDocuments(),
      keys: await redis.commands.keys(`${redis.prefix}session:*`),
    };
  };
  it(
    'who reads every public page, and the page of signing in again and again, ' +
      'leaves no session anywhere',
    async () => {
      const doors = doorsOf(world.context).filter(
        ({ method, path, rule }) =>
          method === 'get' && rule.who === 'anyone' && !path.startsWith('/auth/'),
      );
      for (const door of doors)
        for (const lang of ['fr', 'en'] as const) await world.browser().go(pathOf(door, lang));
      const browser = world.browser();
      for (let n = 0; n < 50; n += 1) {
        await world.browser().go('/en/sign-in');
        await browser.go('/en/sign-in');
      }
      expect(await stored()).to.deep.equal({ documents: 0, keys: [] });
    },
  );

  it(
    'cannot be signed in by somebody else’s form: without their own cookie, or ' +
      'with a token made for another, nothing begins',
    async () => {
      const [mine, theirs] = [world.browser(), world.browser()];
      const [a, b] = [await mine.go('/en/sign-in'), await theirs.go('/en/sign-in')];
      const token = mine.form(a.text, '/sign-in/x').get('csrf') ?? '';
      const other = theirs.form(b.text, '/sign-in/x').get('csrf') ?? '';
      for (const [cookie, csrf] of [
        ['', token],
        [mine.cookie, other],
        [theirs.cookie, token],
        [mine.cookie, ''],
        [mine.cookie, token.slice(0, -2)],
        [mine.cookie, `${token.slice(0, 4)}AAAA${token.slice(8)}`],
        [mine.cookie.replace(/=.*/, '='), token],
      ] as const)
        expect(await signIn(world, cookie, csrf), `${cookie} ${csrf}`).to.equal(403);
      expect(await stored()).to.deep.equal({ documents: 0, keys: [] });
      expect(await signIn(world, mine.cookie, token)).to.equal(303);
      await world.context.connection.collection('sessions').deleteMany({});
    },
  );

  it(
    'gets another form token with every page, each good ' + 'for as long as the browser is open',
    async () => {
      const browser = world.browser();
      const tokens: string[] = [];
      for (let n = 0; n < 4; n += 1)
        tokens.push(
          browser.form((await browser.go('/en/sign-in')).text, '/sign-in/x').get('csrf') ?? '',
        );
      // Compressed beside something that the address puts into the page, a token that stays the same
      // could be guessed letter by letter (BREACH).
      for (let at = 0; at < 60; at += 8)
        expect(new Set(tokens.map((token) => token.slice(at, at + 8))).size, `part ${at}`).to.equal(
          tokens.length,
        );
      for (const token of tokens) expect(await signIn(world, browser.cookie, token)).to.equal(303);
      await world.context.connection.collection('sessions').deleteMany({});
    },
  );
});

describe('a visitor of an address that begins many logins', () => {
  let world: World;
  /** Logins that one address may begin. */
  const MOST = 6;
  before(async () => {
    world = await startWorld({ limitScale: MOST / 300 });
  });
  after(() => world.close());

  it('has a session for ten minutes, and no more of them than the limit lets begin', async () => {
    const sessions = world.context.connection.collection('sessions');
    const browser = world.browser();
    const csrf =
      browser.form((await browser.go('/en/sign-in')).text, '/sign-in/x').get('csrf') ?? '';
    expect(await signIn(world, browser.cookie, csrf)).to.equal(303);
    const [begun] = await sessions.find().toArray();
    expect((begun?.['expires'] as Date).getTime() - world.clock.now().getTime()).to.be.within(
      1,
      600_000,
    );
    const statuses: number[] = [];
    for (let n = 0; n < MOST * 3; n += 1) statuses.push(await signIn(world, browser.cookie, csrf));
    expect(statuses.filter((statuse) => statuse === 303)).to.have.length(MOST - 1);
    expect(statuses.filter((statuse) => statuse === 429)).to.have.length(MOST * 2 + 1);
    expect(await sessions.countDocuments()).to.equal(MOST);
  });
});

describe('the first page', () => {
  let world: World;
  /** Answers to it that one address may send. */
  const MOST = 12;
  before(async () => {
    world = await startWorld({ limitScale: MOST / 600 });
  });
  after(() => world.close());

  it(
    'invents no name for whoever has proved no account; whoever has may try so ' +
      'many and no more',
    async () => {
      const { names } = world.context.fans;
      const invent = names.invent.bind(names);
      let invented = 0;
      names.invent = (...given) => {
        invented += 1;
        return invent(...given);
      };
      const welcome = async (form: URLSearchParams, cookie: string): Promise<number> => {
        form.set('another', '');
        const headers = { cookie, origin: world.url, 'sec-fetch-site': 'same-origin' };
        return (
          await fetch(`${world.url}/en/welcome`, {
            method: 'POST',
            redirect: 'manual',
            body: form,
            headers,
          })
        ).status;
      };
      const visitor = world.browser();
      const form = visitor.form((await visitor.go('/en/sign-in')).text, '/sign-in/x');
      expect([await welcome(form, visitor.cookie), invented]).to.deep.equal([400, 0]);
      const newcomer = world.browser();
      const page = await newcomer.signIn('facebook', 'fan3');
      const statuses: number[] = [];
      for (let n = 0; n < MOST * 2; n += 1)
        statuses.push(await welcome(newcomer.form(page.text, ''), newcomer.cookie));
      expect(statuses.filter((statuse) => statuse === 200)).to.have.length(MOST - 1);
      expect(statuses.filter((statuse) => statuse === 429)).to.have.length(MOST + 1);
    },
  );
});
