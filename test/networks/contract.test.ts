import { expect } from 'chai';
import { FacebookAdapter } from '../../server/networks/facebook/adapter.js';
import { NetworkError, type Adapter, type LinkedAccount, type NetworkId } from '../../server/networks/network.js';
import { XAdapter } from '../../server/networks/x/adapter.js';
import { startSandbox, type Sandbox } from '../../scripts/sandbox/start.js';
import { TestClock } from '../support/world.js';

const REDIRECT = 'http://127.0.0.1:1/auth/callback';
const clients = { x: { id: 'client', secret: 'secret' }, facebook: { id: '42', secret: 'fbsecret' } };

/** The same promises, asked of every adapter against its sandbox. */
for (const id of ['x', 'facebook'] as const) {
  describe(`the adapter of ${id}`, () => {
    let sandbox: Sandbox;
    let adapter: Adapter;
    let clock: TestClock;
    beforeEach(async () => {
      sandbox = await startSandbox({ port: 0, file: null, token: 't', clients, redirects: { x: [REDIRECT], facebook: [REDIRECT] } });
      clock = new TestClock();
      const settings = {
        clientId: clients[id].id,
        clientSecret: clients[id].secret,
        version: 'v24.0',
        pages: sandbox.networks[id],
        api: id === 'x' ? sandbox.networks.x : sandbox.networks.facebookGraph,
      };
      adapter = id === 'x' ? new XAdapter(settings, clock, () => undefined) : new FacebookAdapter(settings, clock, () => undefined);
    });
    afterEach(() => sandbox.close());
    const person = (handle: string) => sandbox.world.person(handle) ?? sandbox.world.add({ handle, name: handle });
    const accountId = (handle: string): string => (id === 'x' ? person(handle).ids.x : (person(handle).page as string));
    const route = id === 'x' ? '/2/users' : '/v24.0';

    async function login(
      handle: string,
      answer = 'allow',
      tweak: (query: Record<string, string>) => Record<string, string> = (query) => query,
    ): Promise<LinkedAccount> {
      const { url, secret } = await adapter.beginAuth({ state: 'abc', redirectUri: REDIRECT });
      const hidden = [...(await (await fetch(url)).text()).matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(
        ([, name = '', value = '']): [string, string] => [name, value],
      );
      const response = await fetch(url.replace(/\?.*/, ''), {
        method: 'POST',
        redirect: 'manual',
        body: new URLSearchParams([...hidden, ['person', handle], ['answer', answer]]),
      });
      const query = Object.fromEntries(new URL(response.headers.get('location') ?? '').searchParams);
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
      expect((new URL(url).searchParams.get('scope') ?? '').split(/[ ,]/)).to.deep.equal([...adapter.scopes]);
      const linked = await login('fan1');
      expect(linked.account).to.include({ network: id, id: person('fan1').ids[id] });
      expect(linked.tokens.accessToken).to.be.a('string');
      expect(linked.tokens.expiresAt?.getTime()).to.be.greaterThan(Date.now());
    });

    it('tells a denied consent, a used code and a foreign code from each other', async () => {
      expect(await fails(login('fan1', 'deny'))).to.equal('denied');
      let used: Record<string, string> = {};
      await login('fan1', 'allow', (query) => (used = query));
      expect(await fails(adapter.completeAuth({ query: used, secret: { verifier: 'x' }, redirectUri: REDIRECT }))).to.be.oneOf(['auth_expired', 'bad_request']);
      expect(await fails(login('fan1', 'allow', (query) => ({ ...query, code: 'made-up' })))).to.be.oneOf(['auth_expired', 'bad_request']);
    });

    it('answers yes, no and unknown for each account, in one call where one is enough', async () => {
      const { tokens, account } = await login('fan1');
      sandbox.world.relate(id, person('fan1'), person('athlete2'), true);
      const ids = ['athlete1', 'athlete2', 'athlete3'].map(accountId);
      const before = sandbox.world.log.length;
      const answers = await adapter.check({ tokens, person: account.id, accounts: [...ids, ...(id === 'x' ? ['999'] : [])] });
      expect(answers.slice(0, 3).map((one) => one.verdict)).to.deep.equal(['no', 'yes', 'no']);
      if (id === 'x') expect(answers[3]).to.include({ verdict: 'unknown', reason: 'not_found' });
      expect(sandbox.world.log.length - before).to.equal(adapter.planCheck(3).calls);
      expect((await adapter.check({ tokens, person: account.id, accounts: [ids[1] as string] }))[0]?.verdict).to.equal('yes');
    });

    it('keeps to its plan for many accounts and tells each batch as it comes', async () => {
      for (let n = 0; n < 230; n += 1) sandbox.world.add({ handle: `star${n}`, name: `Star ${n}`, page: true });
      const { tokens, account } = await login('fan1');
      const before = sandbox.world.log.length;
      let heard = 0;
      const accounts = Array.from({ length: 230 }, (_x, n) => accountId(`star${n}`));
      await adapter.check({
        tokens,
        person: account.id,
        accounts,
        hear: async (part) => {
          heard += part.length;
          await Promise.resolve();
        },
      });
      expect([sandbox.world.log.length - before, heard]).to.deep.equal([adapter.planCheck(230).calls, 230]);
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
        sandbox.world.faults.push({ network: id, path: route, status: fault.status, times: 9, latencyMs: 0, body: fault.body });
        const answers = await adapter.check({ tokens, person: account.id, accounts: ['athlete1', 'athlete2'].map(accountId) });
        expect(answers.map((one) => one.verdict)).to.deep.equal(['unknown', 'unknown']);
      });
    }

    it('answers unknown to a limit, spends no further call on it, and recovers', async () => {
      const { tokens, account } = await login('fan1');
      sandbox.world.rates.push({ network: id, route: '*', limit: 0, windowS: 900 });
      const answers = await adapter.check({ tokens, person: account.id, accounts: Array.from({ length: 150 }, (_x, n) => String(n)) });
      expect(new Set(answers.map((one) => one.reason))).to.deep.equal(new Set(['rate_limited']));
      sandbox.world.rates.length = 0;
      sandbox.world.advance(1_000_000);
      expect((await adapter.check({ tokens, person: account.id, accounts: [accountId('athlete1')] }))[0]?.verdict).to.equal('no');
    });

    it('stops asking after five failures in a row, and asks again ten seconds later', async () => {
      const { tokens, account } = await login('fan1');
      sandbox.world.faults.push({ network: id, path: '/', status: 500, times: -1, latencyMs: 0, body: null });
      for (let n = 0; n < 4; n += 1) await adapter.check({ tokens, person: account.id, accounts: [accountId('athlete1')] });
      const before = sandbox.world.log.length;
      await adapter.check({ tokens, person: account.id, accounts: [accountId('athlete1')] });
      expect(sandbox.world.log.length).to.equal(before);
      sandbox.world.faults.length = 0;
      clock.advance(11_000);
      expect((await adapter.check({ tokens, person: account.id, accounts: [accountId('athlete1')] }))[0]?.verdict).to.equal('no');
    });

    it('says that a token is dead instead of guessing', async () => {
      const { tokens, account } = await login('fan1');
      await adapter.revoke(tokens);
      expect((await adapter.check({ tokens, person: account.id, accounts: [accountId('athlete1')] }))[0]).to.include({
        verdict: 'unknown',
        reason: 'token_revoked',
      });
    });

    it('renews tokens', async () => {
      const { tokens, account } = await login('fan1');
      const next = await adapter.refresh(tokens);
      expect(next.accessToken).to.not.equal(tokens.accessToken);
      expect((await adapter.check({ tokens: next, person: account.id, accounts: [accountId('athlete1')] }))[0]?.verdict).to.equal('no');
      if (id === 'x') {
        expect(await fails(adapter.refresh(tokens))).to.equal('auth_revoked');
        // A refresh token used twice ends the whole family.
        expect((await adapter.check({ tokens: next, person: account.id, accounts: [accountId('athlete1')] }))[0]?.reason).to.equal('token_revoked');
      }
    });

    it('finds the public profile of a handle and of an id, and nothing for nobody', async () => {
      const found = await adapter.resolve({ handle: 'ATHLETE1' });
      expect(found).to.include({ network: id, id: accountId('athlete1'), handle: 'athlete1', name: 'Maëlle Kervran' });
      expect((await adapter.resolve({ id: accountId('athlete1') }))?.handle).to.equal('athlete1');
      expect(await adapter.resolve({ handle: 'nobody_here' })).to.equal(null);
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
    facebook: new FacebookAdapter({ ...settings, pages: 'https://www.facebook.com' }, clock, () => undefined),
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
});
