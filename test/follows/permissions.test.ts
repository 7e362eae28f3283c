import { expect } from 'chai';
import { HOUR, startWorld, type World } from '../support/world.js';

describe('the permission a fan gave to a network', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.athletes();
    for (const athlete of ['athlete1', 'athlete2', 'athlete3']) {
      await world.verify(athlete, 'x');
      world.sandbox.world.relate('x', person('fan2'), person(athlete), true);
    }
  });
  after(() => world.close());
  const person = (handle: string) => {
    const found = world.sandbox.world.person(handle);
    if (!found) throw new Error(handle);
    return found;
  };
  const fails = (path: string, status: number, times: number): number =>
    world.sandbox.world.faults.push({
      network: 'x',
      path,
      status,
      times,
      latencyMs: 0,
      body: null,
    });
  const follow = (token: string, athlete: string) =>
    world.api(`/athletes/${athlete}/follow`, { method: 'POST', token, body: { network: 'x' } });

  it('survives one refusal of its token: new ones are asked for, and the fan notices nothing', async () => {
    const { token } = await world.fan('fan2');
    await world.settle();
    world.sandbox.world.relate('x', person('fan2'), person('athlete3'), true);
    fails('/2/users', 401, 1);
    expect((await follow(token, 'athlete3')).status).to.equal(202);
    expect((await follow(token, 'athlete3')).body).to.include({ verdict: 'yes' });
    expect((await world.api('/me', { token })).body).to.have.nested.property(
      'identities[0].lost',
      false,
    );
  });

  it(
    'is lost when new tokens are refused too: points stay, pages say what to do, and signing ' +
      'in there brings it back',
    async () => {
      const browser = world.browser();
      await browser.signIn('x', 'fan2');
      const fan = await world.context.fans.resolve('x:fan2');
      const token = await world.context.tokens.create(fan?._id ?? '', 'test');
      const { points } = (await world.api('/me', { token })).body as unknown as { points: number };
      world.sandbox.oauths.x.endPerson('fan2');
      expect((await follow(token, 'athlete1')).status).to.equal(202);
      expect((await follow(token, 'athlete1')).body).to.include({ id: 'not_linked', status: 409 });
      const me = (await world.api('/me', { token })).body as unknown as {
        points: number;
        identities: { lost: boolean }[];
      };
      expect([me.points, me.identities[0]?.lost]).to.deep.equal([points, true]);
      for (const path of ['/en/me', '/en/me/settings'])
        expect((await browser.go(path)).text).to.contain('does not recognise the permission');

      await world.browser().signIn('x', 'fan2');
      expect((await world.api('/me', { token })).body).to.have.nested.property(
        'identities[0].lost',
        false,
      );
      expect((await browser.go('/en/me')).text).not.to.contain('does not recognise the permission');
      expect((await follow(token, 'athlete1')).body).to.include({ verdict: 'yes' });
    },
  );

  it('counts as given while the network only is away', async () => {
    const { token } = await world.fan('fan3');
    world.clock.advance(3 * HOUR);
    fails('/2/oauth2/token', 500, 4);
    expect((await follow(token, 'athlete1')).status).to.equal(202);
    world.sandbox.world.faults.length = 0;
    expect((await world.api('/me', { token })).body).to.have.nested.property(
      'identities[0].lost',
      false,
    );
  });

  it('asks again only about what a limit left open, a quarter of an hour later', async () => {
    await world.settle();
    world.sandbox.world.add({ handle: 'limited', name: 'Limited' });
    for (const athlete of ['athlete1', 'athlete2', 'athlete3'])
      world.sandbox.world.relate('x', person('limited'), person(athlete), true);
    const { token, fan } = await world.fan('limited');
    fails('/2/users', 429, 1);
    await world.settle();
    expect((await world.api('/me', { token })).body).to.include({ points: 0 });
    const job = await world.context.connection
      .collection('jobs')
      .findOne({ name: 'follows.check', key: `${fan._id}|x` });
    expect((job?.['data'] as { only?: string[] }).only).to.have.length(3);
    expect((job?.['nextRunAt'] as Date).getTime() - world.clock.now().getTime()).to.be.within(
      14 * 60_000,
      15 * 60_000,
    );
    world.clock.advance(HOUR / 4);
    await world.settle();
    expect((await world.api('/me', { token })).body).to.include({ points: 3 });
    expect(
      await world.context.connection.collection('jobs').countDocuments({ name: 'follows.check' }),
    ).to.equal(0);
  });
});

describe('an account that its network does not know', () => {
  it(
    'is asked about three times more, a quarter of an hour apart, and then left: a spoilt ' +
      'answer costs no point and no call for ever',
    async () => {
      const world = await startWorld();
      await world.athletes();
      for (const athlete of ['athlete1', 'athlete2']) await world.verify(athlete, 'x');
      world.sandbox.world.add({ handle: 'spoilt', name: 'Spoilt' });
      const person = (handle: string) => world.sandbox.world.person(handle) as never;
      world.sandbox.world.relate('x', person('spoilt'), person('athlete1'), true);
      await world.settle();
      const { fan } = await world.fan('spoilt');
      // Well-formed, and empty: everybody it was asked about seems not to exist.
      world.sandbox.world.faults.push({
        network: 'x',
        path: '/2/users',
        status: 200,
        times: 1,
        latencyMs: 0,
        body: '{}',
      });
      await world.settle();
      expect((await world.context.points.head(fan._id)).after.points).to.equal(0);
      world.clock.advance(HOUR / 4);
      await world.settle();
      expect((await world.context.points.head(fan._id)).after.points).to.equal(1);
      const { byX } = world.sandbox.world;
      world.sandbox.world.byX = () => null;
      const before = world.sandbox.world.log.length;
      await world.context.follows.linked(fan._id, 'x');
      for (let quarter = 0; quarter < 8; quarter += 1) {
        await world.settle();
        world.clock.advance(HOUR / 4);
      }
      const calls = world.sandbox.world.log
        .slice(before)
        .filter((one) => one.path.startsWith('/2/users?')).length;
      world.sandbox.world.byX = byX;
      await world.close();
      expect(calls).to.equal(4);
    },
  );
});

describe('an account that changed while this process was not told', () => {
  it('gives nothing: the epoch is read from the store when the give is decided', async () => {
    const world = await startWorld({ card: 'hub' });
    await world.athletes();
    await world.verify('athlete1', 'x');
    const { token } = await world.fan('late');
    await world.api('/athletes/athlete1');
    await world.context.connection
      .collection('accounts')
      .updateOne({ athlete: 'athlete1' }, { $inc: { epoch: 1 } });
    const answer = await world.api('/athletes/athlete1/follow', {
      method: 'POST',
      token,
      body: { network: 'x' },
    });
    const { points } = (await world.api('/me', { token })).body as unknown as { points: number };
    await world.close();
    expect([answer.body['id'], points]).to.deep.equal(['not_verified', 0]);
  });
});
