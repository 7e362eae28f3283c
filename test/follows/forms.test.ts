import { expect } from 'chai';
import type { Browser } from '../support/browserless.js';
import { startWorld, type World } from '../support/world.js';

/**
 * Following without JavaScript: a form, a way back, and a line that says what came of it, truly.
 */
describe('following with forms', () => {
  let world: World;
  let browser: Browser;
  before(async () => {
    world = await startWorld({ card: 'confirmed' });
    await world.athletes();
    for (const athlete of ['athlete1', 'athlete2', 'athlete3']) await world.verify(athlete, 'x');
    await world.verify('athlete1', 'facebook');
    await world.fan('ann');
    browser = world.browser();
    await browser.signIn('x', 'ann');
  });
  after(() => world.close());

  const relate = (athlete: string, on: boolean): void => {
    const [ann, star] = [world.sandbox.world.person('ann'), world.sandbox.world.person(athlete)];
    if (ann && star) world.sandbox.world.relate('x', ann, star, on);
  };
  type Shown = Awaited<ReturnType<Browser['go']>>;
  const press = async (
    athlete: string,
    how: 'follow' | 'unfollow',
    more: Record<string, string> = {},
  ): Promise<Shown> => {
    const path = `/en/athletes/${athlete}`;
    const fields = browser.form((await browser.go(path)).text, `${path.slice(3)}/${how}`);
    for (const [name, value] of Object.entries(more)) fields.set(name, value);
    return browser.post(`${path}/${how}`, fields);
  };
  /** The notice of a page. */
  const said = (page: Shown): string =>
    (/<div class="notice[^"]*" role="status"><p>([^<]*)/.exec(page.text)?.[1] ?? '').replace(
      /&#x27;/g,
      "'",
    );

  it(
    'says that the network does not know of it yet, then that it confirms it, then that it is ' +
      'counted',
    async () => {
      expect(said(await press('athlete1', 'follow'))).to.match(
        /^X says that you do not follow this account yet/,
      );
      relate('athlete1', true);
      const stale = browser.form(
        (await browser.go('/en/athletes/athlete1')).text,
        '/athletes/athlete1/follow',
      );
      expect(said(await press('athlete1', 'follow'))).to.match(
        /^\+1 point\. X confirms that you follow/,
      );
      // The same page in another tab, pressed later.
      expect(said(await browser.post('/en/athletes/athlete1/follow', stale))).to.equal(
        'This is already counted.',
      );
      expect(
        (await world.context.connection.collection('entries').find().toArray()).length,
      ).to.equal(1);
    },
  );

  it('takes the point back only when the network says that it is over', async () => {
    expect(said(await press('athlete1', 'unfollow'))).to.match(
      /^X says that you still follow this account/,
    );
    relate('athlete1', false);
    expect(said(await press('athlete1', 'unfollow'))).to.equal('Point taken back, at your wish.');
  });

  it('says that the network has not answered, and loses nothing', async () => {
    world.sandbox.world.faults.push({
      network: 'x',
      path: '/2/users',
      status: 500,
      times: 50,
      latencyMs: 0,
      body: null,
    });
    const page = await press('athlete2', 'follow');
    world.sandbox.world.faults.length = 0;
    expect(said(page)).to.equal('X has not answered. We ask again; nothing is lost.');
  });

  it('sends whoever has not linked that network to where it is linked', async () => {
    const fields = browser.form(
      (await browser.go('/en/athletes/athlete2')).text,
      '/athletes/athlete2/follow',
    );
    fields.set('network', 'facebook');
    fields.delete('account');
    expect((await browser.post('/en/athletes/athlete1/follow', fields)).url).to.match(
      /\/en\/me\/settings/,
    );
  });

  it('comes back to the accounts of the athlete, whatever else the form asks for', async () => {
    for (const more of [{}, { returnTo: 'https://evil.example/' }])
      expect((await press('athlete2', 'follow', more)).url).to.match(
        new RegExp(`^${world.url}/en/athletes/athlete2\\?notice=\\w+&network=x#accounts$`),
      );
  });

  it('refuses a network that is none', async () => {
    const fields = browser.form(
      (await browser.go('/en/athletes/athlete2')).text,
      '/athletes/athlete2/follow',
    );
    fields.set('network', 'myspace');
    expect((await browser.post('/en/athletes/athlete2/follow', fields)).status).to.equal(400);
  });

  it('asks about everything again at a press in the account, and says so', async () => {
    const fields = browser.form((await browser.go('/en/me')).text, '/me/check');
    const page = await browser.post('/en/me/check', fields);
    expect(new URL(page.url).pathname).to.equal('/en/me');
    expect(said(page)).to.have.length.greaterThan(5);
  });

  it('speaks of a like where the deed is a like', async () => {
    const other = world.browser();
    await world.fan('ben', { networks: ['x', 'facebook'] });
    await other.signIn('x', 'ben');
    const fields = other.form(
      (await other.go('/en/athletes/athlete1')).text,
      '/athletes/athlete1/follow',
    );
    fields.set('network', 'facebook');
    expect(said(await other.post('/en/athletes/athlete1/follow', fields))).to.match(
      /^Facebook says that you do not like this Page yet/,
    );
    const [ben, star] = [world.sandbox.world.person('ben'), world.sandbox.world.person('athlete1')];
    if (ben && star) world.sandbox.world.relate('facebook', ben, star, true);
    const page = await other.post('/en/athletes/athlete1/follow', fields);
    expect(said(page)).to.match(/^\+1 point\. Facebook confirms that you like the Page of/);
    expect(page.text).to.contain('I like it no more');
  });

  it('does not say that a network confirms what it was never asked', async () => {
    await world.context.cards.sign('x', { mode: 'hub', deeds: ['follow'] }, 'test');
    const page = await press('athlete3', 'follow');
    expect(said(page)).to.match(/^\+1 point\. What you did on this page counts/);
    expect(said(page)).to.not.contain('confirms');
    expect(said(await press('athlete3', 'unfollow'))).to.equal('Point taken back, at your wish.');
  });
});
