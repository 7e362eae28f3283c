import { expect } from 'chai';
import type { Card } from '../../server/networks/cards.js';
import { NetworkError } from '../../server/networks/network.js';
import type { Browser } from '../support/browserless.js';
import { startWorld, HOUR, type World } from '../support/world.js';

/**
 * Nobody earns for their own account, on any network, whatever role they have and in whatever order
 * things became known (DESIGN 6).
 */
for (const mode of ['confirmed', 'hub'] as Card['mode'][]) {
  describe(`owners of accounts, under a ${mode} card`, () => {
    let world: World;
    before(async () => {
      world = await startWorld({ card: mode });
      await world.athletes();
      for (const athlete of ['athlete1', 'athlete2', 'athlete3', 'athlete4'])
        for (const network of ['x', 'facebook'] as const) await world.verify(athlete, network);
    });
    after(() => world.close());
    const person = (handle: string) =>
      world.sandbox.world.person(handle) as NonNullable<
        ReturnType<World['sandbox']['world']['person']>
      >;
    const does = (handle: string, athlete: string): void => {
      for (const network of ['x', 'facebook'] as const)
        world.sandbox.world.relate(network, person(handle), person(athlete), true);
    };
    const follow = async (token: string, athlete: string, network: 'x' | 'facebook') =>
      (await world.api(`/athletes/${athlete}/follow`, { method: 'POST', token, body: { network } }))
        .body;
    const points = async (token: string) =>
      (await world.api('/me', { token })).body as { points?: number };

    for (const [linked, athlete] of [
      ['x', 'athlete1'],
      ['facebook', 'athlete2'],
    ] as const)
      it(`earn by none of an athlete's accounts, known by ${linked} alone and without any role`, async () => {
        const { token } = await world.fan(athlete, { networks: [linked] });
        does(athlete, athlete);
        await world.settle();
        for (const network of ['x', 'facebook'] as const)
          expect(await follow(token, athlete, network)).to.include({
            id: 'own_account',
            status: 409,
          });
        expect(await points(token)).to.include({ points: 0 });
        does(athlete, 'athlete3');
        expect(await follow(token, 'athlete3', linked)).to.include({ awarded: 1 });
      });

    it(
      'earn nothing by an account that is verified after they signed in with it, at the door, ' +
        'at the first link or when all is asked again',
      async () => {
        const made = [];
        for (const [linked, athlete] of [
          ['x', 'athlete5'],
          ['facebook', 'athlete6'],
        ] as const) {
          does(athlete, athlete);
          const { token, fan } = await world.fan(athlete, { networks: [linked] });
          made.push({ token, fan, athlete, linked });
          for (const network of ['x', 'facebook'] as const) await world.verify(athlete, network);
        }
        for (const { token, fan, athlete, linked } of made) {
          for (const network of ['x', 'facebook'] as const)
            expect(await follow(token, athlete, network)).to.include({ id: 'own_account' });
          await world.context.follows.checkNetwork(fan._id, linked);
          await world.settle();
          expect(await points(token)).to.include({ points: 0 });
        }
      },
    );

    it('earn nothing more once a moderator has recorded them, and keep what they earned before', async () => {
      const { token, fan } = await world.fan('manager', { networks: ['x', 'facebook'] });
      does('manager', 'athlete4');
      expect(await follow(token, 'athlete4', 'x')).to.include({ awarded: 1 });
      const by = await world.moderator();
      const { items } = await world.context.registry.queue(by, 'verified');
      const account = items.find(
        (one) => one.athlete === 'athlete4' && one.account.network === 'x',
      );
      await world.context.registry.setOwner(by, account?._id ?? '', 'x:manager', true);
      expect(await follow(token, 'athlete4', 'facebook')).to.include({ id: 'own_account' });
      await world.context.follows.checkNetwork(fan._id, 'facebook');
      await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
      await world.settle();
      expect(await points(token)).to.include({ points: 1 });
      // A mistake can be taken back.
      await world.context.registry.setOwner(by, account?._id ?? '', fan._id, false);
      expect(await follow(token, 'athlete4', 'facebook')).to.include({ awarded: 1 });
    });

    it('earn nothing when it becomes known while the give is on its way', async () => {
      const { token, fan } = await world.fan('in-flight', { networks: ['x'] });
      does('in-flight', 'athlete3');
      const by = await world.moderator();
      const account = (await world.context.registry.queue(by, 'verified')).items.find(
        (one) => one.athlete === 'athlete3' && one.account.network === 'x',
      );
      // Everything before has looked, and then a moderator records it: the guard of the give itself
      // refuses.
      const { registry } = world.context;
      const guard = registry.mayEarn.bind(registry);
      registry.mayEarn = async (who, given) => {
        await registry.setOwner(by, account?._id ?? '', fan._id, true);
        return guard(who, given);
      };
      const answer = await follow(token, 'athlete3', 'x');
      registry.mayEarn = guard;
      expect(answer).to.not.include({ awarded: 1 });
      expect(await points(token)).to.include({ points: 0 });
    });
  });
}

describe('who owns an account', () => {
  let world: World;
  let id: string;
  before(async () => {
    world = await startWorld({ card: 'hub' });
    await world.athletes();
    id = await world.verify('athlete1', 'facebook');
  });
  after(() => world.close());
  const owners = async () => (await world.context.registry.requireCase(id)).account.owners;

  it('is learnt at each sign-in: whoever manages a Page no more owns it no more', async () => {
    const { fan, token } = await world.fan('athlete1', { networks: ['facebook'] });
    expect(await owners()).to.deep.equal([{ fan: fan._id, by: 'network' }]);
    const person = world.sandbox.world.person('athlete1') as { page: string | null };
    const { page } = person;
    person.page = null;
    await world.browser().signIn('facebook', 'athlete1');
    person.page = page;
    expect(await owners()).to.deep.equal([]);
    expect(
      (
        await world.api('/athletes/athlete1/follow', {
          method: 'POST',
          token,
          body: { network: 'facebook' },
        })
      ).body,
    ).to.include({ awarded: 1 });
  });

  it('is learnt within a day when a process died between the sign-in and what it proved', async () => {
    await world.browser().signIn('facebook', 'athlete1');
    const { fan } = await world.fan('athlete1', { networks: ['facebook'] });
    await world.context.connection
      .collection('accounts')
      .updateOne({ athlete: 'athlete1' }, { $set: { owners: [] } });
    world.clock.advance(25 * HOUR);
    await world.context.registry.sweep();
    expect(await owners()).to.deep.equal([{ fan: fan._id, by: 'network' }]);
    await world.context.connection
      .collection('accounts')
      .updateOne({ athlete: 'athlete1' }, { $set: { owners: [] } });
  });

  it('is not told to the hub when the network cannot tell it: nobody is signed in half known', async () => {
    world.sandbox.world.faults.push({
      network: 'facebook',
      path: '/v24.0/me/accounts',
      status: 500,
      times: 2,
      latencyMs: 0,
      body: null,
    });
    const refused = await world
      .fan('fan3', { networks: ['facebook'] })
      .catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(NetworkError);
    expect((await world.context.fans.resolve('facebook:Name of fan3')) ?? null).to.equal(null);
  });

  it('is recorded and taken out by moderators alone, by form and by API, and stands in the log', async () => {
    const { fan } = await world.fan('fan2');
    const { token } = await world.fan('moderator1', { role: 'moderator' });
    const { token: plain } = await world.fan('somebody');
    const send = (body: object, as = token) =>
      world.api(`/registry/cases/${id}/owners`, { method: 'POST', token: as, body });
    expect((await send({ fan: 'x:fan2', owns: 'yes' }, plain)).status).to.equal(403);
    expect((await send({ fan: 'x:nobody_at_all', owns: 'yes' })).body).to.include({
      id: 'fan_not_found',
    });
    expect((await send({ fan: 'x:fan2', owns: 'yes' })).body).to.deep.include({
      owners: [{ fan: fan._id, by: 'moderator' }],
    });
    const browser: Browser = world.browser();
    await browser.signIn('x', 'moderator1');
    const path = `/en/moderation/cases/${id}`;
    const page = await browser.go(path);
    expect(page.text).to.contain('recorded by moderators').and.contain('Owner recorded');
    const gone = await browser.post(`${path}/owners`, browser.form(page.text, '/owners'));
    expect(gone.text).to.contain('Nobody known.').and.contain('Owner taken out');
    const fields = browser.form(gone.text, '/owners');
    fields.set('fan', 'x:nobody_at_all');
    const wrong = await browser.post(`${path}/owners`, fields);
    expect([
      wrong.status,
      /No fan of this name/.test(wrong.text),
      /value="x:nobody_at_all"/.test(wrong.text),
    ]).to.deep.equal([400, true, true]);
    fields.set('fan', 'x:fan2');
    expect((await browser.post(`${path}/owners`, fields)).text).to.contain(
      'recorded by moderators',
    );
    expect(await owners()).to.have.length(1);
  });

  it('keeps what waited for its day from being given when it became known meanwhile', async () => {
    const { fan, token } = await world.fan('late');
    const by = await world.moderator();
    const account = await world.verify('athlete2', 'x');
    const act = (method: string) =>
      world.api('/athletes/athlete2/follow', { method, token, body: { network: 'x' } });
    for (let round = 0; round < 3; round += 1) {
      await act('POST');
      await act('DELETE');
    }
    expect((await act('POST')).body).to.include({ awarded: 0 });
    await world.context.registry.setOwner(by, account, fan._id, true);
    world.clock.advance(25 * HOUR);
    await world.sweep();
    expect((await world.api('/me', { token })).body).to.include({ points: 0 });
  });
});
