import { expect } from 'chai';
import { skeleton } from '../../server/platform/skeleton.js';
import { startWorld, type World } from '../support/world.js';

describe('what handles look like', () => {
  for (const [a, b] of [
    ['athlete1', 'athlete_1'],
    ['maellekervran', 'mae11e.kervran'],
    ['serena', 'sérena'],
    ['morn', 'mom'],
    ['kervran', 'kervran_official'],
  ] as const)
    it(`takes ${b} for ${a}`, () => {
      expect(skeleton(b)).to.equal(skeleton(a));
    });
  it('tells different names apart', () => {
    expect(skeleton('athlete1')).to.not.equal(skeleton('athlete2'));
  });
});

describe('the registry', () => {
  let world: World;
  let token: string;
  before(async () => {
    world = await startWorld();
    await world.athletes();
    ({ token } = await world.fan('moderator1', { role: 'moderator' }));
  });
  after(() => world.close());
  const send = (path: string, body: object, as = token) =>
    world.api(`/registry/cases${path}`, { method: 'POST', token: as, body });
  const lookup = async (account: string) =>
    (await world.api(`/registry/lookup?account=${encodeURIComponent(account)}`)).body;
  let id = '';

  it('opens a case from any form of an address, by the network\u2019s stable id', async () => {
    const made = await send('', {
      account: `${world.sandbox.networks.x}/ATHLETE1/status/5`,
      athlete: 'athlete1',
    });
    expect(made.status).to.equal(201);
    expect(made.body).to.include({
      network: 'x',
      handle: 'athlete1',
      state: 'candidate',
      epoch: 0,
      quorum: 1,
    });
    id = String((made.body as { id?: string }).id);
    expect((await send('', { account: 'x:athlete1', athlete: 'athlete2' })).body).to.include({
      id: 'account_taken',
      status: 409,
    });
  });

  it('lists nothing before it is granted', async () => {
    expect((await lookup('@athlete1'))['result']).to.equal('unknown');
    expect(
      ((await world.api('/athletes/athlete1')).body as unknown as { accounts: unknown[] }).accounts,
    ).to.deep.equal([]);
  });

  it('lets only moderators open and decide, and tells others nothing', async () => {
    const { token: plain } = await world.fan('somebody');
    expect((await send('', { account: 'x:athlete2', athlete: 'athlete2' }, plain)).body).to.include(
      { id: 'not_allowed', status: 403 },
    );
    expect(
      (await send(`/${id}/decision`, { decision: 'grant', reason: 'mine' }, plain)).status,
    ).to.equal(403);
    expect((await world.api('/registry/cases', { token: plain })).status).to.equal(403);
    expect((await world.api('/registry/cases')).status).to.equal(401);
    const browser = world.browser();
    await browser.signIn('x', 'somebody');
    expect((await browser.go('/en/moderation')).status).to.equal(404);
  });

  it('lists a granted account everywhere, with its athlete', async () => {
    expect(
      (await send(`/${id}/decision`, { decision: 'grant', reason: 'met in person' })).body,
    ).to.include({ state: 'verified', epoch: 1 });
    for (const form of [
      '@athlete1',
      'athlete1',
      'https://x.com/athlete1',
      'twitter.com/Athlete1/',
      `x:athlete1`,
      `https://x.com/i/user/${world.sandbox.world.person('athlete1')?.ids.x ?? ''}`,
    ]) {
      const found = await lookup(form);
      expect(found['result'], form).to.equal('listed');
      expect((found['athlete'] as unknown as { slug: string }).slug).to.equal('athlete1');
    }
    expect((await world.context.athletes.require('athlete1')).networks).to.deep.equal(['x']);
  });

  it('tells a lookalike, somebody unknown and what is no account at all', async () => {
    expect(await lookup('@athlete_1')).to.deep.equal({
      result: 'lookalike',
      of: { name: 'Maëlle Kervran', network: 'x', handle: 'athlete1' },
    });
    expect((await lookup('@somebodyelse'))['result']).to.equal('unknown');
    for (const form of [
      'https://x.com/home',
      'https://example.org/athlete1',
      'a b c',
      'https://www.facebook.com/groups/12',
    ])
      expect((await lookup(form))['result'], form).to.equal('not_an_account');
  });

  it('refuses a decision on what is decided, and a decision without a reason', async () => {
    expect((await send(`/${id}/decision`, { decision: 'refuse', reason: 'late' })).body).to.include(
      { id: 'already_decided', status: 409 },
    );
    expect((await send(`/${id}/decision`, { decision: 'grant', reason: '' })).status).to.equal(400);
    expect(
      (await send('/nothing/decision', { decision: 'grant', reason: 'none' })).status,
    ).to.equal(404);
  });

  it('lets one of two moderators who decide at once win', async () => {
    const made = await send('', { account: 'x:athlete2', athlete: 'athlete2' });
    const { token: second } = await world.fan('moderator2', { role: 'moderator' });
    const path = `/${String((made.body as { id?: string }).id)}/decision`;
    const both = await Promise.all([
      send(path, { decision: 'grant', reason: 'one' }),
      send(path, { decision: 'refuse', reason: 'two' }, second),
    ]);
    expect(both.map((one) => one.status).sort()).to.deep.equal([200, 409]);
  });

  it('keeps to itself what moderators wrote of a grant', async () => {
    const granted = (await world.api('/registry/lookup?account=@athlete1')).body as Record<
      string,
      unknown
    >;
    expect(granted['evidence']).to.have.all.keys('decidedOn', 'by');
    for (const path of [
      '/api/v1/registry/lookup?account=@athlete1',
      '/api/v1/athletes/athlete1',
      '/api/v1/athletes?q=maelle',
      '/en/athletes/athlete1',
    ])
      expect(await (await fetch(`${world.url}${path}`)).text()).to.not.contain('met in person');
  });

  it('warns of an account refused as fake: of whom, by handle and by name', async () => {
    const made = await send('', { account: 'x:athlete_1', athlete: 'athlete1' });
    await send(`/${String((made.body as { id?: string }).id)}/decision`, {
      decision: 'fake',
      reason: 'imitates athlete1',
    });
    const of = { network: 'x', handle: 'athlete1', name: 'Maëlle Kervran' };
    expect(await lookup('@athlete_1')).to.deep.include({
      result: 'known_fake',
      why: 'imitates athlete1',
      of,
    });
    // Of an athlete without a verified account only the name is known.
    const other = await send('', { account: 'x:fan5', athlete: 'athlete12' });
    await send(`/${String((other.body as { id?: string }).id)}/decision`, {
      decision: 'fake',
      reason: 'imitates her',
    });
    expect((await lookup('@fan5'))['of']).to.deep.equal({ name: 'Sofia Marques' });
  });

  it(
    'goes on warning of a fake that is submitted again, shows it to moderators alone, and ' +
      'stops when it is decided otherwise',
    async () => {
      const again = await send('', { account: 'x:athlete_1', athlete: 'athlete3' });
      let path = `/${String((again.body as { id?: string }).id)}`;
      /** Claims it once more, which opens another case. */
      const reopen = async (athlete: string): Promise<void> => {
        const { body } = await send('', { account: 'x:athlete_1', athlete });
        path = `/${String((body as { id?: string }).id)}`;
      };
      expect(again.body).to.deep.include({ state: 'candidate' });
      expect((again.body as unknown as { warning: object }).warning).to.include({
        as: 'fake',
        reason: 'imitates athlete1',
      });
      // It pretends to be whom it pretended to be, not whom it is submitted for now.
      expect(await lookup('@athlete_1')).to.deep.include({
        result: 'known_fake',
        why: 'imitates athlete1',
      });
      expect((await lookup('@athlete_1'))['of']).to.include({ handle: 'athlete1' });
      const browser = world.browser();
      await browser.signIn('x', 'moderator1');
      expect((await browser.go(`/en/moderation/cases${path}`)).text)
        .to.contain('Refused as a fake before')
        .and.contain('imitates athlete1');
      expect(await (await fetch(`${world.url}/en/athletes/athlete3`)).text()).to.not.contain(
        'athlete_1',
      );
      await send(`${path}/decision`, { decision: 'fake', reason: 'imitates still' });
      expect((await lookup('@athlete_1'))['why']).to.equal('imitates still');
      await reopen('athlete1');
      await send(`${path}/decision`, { decision: 'refuse', reason: 'a fan page that says so' });
      expect((await lookup('@athlete_1'))['result']).to.equal('lookalike');
      await reopen('athlete1');
      await send(`${path}/decision`, { decision: 'grant', reason: 'their second account' });
      expect((await lookup('@athlete_1'))['result']).to.equal('listed');
      await send(`${path}/revocation`, { reason: 'sold' });
      await reopen('athlete3');
      expect(await lookup('@athlete_1')).to.deep.include({
        result: 'revoked',
        why: 'sold',
        athlete: { slug: 'athlete1', name: 'Maëlle Kervran' },
      });
    },
  );

  it('says on the page that an account was revoked, and why, and stops listing it', async () => {
    expect((await send(`/${id}/revocation`, { reason: 'account was sold' })).body).to.include({
      state: 'revoked',
      epoch: 2,
    });
    expect((await lookup('@athlete1'))['result']).to.equal('revoked');
    const page = await (await fetch(`${world.url}/en/athletes/athlete1`)).text();
    expect(page).to.contain('account was sold').and.contain('Earns no more');
    expect((await world.context.athletes.require('athlete1')).networks).to.deep.equal([]);
  });

  it('writes every decision into the log', async () => {
    const { account } = await world.context.registry.requireCase(id);
    const log = await world.context.audit.about(`account:${account._id}`);
    expect(log.map((line) => line.act)).to.deep.equal([
      'account.revoked',
      'account.granted',
      'account.submitted',
    ]);
    expect(log[1]).to.include({ reason: 'met in person' });
  });

  it('says plainly when a network does not know an account or does not answer', async () => {
    expect((await send('', { account: 'x:nobody_at_all', athlete: 'athlete3' })).body).to.include({
      id: 'account_not_found',
    });
    expect((await send('', { account: 'hello world', athlete: 'athlete3' })).body).to.include({
      id: 'bad_input',
    });
    expect((await send('', { account: 'x:athlete3', athlete: 'nobody' })).body).to.include({
      id: 'athlete_not_found',
    });
    world.sandbox.world.faults.push({
      network: 'facebook',
      path: '/v24.0',
      status: 500,
      times: 2,
      latencyMs: 0,
      body: null,
    });
    expect((await send('', { account: 'facebook:athlete3', athlete: 'athlete3' })).body).to.include(
      { id: 'network_down', status: 502 },
    );
  });
});
