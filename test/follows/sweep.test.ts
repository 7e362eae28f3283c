import { expect } from 'chai';
import { HOUR, startWorld, type World } from '../support/world.js';

/** Asking again: who is due is asked, by many small jobs that any number of workers share. */
describe('a sweep', function () {
  this.timeout(30_000);
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.athletes();
    for (const athlete of ['athlete1', 'athlete2']) await world.verify(athlete, 'x');
  });
  after(() => world.close());

  const identities = () =>
    world.context.connection.collection<{ fan: string; checkedAt: Date | null; askAt: Date }>(
      'identities',
    );
  const jobs = (name: string) =>
    world.context.connection.collection('jobs').find({ name }).toArray();
  const from = (at: number | Date): { from: Date } => ({ from: new Date(at) });
  const relate = (fan: string, athlete: string): void => {
    const [me, account] = [world.sandbox.world.person(fan), world.sandbox.world.person(athlete)];
    if (me && account) world.sandbox.world.relate('x', me, account, true);
  };
  const asked = (): number =>
    world.sandbox.world.log.filter((one) => one.path.startsWith('/2/users?')).length;
  /** So many identities of fans who hold nothing, due now. */
  async function due(many: number): Promise<string[]> {
    const now = world.clock.now();
    const fans = Array.from({ length: many }, (_x, n) => `idle-${now.getTime()}-${n}`);
    const common = {
      network: 'x',
      handle: '',
      name: '',
      sealed: null,
      expiresAt: null,
      scopes: [],
      linkedAt: now,
      checkedAt: now,
      askAt: now,
    };
    await identities().insertMany(
      fans.map((fan) => ({ _id: fan as never, fan, networkId: fan, link: fan, ...common })),
    );
    return fans;
  }

  it('hands out everybody who came due, once, a hundred a job', async () => {
    const fans = await due(250);
    const { payload } = await world.context.follows.sweep.handOut(from(0));
    const handed = (await jobs('follows.recheck')).map(
      (one) => (one['data'] as { fans: string[] }).fans,
    );
    expect(handed.map((one) => one.length).sort((a, b) => a - b)).to.deep.equal([50, 100, 100]);
    expect(handed.flat().sort()).to.deep.equal([...fans].sort());
    await world.context.connection.collection('jobs').deleteMany({ name: 'follows.recheck' });
    await world.context.follows.sweep.handOut(payload);
    expect(await jobs('follows.recheck'), 'handed out before').to.deep.equal([]);
  });

  it('hands out again, once an hour, what a job that was given up has left', async () => {
    await due(1);
    const toTheHour = HOUR - (world.clock.now().getTime() % HOUR);
    world.clock.advance(toTheHour - 5 * 60_000);
    const now = world.clock.now();
    expect(
      (await world.context.follows.sweep.handOut(from(now))).payload.from.getTime(),
      'within the hour',
    ).to.be.at.least(now.getTime());
    world.clock.advance(5 * 60_000 - 30_000);
    expect(
      (await world.context.follows.sweep.handOut(from(now))).payload.from.getTime(),
      'before its turn',
    ).to.equal(0);
    await world.sweep();
    expect(await identities().countDocuments({ askAt: { $lte: world.clock.now() } })).to.equal(0);
  });

  it('marks whom it asked, in one write a job, and comes back to them twelve hours later', async () => {
    const [fan = ''] = await due(3);
    await world.sweep();
    const one = await identities().findOne({ fan });
    expect((one?.askAt.getTime() ?? 0) - (one?.checkedAt?.getTime() ?? 0)).to.equal(12 * HOUR);
    expect(await jobs('follows.recheck')).to.deep.equal([]);
  });

  it('asks each fan’s network once about what the fan holds', async () => {
    for (const name of ['fan1', 'fan2', 'fan3']) {
      for (const athlete of ['athlete1', 'athlete2']) {
        await world.fan(name);
        relate(name, athlete);
      }
    }
    await world.context.jobs.drain();
    for (const name of ['fan1', 'fan2', 'fan3']) {
      const { fan } = await world.fan(name);
      await world.context.follows.checkNetwork(fan._id, 'x');
      expect((await world.context.points.head(fan._id)).after.points, name).to.equal(2);
    }
    world.clock.advance(13 * HOUR);
    const before = asked();
    await world.sweep();
    expect(asked() - before).to.equal(3);
    await world.sweep();
    expect(asked() - before, 'nobody is due').to.equal(3);
  });

  it('asks nobody twice who was handed out twice, or whose job is done again', async () => {
    world.clock.advance(13 * HOUR);
    const fans = await Promise.all(
      ['fan1', 'fan2', 'fan3'].map(async (name) => (await world.fan(name)).fan._id),
    );
    const at = world.clock.now();
    world.clock.advance(1);
    const before = asked();
    await world.context.follows.sweep.recheck({ network: 'x', fans: fans.slice(1), at });
    await world.context.follows.sweep.recheck({ network: 'x', fans, at });
    expect(asked() - before).to.equal(3);
  });

  it('asks again soon about what was answered to an asking that had lost its place', async () => {
    const { fan } = await world.fan('slow');
    await world.settle();
    relate('slow', 'athlete1');
    const asks = world.context.connection.collection('check_leases');
    const adapter = world.context.networks.adapter('x');
    const check = adapter.check.bind(adapter);
    const _id = `${fan._id}|x` as never;
    adapter.check = async (ask) => {
      // A process that was silent for too long: another one asks now, about something else.
      await asks.updateOne({ _id }, { $set: { holder: 'another' } });
      return check(ask);
    };
    const again = await world.context.follows.checkNetwork(fan._id, 'x');
    adapter.check = check;
    expect([...(again?.payload.only ?? [])].sort()).to.deep.equal(
      ['athlete1', 'athlete2'].map((one) => world.sandbox.world.person(one)?.ids.x).sort(),
    );
    await asks.updateOne({ _id }, { $set: { holder: null, until: new Date(0) } });
    await world.context.follows.checkNetwork(
      fan._id,
      'x',
      again?.payload.only,
      again?.payload.tries,
    );
    expect((await world.context.points.head(fan._id)).after.points).to.equal(1);
  });

  it('comes back soon to those whom an outage or a limit left without an answer', async () => {
    world.clock.advance(13 * HOUR);
    world.sandbox.world.faults.push({
      network: 'x',
      path: '/2/users',
      status: 429,
      times: Infinity,
      latencyMs: 0,
      body: null,
    });
    await world.sweep();
    world.sandbox.world.faults.length = 0;
    const { fan } = await world.fan('fan1');
    const next = (await identities().findOne({ fan: fan._id }))?.askAt.getTime() ?? 0;
    expect(next - world.clock.now().getTime()).to.be.within(14 * 60_000, 15 * 60_000);
    world.clock.advance(HOUR / 4);
    const before = asked();
    await world.sweep();
    expect(asked() - before, 'the three of before, and who was slow').to.equal(4);
  });

  it('makes up for a first asking whose job was never made', async () => {
    world.sandbox.world.add({ handle: 'forgotten', name: 'Forgotten' });
    relate('forgotten', 'athlete1');
    const { fan } = await world.fan('forgotten');
    await world.context.connection.collection('jobs').deleteMany({ key: `${fan._id}|x` });
    await world.sweep();
    expect((await world.context.points.head(fan._id)).after.points, 'within its minute').to.equal(
      0,
    );
    world.clock.advance(61_000);
    await world.sweep();
    expect((await world.context.points.head(fan._id)).after.points).to.equal(1);
  });

  it(
    'is not asked about old accounts alone when a check of everything is asked for while a ' +
      'smaller one waits',
    async () => {
      world.sandbox.world.add({ handle: 'newcomer', name: 'Newcomer' });
      for (const athlete of ['athlete1', 'athlete2', 'athlete3']) relate('newcomer', athlete);
      const { fan, token } = await world.fan('newcomer');
      world.sandbox.world.faults.push({
        network: 'x',
        path: '/2/users',
        status: 429,
        times: 1,
        latencyMs: 0,
        body: null,
      });
      await world.context.jobs.drain();
      expect(
        (await jobs('follows.check')).map(
          (one) => (one['data'] as { only?: string[] }).only?.length,
        ),
      ).to.deep.equal([2]);
      await world.verify('athlete3', 'x');
      expect(
        (await world.api('/follows/check', { method: 'POST', token, body: {} })).status,
      ).to.equal(202);
      await world.context.jobs.drain();
      expect((await world.context.points.head(fan._id)).after.points).to.equal(3);
      expect(await jobs('follows.check')).to.deep.equal([]);
    },
  );

  it('is begun by every worker that starts, and hands nothing out anew for that', async () => {
    const payload = { from: world.clock.now() };
    await world.context.jobs.add('follows.sweep', 'all', payload);
    await world.context.jobs.add('follows.sweep', 'all', from(0));
    expect((await jobs('follows.sweep')).map((one): unknown => one['data'])).to.deep.equal([
      payload,
    ]);
    await world.context.connection.collection('jobs').deleteMany({ name: 'follows.sweep' });
  });
});
