import { expect } from 'chai';
import fc from 'fast-check';
import { FacebookAdapter } from '../../server/networks/facebook/adapter.js';
import {
  NetworkError,
  type Adapter,
  type LinkedAccount,
  type NetworkId,
} from '../../server/networks/network.js';
import { Networks } from '../../server/networks/service.js';
import { XAdapter } from '../../server/networks/x/adapter.js';
import { startSandbox, type Sandbox } from '../../scripts/sandbox/start.js';
import { TestClock } from '../support/world.js';

const REDIRECT = 'http://127.0.0.1:1/auth/callback';
const clients = {
  x: { id: 'client', secret: 'secret' },
  facebook: { id: '42', secret: 'fbsecret' },
};

/** The same promises, asked of every adapter against its sandbox. */
for (const id of ['x', 'facebook'] as const) {
  describe(`the adapter of ${id}`, () => {
    let sandbox: Sandbox;
    let adapter: Adapter;
    let clock: TestClock;
    beforeEach(async () => {
      sandbox = await startSandbox({
        port: 0,
        file: null,
        token: 't',
        clients,
        redirects: { x: [REDIRECT], facebook: [REDIRECT] },
      });
      clock = new TestClock();
      const settings = {
        clientId: clients[id].id,
        clientSecret: clients[id].secret,
        version: 'v24.0',
        pages: sandbox.networks[id],
        api: id === 'x' ? sandbox.networks.x : sandbox.networks.facebookGraph,
      };
      adapter =
        id === 'x'
          ? new XAdapter(settings, clock, () => undefined)
          : new FacebookAdapter(settings, clock, () => undefined);
    });
    afterEach(() => sandbox.close());
    const person = (handle: string) =>
      sandbox.world.person(handle) ?? sandbox.world.add({ handle, name: handle });
    const accountId = (handle: string): string =>
      id === 'x' ? person(handle).ids.x : (person(handle).page as string);
    const route = id === 'x' ? '/2/users' : '/v24.0';

    async function login(
      handle: string,
      answer = 'allow',
      tweak: (query: Record<string, string>) => Record<string, string> = (query) => query,
    ): Promise<LinkedAccount> {
      const { url, secret } = await adapter.beginAuth({ state: 'abc', redirectUri: REDIRECT });
      const hidden = [
        ...(await (await fetch(url)).text()).matchAll(
          /<input type="hidden" name="([^"]+)" value="([^"]*)"/g,
        ),
      ].map(([, name = '', value = '']): [string, string] => [name, value]);
      const response = await fetch(url.replace(/\?.*/, ''), {
        method: 'POST',
        redirect: 'manual',
        body: new URLSearchParams([...hidden, ['person', handle], ['answer', answer]]),
      });
      const query = Object.fromEntries(
        new URL(response.headers.get('location') ?? '').searchParams,
      );
      expect(query['state']).to.equal('abc');
      return adapter.completeAuth({ query: tweak(query), secret, redirectUri: REDIRECT });
    }
    const fails = async (work: Promise<unknown>): Promise<string> => {
      try {
        await work;
      } catch (error) {
        if (error instanceof NetworkError) return error.code;
        throw error;
      }
      throw new Error('it did not fail');
    };

    it('signs a person in by the stable id, asking for the listed scopes only', async () => {
      const { url } = await adapter.beginAuth({ state: 's', redirectUri: REDIRECT });
      expect((new URL(url).searchParams.get('scope') ?? '').split(/[ ,]/)).to.deep.equal([
        ...adapter.scopes,
      ]);
      const linked = await login('fan1');
      expect(linked.account).to.include({ network: id, id: person('fan1').ids[id] });
      expect(linked.tokens.accessToken).to.be.a('string');
      expect(linked.tokens.expiresAt?.getTime()).to.be.greaterThan(Date.now());
    });

    it('tells a denied consent, a used code and a foreign code from each other', async () => {
      expect(await fails(login('fan1', 'deny'))).to.equal('denied');
      let used: Record<string, string> = {};
      await login('fan1', 'allow', (query) => (used = query));
      expect(
        await fails(
          adapter.completeAuth({ query: used, secret: { verifier: 'x' }, redirectUri: REDIRECT }),
        ),
      ).to.be.oneOf(['auth_expired', 'bad_request']);
      expect(
        await fails(login('fan1', 'allow', (query) => ({ ...query, code: 'made-up' }))),
      ).to.be.oneOf(['auth_expired', 'bad_request']);
    });

    it('answers yes, no and unknown for each account, in one call where one is enough', async () => {
      const { tokens, account } = await login('fan1');
      sandbox.world.relate(id, person('fan1'), person('athlete2'), true);
      const ids = ['athlete1', 'athlete2', 'athlete3'].map(accountId);
      const before = sandbox.world.log.length;
      const answers = await adapter.check({
        tokens,
        person: account.id,
        accounts: [...ids, ...(id === 'x' ? ['999'] : [])],
      });
      expect(answers.slice(0, 3).map((one) => one.verdict)).to.deep.equal(['no', 'yes', 'no']);
      if (id === 'x') expect(answers[3]).to.include({ verdict: 'unknown', reason: 'not_found' });
      expect(sandbox.world.log.length - before).to.equal(adapter.planCheck(3).calls);
      expect(
        (await adapter.check({ tokens, person: account.id, accounts: [ids[1] as string] }))[0]
          ?.verdict,
      ).to.equal('yes');
    });

    it('keeps to its plan for many accounts and tells each batch as it comes', async () => {
      for (let n = 0; n < 230; n += 1)
        sandbox.world.add({ handle: `star${n}`, name: `Star ${n}`, page: true });
      const { tokens, account } = await login('fan1');
      const before = sandbox.world.log.length;
      let heard = 0;
      const accounts = Array.from({ length: 230 }, (_x, n) => accountId(`star${n}`));
      await adapter.check({
        tokens,
        person: account.id,
        accounts,
        onAnswers: async (part) => {
          heard += part.length;
          await Promise.resolve();
        },
      });
      expect([sandbox.world.log.length - before, heard]).to.deep.equal([
        adapter.planCheck(230).calls,
        230,
      ]);
    });

    for (const [name, fault] of [
      ['an error', { status: 500, body: null }],
      ['HTML', { status: 200, body: '<html></html>' }],
      ['half a JSON', { status: 200, body: '{"data":[' }],
      ['the wrong types', { status: 200, body: '{"data":7}' }],
      ['a cut connection', { status: 0, body: null }],
      ['two megabytes', { status: 200, body: `{"x":"${'a'.repeat(2_000_000)}"}` }],
    ] as const) {
      it(`answers unknown, never no, to ${name}`, async () => {
        const { tokens, account } = await login('fan1');
        sandbox.world.faults.push({
          network: id,
          path: route,
          status: fault.status,
          times: 9,
          latencyMs: 0,
          body: fault.body,
        });
        const answers = await adapter.check({
          tokens,
          person: account.id,
          accounts: ['athlete1', 'athlete2'].map(accountId),
        });
        expect(answers.map((one) => one.verdict)).to.deep.equal(['unknown', 'unknown']);
      });
    }

    it('answers unknown to a limit, spends no further call on it, and recovers', async () => {
      const { tokens, account } = await login('fan1');
      sandbox.world.rates.push({ network: id, route: '*', limit: 0, windowS: 900 });
      const answers = await adapter.check({
        tokens,
        person: account.id,
        accounts: Array.from({ length: 150 }, (_x, n) => String(n)),
      });
      expect(new Set(answers.map((one) => one.reason))).to.deep.equal(new Set(['rate_limited']));
      sandbox.world.rates.length = 0;
      sandbox.world.advance(1_000_000);
      expect(
        (await adapter.check({ tokens, person: account.id, accounts: [accountId('athlete1')] }))[0]
          ?.verdict,
      ).to.equal('no');
    });

    it('stops asking after five failures in a row, and asks again ten seconds later', async () => {
      const { tokens, account } = await login('fan1');
      sandbox.world.faults.push({
        network: id,
        path: '/',
        status: 500,
        times: -1,
        latencyMs: 0,
        body: null,
      });
      for (let n = 0; n < 4; n += 1)
        await adapter.check({ tokens, person: account.id, accounts: [accountId('athlete1')] });
      const before = sandbox.world.log.length;
      await adapter.check({ tokens, person: account.id, accounts: [accountId('athlete1')] });
      expect(sandbox.world.log.length).to.equal(before);
      sandbox.world.faults.length = 0;
      clock.advance(11_000);
      expect(
        (await adapter.check({ tokens, person: account.id, accounts: [accountId('athlete1')] }))[0]
          ?.verdict,
      ).to.equal('no');
    });

    it('says that a token is dead instead of guessing', async () => {
      const { tokens, account } = await login('fan1');
      await adapter.revoke(tokens);
      expect(
        (await adapter.check({ tokens, person: account.id, accounts: [accountId('athlete1')] }))[0],
      ).to.include({
        verdict: 'unknown',
        reason: 'token_revoked',
      });
    });

    it('renews tokens', async () => {
      const { tokens, account } = await login('fan1');
      const next = await adapter.refresh(tokens);
      expect(next.accessToken).to.not.equal(tokens.accessToken);
      expect(
        (
          await adapter.check({
            tokens: next,
            person: account.id,
            accounts: [accountId('athlete1')],
          })
        )[0]?.verdict,
      ).to.equal('no');
      if (id === 'x') {
        expect(await fails(adapter.refresh(tokens))).to.equal('auth_revoked');
        // A refresh token used twice ends the whole family.
        expect(
          (
            await adapter.check({
              tokens: next,
              person: account.id,
              accounts: [accountId('athlete1')],
            })
          )[0]?.reason,
        ).to.equal('token_revoked');
      }
    });

    it('finds the public profile of a handle and of an id, and nothing for nobody', async () => {
      const found = await adapter.resolve({ handle: 'ATHLETE1' });
      expect(found).to.include({
        network: id,
        id: accountId('athlete1'),
        handle: 'athlete1',
        name: 'Maëlle Kervran',
      });
      expect((await adapter.resolve({ id: accountId('athlete1') }))?.handle).to.equal('athlete1');
      expect(await adapter.resolve({ handle: 'nobody_here' })).to.equal(null);
    });

    it(
      'finds profiles by id, many a call, whatever their handles are now, and tells who is ' +
        'gone',
      async () => {
        for (let n = 0; n < 60; n += 1)
          sandbox.world.add({ handle: `many${n}`, name: `Many ${n}`, page: true });
        const ids = ['athlete1', ...Array.from({ length: 60 }, (_x, n) => `many${n}`)].map(
          accountId,
        );
        expect(sandbox.world.rename(id, person('athlete1'), 'renamed')).to.equal(true);
        expect(sandbox.world.rename(id, person('many0'), 'athlete1')).to.equal(true);
        // The name is taken now, in any case.
        expect(sandbox.world.rename(id, person('many1'), 'ATHLETE1')).to.equal(false);
        await adapter.resolve({ id: ids[0] as string });
        const before = sandbox.world.log.length;
        const found = await adapter.profiles([...ids, '999']);
        expect(sandbox.world.log.length - before).to.equal(id === 'x' ? 1 : 2);
        expect(found.get(ids[0] as string)).to.include({
          id: ids[0],
          handle: 'renamed',
          name: 'Maëlle Kervran',
        });
        expect(found.get(ids[1] as string)).to.include({ handle: 'athlete1' });
        expect([found.size, found.get('999')]).to.deep.equal([62, null]);
        expect(await adapter.resolve({ handle: 'athlete1' })).to.include({ id: ids[1] });
        // Its address leads to it by its number.
        const page = await fetch(adapter.accountUrl(ids[0] as string));
        expect(await page.text()).to.contain('Maëlle Kervran');
      },
    );

    it('fails, and tells nothing of anybody, when profiles cannot be read', async () => {
      sandbox.world.faults.push({
        network: id,
        path: route,
        status: 500,
        times: 2,
        latencyMs: 0,
        body: null,
      });
      expect(await fails(adapter.profiles([accountId('athlete1')]))).to.equal('network_down');
    });

    it('knows which further accounts a person speaks for, if they allow it', async () => {
      expect((await login('athlete1')).manages).to.deep.equal(
        id === 'x' ? [] : [accountId('athlete1')],
      );
      expect((await login('fan1')).manages).to.deep.equal([]);
    });

    it('reads the newest posts of an account', async () => {
      sandbox.world.post(id, accountId('athlete1'), 'Demain, la finale.');
      const posts = await adapter.fetchPosts({ account: accountId('athlete1'), limit: 5 });
      expect(posts[0]).to.include({ network: id, text: 'Demain, la finale.' });
      expect(posts).to.have.length(2);
    });
  });
}

describe('addresses of accounts', () => {
  const clock = new TestClock();
  const settings = { clientId: 'a', clientSecret: 'b', version: 'v24.0', api: 'https://api.x.com' };
  const adapters: Record<NetworkId, Adapter> = {
    x: new XAdapter({ ...settings, pages: 'https://x.com' }, clock, () => undefined),
    facebook: new FacebookAdapter(
      { ...settings, pages: 'https://www.facebook.com' },
      clock,
      () => undefined,
    ),
  };
  const cases: Record<NetworkId, [string, unknown][]> = {
    x: [
      ['@Ana_Diver', { handle: 'Ana_Diver' }],
      ['x:ana', { handle: 'ana' }],
      ['https://x.com/ana', { handle: 'ana' }],
      ['http://www.twitter.com/ana/', { handle: 'ana' }],
      ['mobile.twitter.com/ana?lang=fr', { handle: 'ana' }],
      ['https://x.com/ana/status/1234567890', { handle: 'ana' }],
      ['https://x.com/@ana', { handle: 'ana' }],
      ['https://x.com/i/user/123', { id: '123' }],
      ['https://twitter.com/intent/user?user_id=99', { id: '99' }],
      ['https://twitter.com/intent/follow?screen_name=ana', { handle: 'ana' }],
      ['https://x.com/home', 'none'],
      ['https://x.com/search?q=a', 'none'],
      ['https://x.com/', 'none'],
      ['https://x.com/waytoolonghandle123', 'none'],
      ['https://twitter.com/#!/ana', { handle: 'ana' }],
      ['twitter.com/#!/ana/status/12?lang=fr', { handle: 'ana' }],
      ['http://m.twitter.com/ana#top', { handle: 'ana' }],
      ['HTTPS://X.COM/Ana?s=21&t=AbC_d', { handle: 'Ana' }],
      ['//mobile.x.com/ana/with_replies', { handle: 'ana' }],
      ['https://x.com/%40ana', { handle: 'ana' }],
      ['https://x.com/ana/photo', { handle: 'ana' }],
      ['twitter:@ana', { handle: 'ana' }],
      ['＠ana', { handle: 'ana' }],
      ['\u2066@ana\u2069', { handle: 'ana' }],
      [' <https://x.com/ana>. ', { handle: 'ana' }],
      ['https://twitter.com/intent/user?screen_name=@ana', { handle: 'ana' }],
      ['https://x.com/intent/follow?user_id=99&screen_name=ana', { id: '99' }],
      ['https://twitter.com/account/redirect_by_id?id=99', { id: '99' }],
      ['https://x.com/i/user/123/', { id: '123' }],
      ['https://x.com/i/flow/login?redirect_after_login=%2Fana%2Fstatus%2F1', { handle: 'ana' }],
      ['https://x.com/i/flow/login?redirect_after_login=%2F%2Fevil.example%2Fana', 'none'],
      ['https://x.com/i/user/ana', 'none'],
      ['https://x.com/i/web/status/12', 'none'],
      ['https://twitter.com/statuses/12', 'none'],
      ['https://x.com/share?url=https://x.com/ana', 'none'],
      ['https://x.com/intent/post?text=ana', 'none'],
      ['https://x.com@evil.example/ana', null],
      ['ftp://x.com/ana', null],
      ['javascript://x.com/ana', null],
      ['https://example.org/ana', null],
      ['not an address', null],
    ],
    facebook: [
      ['https://www.facebook.com/Ana.Diver', { handle: 'Ana.Diver' }],
      ['m.facebook.com/anadiver/', { handle: 'anadiver' }],
      ['https://fr-fr.facebook.com/anadiver?locale=fr', { handle: 'anadiver' }],
      ['fb.com/anadiver', { handle: 'anadiver' }],
      ['facebook:anadiver', { handle: 'anadiver' }],
      ['https://www.facebook.com/profile.php?id=61500000001', { id: '61500000001' }],
      ['https://www.facebook.com/pages/Ana/61500000001', { id: '61500000001' }],
      ['https://www.facebook.com/people/Ana-Diver/61500000001/', { id: '61500000001' }],
      ['https://www.facebook.com/p/Ana-Diver-61500000001/', { id: '61500000001' }],
      ['https://www.facebook.com/pg/anadiver/posts', { handle: 'anadiver' }],
      ['https://www.facebook.com/anadiver/posts/99', { handle: 'anadiver' }],
      ['https://www.facebook.com/61500000001', { id: '61500000001' }],
      ['fb.com/profile.php?id=61500000001', { id: '61500000001' }],
      ['https://m.facebook.com/profile.php?id=61500000001&mibextid=ZbWKwL', { id: '61500000001' }],
      ['https://fb.me/anadiver', { handle: 'anadiver' }],
      ['https://m.me/anadiver', { handle: 'anadiver' }],
      ['https://www.facebook.com/#!/anadiver', { handle: 'anadiver' }],
      ['https://www.facebook.com/home.php#!/profile.php?id=61500000001', { id: '61500000001' }],
      [
        'https://www.facebook.com/pages/category/Athlete/Ana-Diver-61500000001/',
        { id: '61500000001' },
      ],
      ['https://www.facebook.com/Ana-Diver-61500000001/', { id: '61500000001' }],
      ['https://www.facebook.com/story.php?story_fbid=5&id=61500000001', { id: '61500000001' }],
      ['https://www.facebook.com/permalink.php?story_fbid=5&id=61500000001', { id: '61500000001' }],
      [
        'https://www.facebook.com/login/?next=https%3A%2F%2Fwww.facebook.com%2Fanadiver',
        { handle: 'anadiver' },
      ],
      ['https://www.facebook.com/login.php?next=https%3A%2F%2Fevil.example%2Fana', 'none'],
      [
        'https://www.facebook.com/plugins/page.php?href=https%3A%2F%2Ffacebook.com%2Fanadiver',
        { handle: 'anadiver' },
      ],
      ['https://touch.facebook.com/@anadiver?refsrc=x', { handle: 'anadiver' }],
      ['https://mbasic.facebook.com/anadiver?v=timeline#a', { handle: 'anadiver' }],
      ['fb:anadiver', { handle: 'anadiver' }],
      ['https://www.facebook.com/share/1AbCdEf/', 'none'],
      ['https://www.facebook.com/login/', 'none'],
      ['https://www.facebook.com/sharer/sharer.php?u=https://facebook.com/anadiver', 'none'],
      ['https://www.facebook.com/groups/1', 'none'],
      ['https://www.facebook.com/watch?v=1', 'none'],
      ['https://www.facebook.com/profile.php', 'none'],
      ['https://facebook.com', 'none'],
      ['https://facebook.com.evil.example/ana', null],
    ],
  };
  for (const network of ['x', 'facebook'] as const)
    for (const [text, meaning] of cases[network])
      it(`${network}: ${text} is ${JSON.stringify(meaning)}`, () => {
        expect(adapters[network].parse(text)).to.deep.equal(meaning);
      });

  const networks = new Networks(
    {
      x: { ...settings, pages: 'https://x.com' },
      facebook: { ...settings, pages: 'https://www.facebook.com' },
    },
    clock,
    () => undefined,
  );
  it('are found behind the link by which Facebook lets people leave it', () => {
    const leaving = (address: string): string =>
      `https://l.facebook.com/l.php?u=${encodeURIComponent(address)}&h=AT0&fbclid=1`;
    expect(networks.parse(leaving('https://x.com/ana?s=20'))).to.deep.equal({
      network: 'x',
      parsed: { handle: 'ana' },
    });
    expect(networks.parse(leaving('https://www.facebook.com/anadiver'))).to.deep.equal({
      network: 'facebook',
      parsed: { handle: 'anadiver' },
    });
    expect(networks.parse(leaving('https://evil.example/ana'))).to.equal(null);
    expect(networks.parse('https://l.facebook.com/l.php')).to.equal(null);
  });

  const scheme = fc.constantFrom('', '//', 'http://', 'https://', 'HTTPS://');
  const tail = fc.constantFrom('', '/', '?s=21&t=x', '/?lang=fr', '#top', '/#top');
  const around = fc.constantFrom(
    ['', ''],
    [' ', ' '],
    ['<', '>'],
    ['“', '”.'],
    ['\u2066', '\u2069'],
  );
  const xHost = fc.constantFrom(
    'x.com',
    'X.com',
    'www.x.com',
    'm.x.com',
    'mobile.twitter.com',
    'twitter.com',
    'WWW.TWITTER.COM',
  );
  const xForm = fc.constantFrom(
    '/N',
    '/@N',
    '/%40N',
    '/N/status/1',
    '/N/media',
    '/#!/N',
    '/#!/@N/with_replies',
    '/intent/user?screen_name=N',
    '/i/flow/login?redirect_after_login=%2FN',
  );
  const fbHost = fc.constantFrom(
    'facebook.com',
    'www.facebook.com',
    'M.facebook.com',
    'web.facebook.com',
    'fb.com',
    'fr-fr.facebook.com',
    'mbasic.facebook.com',
  );
  const fbForm = fc.constantFrom(
    '/N',
    '/N/about',
    '/N/posts/12',
    '/pg/N/about',
    '/#!/N',
    '/home.php#!/N',
    '/login/?next=https%3A%2F%2Ffacebook.com%2FN',
  );
  // No form of ours may be taken for a page of the network itself.
  const name = fc.stringMatching(/^[A-Za-z][a-z0-9]{5,13}q$/);
  for (const [network, host, form] of [
    ['x', xHost, xForm],
    ['facebook', fbHost, fbForm],
  ] as const)
    it(`name the same account of ${network} in every form there was, however they are pasted`, () => {
      fc.assert(
        fc.property(
          scheme,
          host,
          form,
          tail,
          around,
          name,
          (before, on, path, after, [left = '', right = ''], handle) => {
            const rest = /[?#]/.test(path) ? '' : after;
            expect(
              networks.parse(`${left}${before}${on}${path.replace('N', handle)}${rest}${right}`),
            ).to.deep.equal({ network, parsed: { handle } });
          },
        ),
      );
    });

  it(
    'are read from the address that the hub itself gives for an id, and from no text with a ' +
      'throw',
    () => {
      fc.assert(
        fc.property(fc.stringMatching(/^[1-9]\d{5,17}$/), (id) => {
          for (const adapter of networks.all())
            expect(networks.parse(adapter.accountUrl(id))).to.deep.equal({
              network: adapter.id,
              parsed: { id },
            });
        }),
      );
      fc.assert(
        fc.property(
          fc.oneof(
            fc.string(),
            fc.webUrl(),
            fc.string().map((text) => `https://x.com/${text}`),
            fc.string().map((text) => `facebook.com/${text}`),
          ),
          (text) => {
            networks.parse(text);
          },
        ),
      );
    },
  );
});
