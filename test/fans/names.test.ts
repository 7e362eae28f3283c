import { expect } from 'chai';
import fc from 'fast-check';
import mongoose from 'mongoose';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext } from '../../server/context.js';
import { asName, faultOf, nameKey, NAME_SIGNS, traitsOf } from '../../server/fans/naming.js';
import { signsOf } from '../../server/platform/text.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';
import type { Browser } from '../support/browserless.js';

describe('what may be a name', () => {
  for (const name of [
    ...[
      'moderator1',
      'Modératrice',
      'modération',
      'M0d3r4t0r',
      'Mоdеrаtor',
      'ᴍoderator',
      '🅜🅞🅓',
      '🇲🇴🇩',
      'm o d',
      'TheMod',
      'modo',
    ],
    ...[
      'admin',
      'ADMIN2',
      'adm1n',
      'Adrnin',
      '4dmin',
      'A.d.m.i.n',
      'Sysadmin',
      'Administratrice',
      '𝓐dmin',
      'addmin',
      'ad\u200bmin',
      'Ádmïn',
    ],
    ...[
      'organiser1',
      'Organisateur',
      'organizer',
      'Village',
      'Le Village officiel',
      'vil1age',
      'The Official',
      'officielle',
      'Staff',
      'support',
      'Athlète',
      'athlete1',
    ],
    ...['bénévole', 'Volunteer 7', 'host', 'everyone'],
  ])
    it(`is not ${name}, which sounds like the hub`, () => {
      expect(faultOf(asName(name))).to.equal('name_reserved');
    });

  for (const name of [
    'Ana',
    'fan1',
    'badminton fan',
    'Staffan',
    'Modeste',
    'Renard agile',
    'Romain',
    'Organic',
    'Édith',
    '陽子',
    'Мария',
    'नेहा',
    'Zoé 🏅',
    "O'Brien",
    'x',
    'Mode',
    'B 52',
  ])
    it(`is ${name}`, () => {
      expect(faultOf(asName(name))).to.equal(null);
    });

  for (const [name, fault] of [
    ['', 'name_empty'],
    [' \u200b\u3164\u2800\ufeff ', 'name_empty'],
    ['🏅🏅', 'name_letters'],
    ['...', 'name_letters'],
    ['a'.repeat(31), 'name_long'],
    ['a'.repeat(3000), 'name_long'],
    ['👨\u200d👩\u200d👧\u200d👦'.repeat(20) + 'a', 'name_long'],
  ] as const)
    it(`is not ${JSON.stringify(name.slice(0, 12))} of ${name.length} (${fault})`, () => {
      expect(faultOf(asName(name))).to.equal(fault);
    });

  it('can be seen, ends, and has a key of its own, whatever is typed', () => {
    const typed = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.string({ unit: 'grapheme', maxLength: 60 }),
    );
    fc.assert(
      fc.property(typed, (text) => {
        const name = asName(text);
        if (faultOf(name) !== null) return;
        expect(signsOf(name).length).to.be.within(1, NAME_SIGNS);
        expect(name).to.match(/[\p{L}\p{N}]/u);
        expect(name).to.not.match(/[\p{Cc}\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f]/u);
        expect(nameKey(name)).to.not.equal('');
        expect(asName(name)).to.equal(name);
      }),
      { numRuns: 3000 },
    );
  });

  it(
    'is no moderator however capitals, accents, blanks, unseen signs and look-alikes are ' +
      'mixed in',
    () => {
      const looks: Record<string, string[]> = {
        a: ['а', 'á', '4', '@', 'Ａ', '🅐'],
        d: ['ԁ', 'ḍ', 'ᴅ'],
        m: ['м', 'rn', 'ｍ', 'ᴍ'],
        i: ['1', 'l', 'і', 'ï', '|'],
        n: ['ñ', 'ｎ', 'ɴ'],
        o: ['о', '0', 'ö', 'ο'],
        e: ['е', '3', 'é'],
        t: ['ţ', 'ｔ'],
        r: ['ř', 'ʀ'],
      };
      const unseen = ['', '', '', '\u200b', '\u00ad', '\u2060', '.', '_', ' ', '\u0301'];
      const disguised = fc
        .tuple(
          fc.constantFrom('admin', 'moderator'),
          fc.array(fc.nat(1000), { minLength: 9, maxLength: 9 }),
        )
        .map(([word, picks]) =>
          Array.from(word)
            .map((letter, at) => {
              const pick = picks[at] ?? 0;
              const all = [letter, letter.toUpperCase(), ...(looks[letter] ?? [])];
              return `${all[pick % all.length] ?? letter}${unseen[pick % unseen.length] ?? ''}`;
            })
            .join(''),
        );
      fc.assert(
        fc.property(disguised, (name) => {
          expect(faultOf(asName(name)), name).to.equal('name_reserved');
        }),
        { numRuns: 2000 },
      );
    },
  );

  const passes = (name: string): boolean =>
    traitsOf(asName(name)).some((trait) => traitsOf('Maëlle Kervran').includes(trait));
  for (const name of [
    'Maëlle Kervran',
    'maelle KERVRAN',
    'Kervran Maëlle',
    'Maelle_Kervran1',
    'MaelleKervran',
    'The Real Maëlle Kervran',
    'M a e l l e K e r v r a n',
    'Mаёllе Kеrvrаn',
    'Maëlle Kervran 🥇',
    'maëIIe kervran',
  ])
    it(`passes for an athlete as ${name}`, () => {
      expect(passes(name)).to.equal(true);
    });
  for (const name of ['Maëlle', 'Fan de Maëlle Kervran', 'Kervran Yann', 'Team Kervran'])
    it(`does not pass for her as ${name}`, () => {
      expect(passes(name)).to.equal(false);
    });
});

describe('what fans are called', () => {
  let world: World;
  const REAL = 'Name of';
  before(async () => {
    world = await startWorld({ sockets: true });
    await world.athletes();
    await world.context.points.heal();
    await world.verify('athlete1', 'facebook');
    const { fan } = await world.fan('holder');
    await world.context.fans.rename(fan._id, 'Held Name1');
  });
  after(() => world.close());

  const suggested = (html: string): string =>
    /name="name"[^>]* value="([^"]*)"/.exec(html)?.[1] ?? '';
  const rename = async (browser: Browser, name: string, lang = 'en') => {
    const page = await browser.go(`/${lang}/me/settings`);
    const fields = browser.form(page.text, '/me/name');
    fields.set('name', name);
    return browser.post(`/${lang}/me/name`, fields);
  };
  const newcomer = async (handle: string, network: 'x' | 'facebook' = 'x') => {
    world.sandbox.world.add({ handle, name: `${REAL} ${handle}` });
    const browser = world.browser();
    const page = await browser.signIn(network, handle);
    expect(page.url).to.match(/\/en\/welcome$/);
    return { browser, page };
  };
  const fanCalled = async (handle: string) =>
    world.context.connection.collection('fans').findOne({ handle });

  it('is the public handle for somebody from X, if they keep what is proposed', async () => {
    const { browser, page } = await newcomer('sailor_9');
    expect(suggested(page.text)).to.equal('sailor_9');
    await browser.welcome(page.text, {});
    expect((await browser.go('/en/me/settings')).text).to.contain('value="sailor_9"');
  });

  it(
    'is an invented name for somebody from Facebook, and the name that Facebook has is ' +
      'nowhere: no page, no board, no room, no record',
    async () => {
      const { browser, page } = await newcomer('secretive', 'facebook');
      const name = suggested(page.text);
      expect(name).to.match(/^[A-Z][a-z]+ [A-Z][a-z]+( \d+)?$/);
      const said: string[] = [page.text, (await browser.welcome(page.text, {})).text];
      const fan = (await fanCalled(name)) as unknown as { _id: string };
      const token = await world.context.tokens.create(fan._id, 'test');
      await world.room('quiet-room');
      await world.context.points.record({
        fan: fan._id,
        deed: 'like:facebook:1',
        want: 'give',
        facts: { account: '1', on: 'account', athlete: 'a', disciplines: ['judo'] },
        cause: 'hub_click',
        act: null,
        card: 'facebook@1:hub',
        link: null,
        evidence: null,
        askedAt: new Date(),
      });
      await world.settle();
      const spoken = await world.api('/chats/quiet-room/messages', {
        method: 'POST',
        token,
        body: { text: 'hello', clientId: 'first-words' },
      });
      expect(spoken.body).to.have.nested.property('item.by.name', name);
      for (const path of [
        '/en/me',
        '/en/me/settings',
        '/en/boards/hub',
        '/en/chats/quiet-room',
        '/en',
      ])
        said.push((await browser.go(path)).text);
      for (const path of [
        '/me',
        '/boards/hub?around=me',
        '/chats/quiet-room/messages',
        '/me/ledger',
      ])
        said.push(JSON.stringify((await world.api(path, { token })).body));
      expect((await world.api('/me', { token })).body).to.include({ handle: name });
      expect((await world.api('/boards/hub?around=me', { token })).body).to.have.nested.property(
        'items[0].fan',
        name,
      );
      for (const one of await world.context.connection.listCollections())
        said.push(
          JSON.stringify(await world.context.connection.collection(one.name).find().toArray()),
        );
      for (const text of said) expect(text).to.not.match(/Name of secretive/i);
    },
  );

  it(
    'is invented in the language of the page, and another one where the first is not liked, ' +
      'with nothing typed lost',
    async () => {
      world.sandbox.world.add({ handle: 'choosy', name: `${REAL} choosy` });
      const browser = world.browser();
      const page = await browser.signIn('facebook', 'choosy', 'allow', 'fr');
      const first = suggested(page.text);
      expect(first).to.match(/^\p{Lu}\p{Ll}+ \p{Ll}+( \d+)?$/u);
      const fields = browser.form(page.text, '');
      for (const [name, value] of Object.entries({
        birthYear: '1983',
        country: 'BE',
        language: 'fr',
        consent: 'yes',
        another: '1',
      }))
        fields.set(name, value);
      const again = await browser.post('/fr/welcome', fields);
      expect(again.status).to.equal(200);
      expect(suggested(again.text)).to.not.be.oneOf(['', first]);
      expect(again.text)
        .to.contain('value="1983"')
        .and.match(/value="BE" selected/)
        .and.match(/value="yes" checked/);
    },
  );

  for (const [name, why] of [
    ['moderator7', 'badge only'],
    ['Maelle  Kervran', 'verified athlete'],
    ['ATHLETE1', 'badge only'],
    ['\u202e\u200b', 'can be seen'],
    ['\u{1f3c5}', 'letter or figure'],
    ['y'.repeat(3000), '30 signs at most'],
    ['héld name-l', 'already'],
  ] as const)
    it(
      `is not ${JSON.stringify(name.slice(0, 20))}: the first page says why, keeps what was ` +
        'typed, has the field in focus, and makes no fan',
      async () => {
        const { browser, page } = await newcomer(`t_${name.length}_${why.slice(0, 3).trim()}`);
        const fans = await world.context.connection.collection('fans').countDocuments();
        const back = await browser.welcome(page.text, { name, birthYear: '1971' });
        expect(back.status).to.equal(400);
        expect(back.text)
          .to.contain(why)
          .and.contain('value="1971"')
          .and.match(/id="name"[^>]*aria-invalid="true" autofocus/);
        if (!/[\u202e]/.test(name)) expect(back.text).to.contain(`value="${name}"`);
        expect(await world.context.connection.collection('fans').countDocuments()).to.equal(fans);
        const home = await browser.welcome(back.text, {
          name: `Good ${name.length} ${why.slice(0, 3)}`,
        });
        expect(home.status).to.equal(200);
      },
    );

  it('is theirs where the first page is sent twice at once: both answers let the same fan in', async () => {
    world.sandbox.world.add({ handle: 'twice', name: 'Name of twice' });
    const browser = world.browser();
    const page = await browser.signIn('facebook', 'twice');
    const form = browser.form(page.text, '');
    for (const [field, value] of Object.entries({
      birthYear: '1990',
      country: 'FR',
      language: 'en',
      consent: 'yes',
      name: 'Twice Sent',
    }))
      form.set(field, value);
    const before = await world.context.connection.collection('fans').countDocuments();
    const { cookie } = browser;
    const answers = await Promise.all(
      [1, 2, 3].map(() =>
        fetch(`${world.url}/en/welcome`, {
          method: 'POST',
          redirect: 'manual',
          body: form,
          headers: { cookie, origin: world.url, 'sec-fetch-site': 'same-origin' },
        }),
      ),
    );
    expect(answers.map(({ status }) => status)).to.deep.equal([303, 303, 303]);
    expect(await world.context.connection.collection('fans').countDocuments()).to.equal(before + 1);
  });

  it('is theirs where two processes get the same first page at once: both find the same fan', async () => {
    const other = await createContext(readConfig(world.env), 'other', {
      clock: world.clock,
      log: pino({ level: 'silent' }),
      search: false,
    });
    try {
      for (let round = 0; round < 10; round += 1) {
        const tokens = { accessToken: 'a', refreshToken: 'r', expiresAt: null, scopes: [] };
        const linked = {
          account: { network: 'x' as const, id: `both${round}`, handle: `both${round}` },
          manages: [],
          tokens,
        };
        const answers = {
          birthYear: 1990,
          country: 'FR',
          language: 'en',
          name: `Of both ${round}`,
        };
        const fans = await Promise.all(
          [world.context, other].map(({ fans }) => fans.create(linked as never, answers)),
        );
        expect(new Set(fans.map((fan) => fan._id)).size, `round ${round}`).to.equal(1);
      }
    } finally {
      await other.close();
    }
  });

  it('is theirs, and so is the account, though the store linked it without an answer', async () => {
    const tokens = { accessToken: 'a', refreshToken: 'r', expiresAt: null, scopes: [] };
    const linked = {
      account: { network: 'x' as const, id: 'unanswered', handle: 'unanswered' },
      manages: [],
      tokens,
    };
    const answers = { birthYear: 1990, country: 'FR', language: 'en', name: 'Never answered' };
    const { identities } = world.context.fans;
    const link = identities.link.bind(identities);
    Object.assign(identities, {
      link: async (...of: Parameters<typeof link>) => {
        await link(...of);
        throw new mongoose.mongo.MongoNetworkError('no answer');
      },
    });
    const made = await world.context.fans
      .create(linked as never, answers)
      .finally(() => Reflect.deleteProperty(identities, 'link'));
    expect((await world.context.fans.create(linked as never, answers))._id).to.equal(made._id);
    expect((await world.context.fans.get(made._id))?.handle).to.equal('Never answered');
  });

  it('is what an athlete is called for the athlete alone', async () => {
    await world.verify('athlete4', 'x');
    const athlete = world.browser();
    const first = await athlete.signIn('x', 'athlete4');
    expect((await athlete.welcome(first.text, { name: 'Haruka Tanabe' })).status).to.equal(200);
    expect(await fanCalled('Haruka Tanabe')).to.not.equal(null);
    const { browser, page } = await newcomer('admirer');
    expect((await browser.welcome(page.text, { name: 'Tanabe Haruka' })).text).to.contain(
      'verified athlete',
    );
  });

  it(
    'is no handle of a verified account, and no handle of X either that sounds like the hub: ' +
      'another name is proposed',
    async () => {
      const { page } = await newcomer('official_x');
      expect(suggested(page.text)).to.match(/^[A-Z][a-z]+ [A-Z][a-z]+/);
    },
  );

  it('can be changed: boards, rooms and the socket follow, also for what was said before', async () => {
    await world.room('second-room');
    const { fan, token } = await world.fan('changer');
    const browser = world.browser();
    await browser.signIn('x', 'changer');
    await world.context.points.record({
      fan: fan._id,
      deed: 'follow:x:2',
      want: 'give',
      facts: { account: '2', on: 'account', athlete: 'b', disciplines: ['judo'] },
      cause: 'hub_click',
      act: null,
      card: 'x@1:hub',
      link: null,
      evidence: null,
      askedAt: new Date(),
    });
    await world.settle();
    await world.api('/chats/second-room/messages', {
      method: 'POST',
      token,
      body: { text: 'before', clientId: 'said-before' },
    });
    const done = await rename(browser, '  Étoile\u200b du  Nord ');
    expect(done.status).to.equal(200);
    expect(done.text).to.contain('Done.').and.contain('value="Étoile du Nord"');
    const listed = async () =>
      (await world.api('/boards/hub')).body as unknown as { items: { fan: string }[] };
    await until(async () => (await listed()).items.some((one) => one.fan === 'Étoile du Nord'));
    expect((await listed()).items.some((one) => one.fan === 'changer')).to.equal(false);
    await world.api('/chats/second-room/messages', {
      method: 'POST',
      token,
      body: { text: 'after', clientId: 'said-after' },
    });
    const { items } = (await world.api('/chats/second-room/messages')).body as unknown as {
      items: { by: { name: string } }[];
    };
    expect(items.map((one) => one.by.name)).to.deep.equal(['Étoile du Nord', 'Étoile du Nord']);
    expect((await world.api('/me', { token })).body).to.include({ handle: 'Étoile du Nord' });
    const socket = world.socket(token);
    const joined = await new Promise<{ data: { items: { by: { name: string } }[] } }>((resolve) => {
      socket.on('connect', () =>
        socket.emit('chat:join', { chat: 'second-room' }, resolve as never),
      );
    });
    expect(JSON.stringify(joined)).to.contain('Étoile du Nord').and.not.contain('changer');
    const score = await world.context.connection
      .collection('scores')
      .findOne({ _id: fan._id as never });
    expect(score).to.have.nested.property('standing.name', 'Étoile du Nord');
  });

  it('is kept as it was, with what was typed and why, where the settings refuse a change', async () => {
    await world.fan('keeper');
    const browser = world.browser();
    await browser.signIn('x', 'keeper');
    for (const [name, why] of [
      ['HELD NAME1', 'Somebody has this name'],
      ['Mоdеrаtor', 'badge only'],
      ['', 'can be seen'],
    ] as const) {
      const back = await rename(browser, name);
      expect(back.status).to.equal(400);
      expect(back.text)
        .to.contain(why)
        .and.contain(`value="${name}"`)
        .and.match(/id="name"[^>]*autofocus/);
    }
    expect(await fanCalled('keeper')).to.not.equal(null);
    expect((await rename(browser, 'keeper')).status, 'their own').to.equal(200);
    expect((await rename(browser, 'KEEPER')).status, 'their own, written otherwise').to.equal(200);
  });

  it('belongs to one of many who want it at the same instant', async () => {
    const fans = await Promise.all(
      ['r1', 'r2', 'r3', 'r4', 'r5'].map((handle) => world.fan(handle)),
    );
    const done = await Promise.allSettled(
      fans.map(({ fan }, at) =>
        world.context.fans.rename(fan._id, `Wanted${' '.repeat(at % 2)}Name`),
      ),
    );
    expect(done.filter((one) => one.status === 'fulfilled')).to.have.length(1);
    for (const one of done)
      if (one.status === 'rejected')
        expect(one.reason).to.have.nested.property('issues[0].issue', 'name_taken');
  });

  it('is given up to an athlete who is verified later', async () => {
    const { fan } = await world.fan('early');
    await world.context.fans.rename(fan._id, 'Lina Costa');
    await world.verify('athlete7', 'x');
    await until(async () => (await world.context.fans.require(fan._id)).handle !== 'Lina Costa');
    const browser = world.browser();
    await browser.signIn('x', 'early');
    expect((await browser.go('/en/me/settings')).text).to.contain('This name is from Village');
  });

  it('can be named by an operator too', async () => {
    const { fan } = await world.fan('operated');
    await world.context.fans.rename(fan._id, 'Plain Person');
    expect((await world.context.fans.resolve('name:plain person'))?._id).to.equal(fan._id);
    expect((await world.context.fans.resolve('x:operated'))?._id).to.equal(fan._id);
    expect((await world.context.fans.resolve('operated'))?._id).to.equal(fan._id);
    for (const nobody of ['name:', 'name:\u200b', 'facebook:', ':', ''])
      expect(await world.context.fans.resolve(nobody), nobody).to.equal(null);
  });
});

describe('a name that the rules no longer allow', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  it('is put in order when its fan signs in, where the news did not come by', async () => {
    const { fan } = await world.fan('later');
    const handle = 'Adm\u200bin';
    await world.context.connection
      .collection('fans')
      .updateOne({ _id: fan._id as never }, { $set: { handle, nameKey: nameKey(handle) } });
    const browser = world.browser();
    await browser.signIn('x', 'later');
    const page = await browser.go('/en/me/settings');
    expect(page.text)
      .to.contain('This name is from Village')
      .and.not.match(/Adm.?in"/);
  });
});

describe('changes of a name', () => {
  it('are five a day, and a refused try is none of them', async () => {
    const world = await startWorld({ limitScale: 1 });
    try {
      await world.fan('restless');
      const browser = world.browser();
      await browser.signIn('x', 'restless');
      const rename = async (name: string) => {
        const fields = browser.form((await browser.go('/en/me/settings')).text, '/me/name');
        fields.set('name', name);
        return browser.post('/en/me/name', fields);
      };
      for (const name of ['One', 'Two', 'Three', 'admin', 'Four', 'moderator', 'Five'])
        expect((await rename(name)).status).to.equal(faultOf(name) ? 400 : 200);
      const sixth = await rename('Six');
      expect(sixth.text).to.contain('Try again tomorrow').and.contain('value="Six"');
    } finally {
      await world.close();
    }
  });
});
