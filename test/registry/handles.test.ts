import { expect } from 'chai';
import { until } from '../support/until.js';
import { startWorld, HOUR, type World } from '../support/world.js';

/**
 * Handles change hands on networks; what the registry says of one is about whoever bears it now.
 */
for (const network of ['x', 'facebook'] as const) {
  describe(`handles on ${network}`, () => {
    let world: World;
    let id: string;
    let other: string;
    before(async () => {
      world = await startWorld();
      await world.athletes();
      id = await world.verify('athlete1', network);
      other = await world.verify('athlete2', network);
    });
    after(() => world.close());
    const person = (handle: string) =>
      world.sandbox.world.person(handle) as NonNullable<
        ReturnType<World['sandbox']['world']['person']>
      >;
    const rename = (handle: string, to: string): void => {
      expect(world.sandbox.world.rename(network, person(handle), to)).to.equal(true);
    };
    const accountId = (handle: string): string =>
      (network === 'x' ? person(handle).ids.x : person(handle).page) ?? '';
    const lookup = async (account: string) =>
      (await world.api(`/registry/lookup?account=${encodeURIComponent(account)}`)).body as Record<
        string,
        unknown
      >;
    const record = async (which: string) =>
      (await world.context.registry.requireCase(which)).account;
    const asked = (): number =>
      world.sandbox.world.log.filter(
        (one) => one.network === network && one.path !== '/oauth2/token',
      ).length;

    it('never answer `listed` for one that was freed, or that somebody else has taken over, without anybody opening a page', async () => {
      expect(await lookup(`${network}:athlete1`)).to.include({ result: 'listed' });
      rename('athlete1', 'maelle');
      world.clock.advance(HOUR);
      // Freed: whoever takes it next may be anybody.
      expect(await lookup(`${network}:athlete1`)).to.deep.include({
        result: 'lookalike',
        of: { name: 'Maëlle Kervran', network, handle: 'maelle' },
      });
      world.sandbox.world.add({ handle: 'thief', name: 'Thief', page: true });
      rename('thief', 'athlete1');
      expect((await lookup(`${network}:athlete1`))['result']).to.equal('lookalike');
      expect(await lookup(`${network}:maelle`)).to.include({ result: 'listed' });
      const address =
        network === 'x'
          ? `https://x.com/i/user/${accountId('athlete1')}`
          : `https://www.facebook.com/profile.php?id=${accountId('athlete1')}`;
      expect(await lookup(address)).to.include({ result: 'listed' });
    });

    it(
      'go with a submission to the account the network names now, and come back with the next ' +
        'look',
      async () => {
        // Two athletes swap, and a moderator pastes one of them before anybody was asked about the
        // other.
        rename('athlete2', 'inbetween');
        rename('athlete1', 'athlete2');
        const by = await world.moderator();
        const opened = await world.context.registry
          .submit(by, `${network}:athlete2`, 'athlete1')
          .catch((error: unknown) => error);
        expect(opened).to.include({ id: 'account_taken' });
        world.sandbox.world.add({ handle: 'newcomer', name: 'New', page: true });
        rename('athlete1', 'somewhere');
        rename('newcomer', 'athlete2');
        const made = await world.context.registry.submit(by, `${network}:athlete2`, 'athlete3');
        expect(await record(other)).to.deep.include({ handleKey: null, handle: 'athlete2' });
        expect((await lookup(`${network}:athlete2`))['result']).to.not.equal('listed');
        await world.context.registry.sweep();
        expect(await record(other)).to.include({ handle: 'inbetween' });
        expect(await record(made._id)).to.include({ handle: 'athlete2', state: 'candidate' });
        expect((await record(other)).former.map((one) => one.handle)).to.deep.equal(['athlete2']);
      },
    );

    it('are asked for in batches by the sweep, once a day', async () => {
      world.clock.advance(25 * HOUR);
      const before = asked();
      await world.context.registry.sweep();
      expect(asked() - before).to.equal(1);
      await world.context.registry.sweep();
      expect(asked() - before).to.equal(1);
    });

    it(
      'are asked for when an athlete’s page is opened, at most every ten minutes, and nobody ' +
        'waits for it',
      async () => {
        world.clock.advance(HOUR);
        rename('athlete1', 'opened');
        const before = asked();
        const page = () =>
          fetch(`${world.url}/en/athletes/athlete1`).then((answer) => answer.text());
        await page();
        await until(async () => (await record(id)).handle === 'opened');
        const after = asked();
        expect(after - before).to.equal(1);
        expect(await page()).to.contain('opened</span>');
        const { accounts } = (await world.api('/athletes/athlete1')).body as unknown as {
          accounts: { id: string; url: string }[];
        };
        const address = `${world.sandbox.networks[network]}/${network === 'x' ? 'i/user/' : ''}${accountId('athlete1')}`;
        expect(accounts[0]).to.include({ id: accountId('athlete1'), url: address });
        expect(asked()).to.equal(after);
      },
    );

    it('are as the network says when a moderator opens the case, and as known while it is away', async () => {
      const { token } = await world.fan('moderator1', { role: 'moderator' });
      const browser = world.browser();
      await browser.signIn('x', 'moderator1');
      world.clock.advance(HOUR);
      rename('athlete1', 'again');
      expect((await browser.go(`/en/moderation/cases/${id}`)).text)
        .to.contain('@opened, until')
        .and.contain('Is @again really');
      world.clock.advance(HOUR);
      rename('athlete1', 'away');
      world.sandbox.world.faults.push({
        network,
        path: '/',
        status: 500,
        times: -1,
        latencyMs: 0,
        body: null,
      });
      expect((await browser.go(`/en/moderation/cases/${id}`)).text).to.contain('Is @again really');
      const calls = asked();
      expect(await lookup(`${network}:again`)).to.include({ result: 'listed' });
      expect(asked()).to.equal(calls);
      world.sandbox.world.faults.length = 0;
      expect((await world.api('/registry/cases?state=verified', { token })).status).to.equal(200);
    });

    it('name nobody once the network does not know the account any more', async () => {
      world.clock.advance(HOUR);
      const { by, hide } = { by: world.sandbox.world, hide: person('athlete2') };
      const known = [by.byX.bind(by), by.byPage.bind(by)] as const;
      by.byX = (one) => (one === hide.ids.x ? null : known[0](one));
      by.byPage = (one) => (one === hide.page ? null : known[1](one));
      expect((await lookup(`${network}:inbetween`))['result']).to.equal('unknown');
      expect(await record(other)).to.include({ gone: true, handleKey: null, state: 'verified' });
      [by.byX, by.byPage] = known;
      world.clock.advance(25 * HOUR);
      await world.context.registry.sweep();
      expect(await record(other)).to.include({ gone: false, handle: 'inbetween' });
      expect(await lookup(`${network}:inbetween`)).to.include({ result: 'listed' });
    });
  });
}
