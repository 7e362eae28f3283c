import { expect } from 'chai';
import { startWorld, type World } from '../support/world.js';

/**
 * An athlete with two verified accounts on one network: each is a deed of its own, and whoever
 * follows says which.
 */
describe('an athlete with two accounts on one network', () => {
  let world: World;
  let ids: string[];
  before(async () => {
    world = await startWorld({ card: 'hub' });
    await world.athletes();
    await world.verify('athlete1', 'x');
    await world.verify('athlete1', 'facebook');
    const by = await world.moderator();
    const { _id } = await world.context.registry.submit(by, 'x:athlete_1', 'athlete1');
    await world.context.registry.decide(by, _id, { decision: 'grant', reason: 'her second one' });
    ids = ['athlete1', 'athlete_1'].map(
      (handle) => world.sandbox.world.person(handle)?.ids.x ?? '',
    );
  });
  after(() => world.close());
  const act = (token: string, method: string, body: object) =>
    world.api('/athletes/athlete1/follow', { method, token, body });
  const listed = async (path: string) =>
    JSON.parse(await (await fetch(`${world.url}/api/v1${path}`)).text()) as unknown;

  it('lists each with its id, alone and in the directory', async () => {
    const { accounts } = (await listed('/athletes/athlete1')) as {
      accounts: { id: string; network: string }[];
    };
    expect(accounts.filter((one) => one.network === 'x').map((one) => one.id)).to.have.members(ids);
    const { items } = (await listed('/athletes?q=maelle')) as {
      items: { accounts: { id: string }[] }[];
    };
    expect(items[0]?.accounts.map((one) => one.id)).to.include.members(ids);
  });

  it('asks which one, with the list, and follows nothing meanwhile', async () => {
    const { token } = await world.fan('w1');
    for (const method of ['POST', 'DELETE']) {
      const { status, body } = await act(token, method, { network: 'x' });
      expect(status).to.equal(409);
      expect(body).to.include({ id: 'which_account', title: 'Which account?' });
      const { accounts } = body as unknown as {
        accounts: { id: string; network: string; handle: string; url: string }[];
      };
      expect(accounts.map((one) => one.id)).to.have.members(ids);
      expect(accounts[0]).to.have.all.keys('id', 'network', 'handle', 'url');
    }
    expect((await world.api('/me', { token })).body).to.include({ points: 0 });
    // Where there is one only, it is meant.
    expect((await act(token, 'POST', { network: 'facebook' })).body).to.include({ awarded: 1 });
  });

  it('follows and unfollows each by its id, a point each', async () => {
    const { token } = await world.fan('w2');
    for (const [at, account] of ids.entries())
      expect((await act(token, 'POST', { network: 'x', account })).body).to.include({
        awarded: 1,
        points: at + 1,
      });
    expect((await act(token, 'POST', { network: 'x', account: ids[1] })).body).to.include({
      awarded: 0,
      turn: 1,
    });
    const taken = await world.api(`/athletes/athlete1/follow?network=x&account=${ids[1] ?? ''}`, {
      method: 'DELETE',
      token,
    });
    expect(taken.body).to.include({ turn: 2, points: 1 });
    const { items } = (await world.api('/me/ledger', { token })).body as unknown as {
      items: { deed: string; delta: number }[];
    };
    expect(items.map((one) => [one.deed, one.delta])).to.deep.equal([
      [`follow:x:${ids[1] ?? ''}`, -1],
      [`follow:x:${ids[1] ?? ''}`, 1],
      [`follow:x:${ids[0] ?? ''}`, 1],
    ]);
  });

  it('knows no account of another network, of another athlete or that is not verified', async () => {
    const { token } = await world.fan('w3');
    const page = world.sandbox.world.person('athlete1')?.page ?? '';
    expect((await act(token, 'POST', { network: 'x', account: page })).body).to.include({
      id: 'account_not_found',
      status: 404,
    });
    const by = await world.moderator();
    await world.context.registry.submit(by, 'x:athlete2', 'athlete1');
    expect(
      (
        await act(token, 'POST', {
          network: 'x',
          account: world.sandbox.world.person('athlete2')?.ids.x,
        })
      ).body,
    ).to.include({ id: 'not_verified' });
    for (const account of ['', 'a'.repeat(65), { $ne: null }, [ids[0]]])
      expect((await act(token, 'POST', { network: 'x', account })).status).to.equal(400);
  });

  it('shows both on the page, each with a form of its own that says which', async () => {
    const browser = world.browser();
    await world.fan('fan4');
    await browser.signIn('x', 'fan4');
    let page = await browser.go('/en/athletes/athlete1');
    const forms = (text: string, what: string): string[] =>
      [
        ...text.matchAll(
          /<form method="post" action="[^"]*\/(follow|unfollow)">[\s\S]*?name="account" value="(\d+)"/g,
        ),
      ]
        .filter(([, act = '']) => act === what)
        .map(([, , id = '']) => id);
    expect(forms(page.text, 'follow')).to.include.members(ids);
    for (const account of ids) {
      const fields = browser.form(page.text, '/athletes/athlete1/follow');
      fields.set('network', 'x');
      fields.set('account', account);
      page = await browser.post('/en/athletes/athlete1/follow', fields);
      expect(page.text).to.contain('role="status"');
    }
    expect(forms(page.text, 'unfollow')).to.include.members(ids);
    const fields = browser.form(page.text, '/athletes/athlete1/unfollow');
    fields.delete('account');
    fields.set('network', 'x');
    expect((await browser.post('/en/athletes/athlete1/unfollow', fields)).text).to.contain(
      'has several accounts on X: choose one.',
    );
  });

  it('is described in the document of the doors', async () => {
    const { paths, components } = (await listed('/openapi.json')) as {
      paths: Record<string, Record<string, object>>;
      components: object;
    };
    expect(JSON.stringify(components)).to.contain('which_account');
    for (const method of ['post', 'delete']) {
      const text = JSON.stringify(paths['/athletes/{slug}/follow']?.[method]);
      expect(text).to.contain('"account"').and.contain('FollowProblem');
    }
  });
});
