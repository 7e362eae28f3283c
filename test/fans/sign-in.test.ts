import { expect } from 'chai';
import { digitalAge, isOfAge } from '../../server/fans/digital-age.js';
import { NetworkError } from '../../server/networks/network.js';
import { HOUR, startWorld, type World } from '../support/world.js';
import type { Browser } from '../support/browserless.js';

describe('the digital age', () => {
  const now = new Date('2026-11-21');
  for (const [born, country, of] of [
    [2015, 'FR', false],
    [2011, 'FR', false],
    [2010, 'FR', true],
    [1990, 'FR', true],
    [2010, 'DE', false],
    [2009, 'DE', true],
    [2012, 'GB', true],
    [2010, 'ZZ', false],
  ] as const)
    it(`of ${country} (${digitalAge(country)}) is ${of ? 'reached' : 'not surely reached'} by somebody born in ${born}`, () => {
      expect(isOfAge(born, country, now)).to.equal(of);
    });
});

describe('signing in', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());
  const me = async (browser: Browser): Promise<string | null> =>
    /data-points[ >]/.exec((await browser.go('/en')).text) ? 'in' : null;
  const count = (name: string) => world.context.connection.collection(name).countDocuments();

  for (const network of ['x', 'facebook'] as const) {
    it(
      `with ${network} asks a newcomer five things once, and lets them in at once the next ` +
        'time',
      async () => {
        const browser = world.browser();
        const handle = network === 'x' ? 'fan2' : 'fan3';
        const page = await browser.signIn(network, handle);
        expect(page.url).to.match(/\/en\/welcome$/);
        expect(await me(browser)).to.equal(null);
        const home = await browser.welcome(page.text, {});
        expect(home.status).to.equal(200);
        expect(await me(browser)).to.equal('in');
        const again = world.browser();
        expect((await again.signIn(network, handle)).url).to.match(/\/en$/);
        expect(await me(again)).to.equal('in');
      },
    );
  }

  it('stores the session before a redirect leaves, however slow the store is', async () => {
    const { sessions } = world.context;
    const write = sessions.set.bind(sessions);
    // A browser follows a redirect at its first bytes: what it will need must be stored by then.
    let stored = 0;
    const before: number[] = [];
    sessions.set = (sid, data, done) => {
      setTimeout(() => {
        write(sid, data, (error) => {
          stored += 1;
          done?.(error);
        });
      }, 50);
    };
    const onHead = (
      _req: unknown,
      res: { statusCode: number; writeHead: (...args: never[]) => unknown },
    ): void => {
      const head = res.writeHead.bind(res);
      stored = 0;
      res.writeHead = (...args) => {
        if (res.statusCode >= 300 && res.statusCode < 400) before.push(stored);
        return head(...args);
      };
    };
    world.server.prependListener('request', onHead);
    const browser = world.browser();
    const page = await browser.go('/en/sign-in');
    before.length = 0;
    const start = await browser.send('/en/sign-in/x', {
      method: 'POST',
      body: browser.form(page.text, '/sign-in/x'),
    });
    expect((await browser.consent(start.location ?? '', 'fan5')).url).to.match(/\/en\/welcome$/);
    world.server.removeListener('request', onHead);
    sessions.set = write;
    expect(before, 'to the network, and back from it').to.have.length(2);
    expect(before.every((one) => one > 0)).to.equal(true);
  });

  it('keeps the typed answers and says what is wrong with the first page', async () => {
    const browser = world.browser();
    const page = await browser.signIn('x', 'fan4');
    const fans = await count('fans');
    const back = await browser.welcome(page.text, { birthYear: '19x0', consent: '' });
    expect(back.status).to.equal(400);
    expect(back.text)
      .to.contain('four digits')
      .and.contain('Without your consent')
      .and.contain('value="19x0"');
    expect(await count('fans')).to.equal(fans);
  });

  it('says a kind "not yet" to whoever is too young, and keeps nothing', async () => {
    const browser = world.browser();
    const page = await browser.signIn('x', 'fan5');
    const before = await Promise.all(['fans', 'identities', 'sessions'].map(count));
    const answer = await browser.welcome(page.text, { birthYear: '2015' });
    expect(answer.status).to.equal(403);
    expect(answer.text).to.contain('Not yet');
    const after = await Promise.all(['fans', 'identities', 'sessions'].map(count));
    expect(after).to.deep.equal([before[0], before[1], (before[2] ?? 0) - 1]);
    expect(
      JSON.stringify(await world.context.connection.collection('sessions').find().toArray()),
    ).to.not.contain('fan5');
  });

  it('says so too, and keeps nothing, while the network does not take its tokens back', async () => {
    const browser = world.browser();
    world.sandbox.world.add({ handle: 'young', name: 'Name of young' });
    const page = await browser.signIn('x', 'young');
    const network = world.context.networks.adapter('x');
    network.revoke = () => Promise.reject(new NetworkError('x', 'network_down', 'planted'));
    const answer = await browser
      .welcome(page.text, { birthYear: '2015' })
      .finally(() => Reflect.deleteProperty(network, 'revoke'));
    expect([answer.status, /Not yet/.test(answer.text)]).to.deep.equal([403, true]);
  });

  it('changes the session id, so that one fixed before is worth nothing', async () => {
    const browser = world.browser();
    const read = (): string =>
      new RegExp(`village-${new URL(world.url).port}=([^;]*)`).exec(browser.cookie)?.[1] ?? '';
    const page = await browser.go('/en/sign-in');
    const start = await browser.send('/en/sign-in/x', {
      method: 'POST',
      body: browser.form(page.text, '/sign-in/x'),
    });
    const fixed = read();
    expect(fixed).to.not.equal('');
    await browser.consent(start.location ?? '', 'fan2');
    expect(read()).to.not.equal(fixed);
    const old = await fetch(`${world.url}/en/me`, {
      redirect: 'manual',
      headers: { cookie: `village-${new URL(world.url).port}=${fixed}` },
    });
    expect(old.status).to.equal(303);
  });

  it('has a clear page for a denied consent, and nothing half-made', async () => {
    const browser = world.browser();
    const answer = await browser.signIn('x', 'fan4', 'deny');
    expect(answer.status).to.equal(400);
    expect(answer.text).to.contain('Sign-in cancelled');
    expect(await me(browser)).to.equal(null);
    expect((await world.browser().signIn('facebook', 'fan4', 'deny')).text).to.contain(
      'Sign-in cancelled',
    );
  });

  it('refuses a state that was used, is another session\u2019s, is too old, or is missing', async () => {
    const browser = world.browser();
    const page = await browser.go('/en/sign-in');
    const start = await browser.send('/en/sign-in/x', {
      method: 'POST',
      body: browser.form(page.text, '/sign-in/x'),
    });
    const consent = await browser.send(start.location ?? '');
    const fields = browser.form(consent.text, '');
    fields.set('person', 'fan2');
    fields.set('answer', 'allow');
    const back =
      (
        await browser.send((start.location ?? '').replace(/\?.*/, ''), {
          method: 'POST',
          body: fields,
        })
      ).location ?? '';
    expect((await world.browser().go(back)).text).to.contain('Sign-in expired');
    expect((await browser.go(back)).url).to.match(/\/en$/);
    expect((await browser.go(back)).text).to.contain('Sign-in expired');
    expect((await browser.go('/auth/x/callback?code=abc')).text).to.contain('Sign-in expired');
    const late = world.browser();
    const begun = await late.send('/en/sign-in/x', {
      method: 'POST',
      body: late.form((await late.go('/en/sign-in')).text, '/sign-in/x'),
    });
    world.clock.advance(HOUR / 5);
    expect((await late.consent(begun.location ?? '', 'fan2')).text).to.contain('Sign-in expired');
    expect((await browser.go('/auth/myspace/callback')).status).to.equal(404);
  });

  it('says so when a network refuses the code or does not answer', async () => {
    const browser = world.browser();
    world.sandbox.world.faults.push({
      network: 'x',
      path: '/2/oauth2/token',
      status: 500,
      times: 4,
      latencyMs: 0,
      body: null,
    });
    expect((await browser.signIn('x', 'fan2')).text).to.contain('network does not answer');
    world.sandbox.world.faults.length = 0;
    const start = await browser.send('/en/sign-in/x', {
      method: 'POST',
      body: browser.form((await browser.go('/en/sign-in')).text, '/sign-in/x'),
    });
    world.sandbox.world.advance(120_000);
    const state = new URL(start.location ?? '').searchParams.get('state') ?? '';
    expect((await browser.go(`/auth/x/callback?state=${state}&code=expired`)).text).to.contain(
      'Sign-in refused',
    );
  });

  it('links a second network, and refuses one that belongs to somebody else', async () => {
    const browser = world.browser();
    await browser.signIn('x', 'fan2');
    const settings = await browser.go('/en/me/settings');
    const start = await browser.send('/en/sign-in/facebook', {
      method: 'POST',
      body: browser.form(settings.text, '/sign-in/facebook'),
    });
    const done = await browser.consent(start.location ?? '', 'fan2');
    expect(done.status).to.equal(200);
    const other = world.browser();
    await other.signIn('facebook', 'fan3');
    const theirs = await other.go('/en/me/settings');
    const taken = await other.send('/en/sign-in/x', {
      method: 'POST',
      body: other.form(theirs.text, '/sign-in/x'),
    });
    const refused = await other.consent(taken.location ?? '', 'fan2');
    expect(refused.status).to.equal(409);
    expect(refused.text).to.contain('Linked elsewhere');
    const identities = await world.context.connection
      .collection('identities')
      .find({ handle: 'fan2' })
      .toArray();
    expect(identities).to.have.length(1);
  });

  it('asks who one is before it links another account to a sign-in of longer ago (ASVS 7.5.1)', async () => {
    const { fan } = await world.fan('fan4', { networks: ['x'] });
    const browser = world.browser();
    await browser.signIn('x', 'fan4');
    world.clock.advance(HOUR / 5);
    const link = async (network: 'x' | 'facebook') => {
      const settings = await browser.go('/en/me/settings');
      const body = browser.form(settings.text, '/sign-in/facebook');
      return browser.send(`/en/sign-in/${network}`, { method: 'POST', body });
    };
    const asked = await link('facebook');
    expect(asked.location).to.match(/\/en\/sign-in\?again=1&returnTo=%2Fen%2Fme/);
    const page = await browser.go(asked.location ?? '');
    expect(page.text).to.contain('Is it you?');
    expect(page.text).to.not.contain('/sign-in/facebook');
    // An account of one's own may be renewed all the same.
    expect((await link('x')).location).to.contain('/oauth2/authorize');
    const again = async (person: string) => {
      const start = await browser.send('/en/sign-in/x', {
        method: 'POST',
        body: browser.form(page.text, '/sign-in/x'),
      });
      return browser.consent(start.location ?? '', person);
    };
    const count = await world.context.connection.collection('fans').countDocuments();
    expect((await again('fan5')).text).to.contain('Sign-in refused');
    expect(await world.context.connection.collection('fans').countDocuments()).to.equal(count);
    expect((await again('fan4')).url).to.contain('/en/me/settings');
    const done = await browser.consent((await link('facebook')).location ?? '', 'fan4');
    expect(done.status).to.equal(200);
    expect(
      (await world.context.fans.identities.linkedBy(fan._id)).map((one) => one.network),
    ).to.have.members(['x', 'facebook']);
  });

  it('signs out here: the replayed cookie is nobody', async () => {
    const browser = world.browser();
    const page = await browser.signIn('x', 'fan2');
    const { cookie } = browser;
    const mine = await browser.go('/en/me');
    expect(page.status).to.equal(200);
    await browser.post('/en/sign-out', browser.form(mine.text, '/sign-out'));
    expect(
      (await fetch(`${world.url}/en/me`, { redirect: 'manual', headers: { cookie } })).status,
    ).to.equal(303);
  });

  it(
    'lasts two weeks from the last use and a month in all, and a page read writes nothing ' +
      'within the hour',
    async () => {
      const day = 24 * HOUR;
      const browser = world.browser();
      await browser.signIn('x', 'fan2');
      const sessions = world.context.connection.collection('sessions');
      const state = async () => JSON.stringify(await sessions.find().sort({ _id: 1 }).toArray());
      const before = await state();
      expect(await me(browser)).to.equal('in');
      expect(await state()).to.equal(before);
      for (const [days, still] of [
        [13, 'in'],
        [13, 'in'],
        [5, null],
      ] as const) {
        // Redis lets its copies go by real time, which a test does not wait for.
        await world.context.redis.commands.flushall();
        world.clock.advance(days * day);
        expect(await me(browser), `after ${days} more days`).to.equal(still);
      }
      await browser.signIn('x', 'fan2');
      await world.context.redis.commands.flushall();
      world.clock.advance(15 * day);
      expect(await me(browser)).to.equal(null);
    },
  );

  it(
    'signs out everywhere: every other session ends, and a flushed Redis signs nobody out nor ' +
      'back in',
    async () => {
      const [here, there] = [world.browser(), world.browser()];
      await here.signIn('x', 'fan2');
      await there.signIn('x', 'fan2');
      await world.context.redis.commands.flushall();
      expect(await me(there)).to.equal('in');
      const settings = await here.go('/en/me/settings');
      await here.post('/en/sign-out-everywhere', here.form(settings.text, '/sign-out-everywhere'));
      expect([await me(here), await me(there)]).to.deep.equal([null, null]);
      await world.context.redis.commands.flushall();
      expect(await me(there)).to.equal(null);
    },
  );

  it('never stores a token that can be read, nor one that opens for somebody else', async () => {
    const all = await world.context.connection.collection('identities').find().toArray();
    const first = all[0] as unknown as { sealed: string; fan: string; network: string };
    expect(first.sealed).to.match(/^k1\./);
    const second = all[1] as unknown as { fan: string; network: string };
    await world.context.connection
      .collection('identities')
      .updateOne({ fan: second.fan, network: second.network }, { $set: { sealed: first.sealed } });
    let opened = true;
    try {
      await world.context.fans.identities.usable(second.fan, second.network as 'x');
    } catch {
      opened = false;
    }
    expect(opened).to.equal(false);
  });

  it('refreshes a token that has run out once, however many ask for it at a time', async () => {
    const { fan } = await world.fan('refresher');
    world.clock.advance(3 * HOUR);
    world.sandbox.world.advance(3 * HOUR);
    const { identities } = world.context.fans;
    const refreshed = (): number =>
      world.sandbox.world.log.filter((one) => one.path === '/2/oauth2/token').length;
    const before = refreshed();
    const found = await Promise.all(
      Array.from({ length: 5 }, () => identities.usable(fan._id, 'x')),
    );
    // Whoever does not refresh is told to come again, never refused; once it is stored, all have
    // the same new one.
    expect(found.every((one) => one !== null)).to.equal(true);
    expect(found.filter((one) => one?.tokens)).to.have.length.greaterThan(0);
    expect(refreshed() - before).to.equal(1);
    const after = await Promise.all(
      Array.from({ length: 5 }, () => identities.usable(fan._id, 'x')),
    );
    expect(new Set(after.map((one) => one?.tokens?.accessToken)).size).to.equal(1);
    expect(after[0]?.tokens).to.not.equal(null);
    expect(refreshed() - before).to.equal(1);
  });

  it('knows personal tokens by what they may do, and forgets an ended one', async () => {
    const { fan } = await world.fan('holder');
    const narrow = await world.context.tokens.create(fan._id, 'read only', ['read']);
    expect((await world.api('/me', { token: narrow })).status).to.equal(200);
    expect(
      (await world.api('/follows/check', { method: 'POST', token: narrow, body: {} })).body,
    ).to.include({ id: 'missing_scope', status: 403 });
    expect(
      JSON.stringify(await world.context.connection.collection('fans').find().toArray()),
    ).to.not.contain(narrow);
    const [listed] = await world.context.tokens.list(fan._id);
    await world.context.tokens.end(fan._id, listed?.hash ?? '');
    expect((await world.api('/me', { token: narrow })).status).to.equal(401);
    await world.context.tokens.end(fan._id, listed?.hash ?? '');
    const log = await world.context.connection
      .collection('audit')
      .find({ on: `fan:${fan._id}`, act: /^token\./, 'after.name': { $ne: 'test' } })
      .sort({ at: 1 })
      .toArray();
    expect(log.map((one): unknown[] => [one['by'], one['act']])).to.deep.equal([
      [fan._id, 'token.made'],
      [fan._id, 'token.ended'],
    ]);
    expect(log[0]?.['after'], 'and never what it is').to.deep.equal({
      name: 'read only',
      scopes: ['read'],
    });
  });

  it('keeps no personal token that the log does not know of', async () => {
    const { fan } = await world.fan('unlogged');
    const { tokens } = world.context;
    const before = (await tokens.list(fan._id)).length;
    const audit = Reflect.get(tokens, 'audit') as { add: unknown };
    Object.assign(audit, { add: () => Promise.reject(new Error('away')) });
    const made: unknown = await tokens.create(fan._id, 'unlogged').catch((error: unknown) => error);
    Reflect.deleteProperty(audit, 'add');
    expect([String(made), (await tokens.list(fan._id)).length]).to.deep.equal([
      'Error: away',
      before,
    ]);
  });

  it('shuts a banned fan out, tokens included', async () => {
    const { fan, token } = await world.fan('rude');
    await world.context.fans.ban(fan._id, 'admin', 'test');
    expect((await world.api('/me', { token })).status).to.equal(401);
    expect((await world.browser().signIn('x', 'rude')).status).to.equal(403);
  });

  it('knows a fan as the news left them, not as a read that began before the news found them', async () => {
    const { fan } = await world.fan('hasty');
    const { fans } = world.context;
    const { asOf } = fans;
    const old = await fans.require(fan._id);
    await fans.ban(fan._id, 'admin', 'test');
    fans.know(old, asOf);
    expect((await fans.get(fan._id))?.state).to.equal('banned');
  });

  it('resolves an operator\u2019s name of a fan to the stable id', async () => {
    const { fan } = await world.fan('Named');
    expect((await world.context.fans.resolve('x:named'))?._id).to.equal(fan._id);
    expect((await world.context.fans.resolve('named'))?._id).to.equal(fan._id);
    expect((await world.context.fans.resolve(fan._id))?._id).to.equal(fan._id);
    expect(await world.context.fans.resolve('x:nobody')).to.equal(null);
  });
});
