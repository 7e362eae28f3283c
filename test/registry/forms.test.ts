import { expect } from 'chai';
import type { Browser } from '../support/browserless.js';
import { startWorld, type World } from '../support/world.js';

/**
 * What moderators do with forms alone: nothing that was typed is lost, and every refusal says why.
 */
describe('the moderators’ forms', () => {
  let world: World;
  let browser: Browser;
  before(async () => {
    world = await startWorld();
    await world.athletes();
    for (const name of ['moderator1', 'fan1'])
      await world.fan(name, name === 'fan1' ? {} : { role: 'moderator' });
    browser = world.browser();
    await browser.signIn('x', 'moderator1');
  });
  after(() => world.close());

  type Shown = Awaited<ReturnType<Browser['go']>>;
  const submit = async (account: string, athlete: string, lang = 'en'): Promise<Shown> => {
    const fields = browser.form(
      (await browser.go(`/${lang}/moderation`)).text,
      '/moderation/cases',
    );
    fields.set('account', account);
    fields.set('athlete', athlete);
    return browser.post(`/${lang}/moderation/cases`, fields);
  };
  const answer = async (
    path: string,
    what: 'decision' | 'revocation',
    given: Record<string, string>,
  ): Promise<Shown> => {
    const fields = browser.form((await browser.go(path)).text, `/${what}`);
    for (const [name, value] of Object.entries(given)) fields.set(name, value);
    return browser.post(`${path}/${what}`, fields);
  };
  const value = (html: string, name: string): string | undefined =>
    new RegExp(`<input id="${name}"[^>]*value="([^"]*)"`).exec(html)?.[1];

  for (const [what, account, athlete, says] of [
    ['nothing', '', '', 'An address and an athlete are needed.'],
    [
      'no address',
      'hello there',
      'athlete1',
      'This is not the address of an X or Facebook account.',
    ],
    [
      'an account nobody knows',
      'x:nobody_at_all',
      'athlete1',
      'The network does not know this account.',
    ],
    [
      'an athlete nobody knows',
      'x:athlete1',
      'nobody-at-all',
      'No athlete of this name in the directory.',
    ],
  ] as const)
    it(`keep what was typed when it is ${what}, and say what is wrong`, async () => {
      const page = await submit(account, athlete);
      expect(page.status).to.equal(400);
      expect(page.text).to.contain(says);
      expect([value(page.text, 'account'), value(page.text, 'athlete')]).to.deep.equal([
        account,
        athlete,
      ]);
    });

  it('keep what was typed while the network does not answer', async () => {
    world.sandbox.world.faults.push({
      network: 'x',
      path: '/2/users',
      status: 500,
      times: 50,
      latencyMs: 0,
      body: null,
    });
    const page = await submit('x:athlete1', 'athlete1', 'fr');
    world.sandbox.world.faults.length = 0;
    expect(page.status).to.equal(502);
    expect(page.text).to.contain('X ne répond pas en ce moment');
    expect(value(page.text, 'account')).to.equal('x:athlete1');
  });

  it('lead to the case, also to the one that is open already', async () => {
    const first = await submit('x:athlete1', '/en/athletes/athlete1');
    expect([first.status, /\/en\/moderation\/cases\/[\w-]+$/.test(first.url)]).to.deep.equal([
      200,
      true,
    ]);
    expect((await submit('https://x.com/athlete1', 'athlete1')).url).to.equal(first.url);
  });

  it(
    'decide with a reason only, keep the choice and the words when one is missing, and not ' +
      'twice',
    async () => {
      const { url } = await submit('x:athlete2', 'athlete2');
      const path = new URL(url).pathname;
      const short = await answer(path, 'decision', { decision: 'refuse', reason: 'x' });
      expect([short.status, /give a reason of three letters/.test(short.text)]).to.deep.equal([
        400,
        true,
      ]);
      expect(short.text)
        .to.match(/value="refuse" checked/)
        .and.match(/<textarea[^>]*>x<\/textarea>/);
      const none = await answer(path, 'decision', { reason: 'her own <b>page</b> links it' });
      expect(none.status).to.equal(400);
      expect(none.text).to.contain('her own &lt;b&gt;page&lt;/b&gt; links it</textarea>');
      const open = browser.form(none.text, '/decision');
      const granted = await answer(path, 'decision', {
        decision: 'grant',
        reason: 'her own page links it',
      });
      expect(granted.status).to.equal(200);
      expect((await world.api('/registry/lookup?account=x:athlete2')).body).to.include({
        result: 'listed',
      });
      // A second page of the same case, opened before.
      open.set('decision', 'refuse');
      open.set('reason', 'too late');
      const late = await browser.post(`${path}/decision`, open);
      expect([late.status, /Somebody decided meanwhile/.test(late.text)]).to.deep.equal([
        409,
        true,
      ]);
      // The form that now stands there revokes: nothing is ready in it.
      expect(late.text).to.not.contain('too late').and.not.contain('autofocus');
    },
  );

  it('revoke with a reason only, and say so on the case', async () => {
    const path = new URL((await submit('x:athlete2', 'athlete2')).url).pathname;
    const short = await answer(path, 'revocation', { reason: 'x' });
    expect([short.status, /autofocus[^<]*>x<\/textarea>/.test(short.text)]).to.deep.equal([
      400,
      true,
    ]);
    expect((await answer(path, 'revocation', { reason: 'the account was sold' })).text).to.contain(
      'the account was sold',
    );
    expect((await world.api('/registry/lookup?account=x:athlete2')).body).to.not.include({
      result: 'listed',
    });
  });

  it('are not there for anybody else', async () => {
    const path = new URL((await submit('x:athlete3', 'athlete3')).url).pathname;
    const csrf = browser.form((await browser.go(path)).text, '/decision').get('csrf') ?? '';
    const other = world.browser();
    await other.signIn('x', 'fan1');
    for (const page of ['/en/moderation', path])
      expect((await other.go(page)).status).to.equal(404);
    const fields = new URLSearchParams({ csrf, decision: 'grant', reason: 'because I say so' });
    expect(
      (await other.send(`${path}/decision`, { method: 'POST', body: fields })).status,
    ).to.be.oneOf([403, 404]);
    expect((await world.api('/registry/lookup?account=x:athlete3')).body).to.not.include({
      result: 'listed',
    });
  });
});
