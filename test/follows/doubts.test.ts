import { expect } from 'chai';
import { HOUR, startWorld, type World } from '../support/world.js';

describe('doubts about deeds', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.athletes();
    for (const athlete of ['athlete1', 'athlete2', 'athlete3', 'athlete4'])
      await world.verify(athlete, 'x');
  });
  after(() => world.close());
  const person = (handle: string) => {
    const found = world.sandbox.world.person(handle);
    if (!found) throw new Error(handle);
    return found;
  };
  const does = (handle: string, athlete: string, on = true) =>
    world.sandbox.world.relate('x', person(handle), person(athlete), on);
  const act = (method: string, token: string, athlete: string) =>
    world.api(`/athletes/${athlete}/follow`, { method, token, body: { network: 'x' } });
  const calls = (): number =>
    world.sandbox.world.log.filter((one) => one.path.startsWith('/2/users?')).length;
  const doubts = () => world.context.connection.collection('doubts');
  const stateOf = async (fan: string, athlete: string): Promise<string | null> =>
    (
      (await doubts().findOne({ _id: `${fan}|follow:x:${person(athlete).ids.x}` as never })) as {
        state?: string;
      } | null
    )?.state ?? null;
  /** A fan who follows these athletes, on X and here. */
  const follower = async (handle: string, athletes: string[]) => {
    const made = await world.fan(handle);
    for (const athlete of athletes) {
      does(handle, athlete);
      expect((await act('POST', made.token, athlete)).body).to.include({ awarded: 1 });
    }
    return made;
  };
  const points = async (fan: string): Promise<number> =>
    (await world.context.points.head(fan)).after.points;

  it(
    'are asked about a bounded number of times in a week of sweeps, whatever became of the ' +
      'deed',
    async () => {
      const { follows, registry, fans, connection } = world.context;
      const kept = await follower('kept', ['athlete1']);
      const undone = await follower('undone', ['athlete1', 'athlete2']);
      const revoked = await follower('revoked', ['athlete1', 'athlete4']);
      const vanished = await follower('vanished', ['athlete1', 'athlete3']);
      const unlinked = await follower('unlinked', ['athlete1', 'athlete2']);
      const lost = await follower('lost', ['athlete1', 'athlete2']);
      await world.settle();

      does('undone', 'athlete2', false);
      expect((await act('DELETE', undone.token, 'athlete2')).body).to.include({
        verdict: 'no',
        turn: 2,
      });
      expect(await stateOf(undone.fan._id, 'athlete2'), 'a doubt ends with its turn').to.equal(
        null,
      );
      for (const [who, athlete] of [
        [revoked, 'athlete4'],
        [vanished, 'athlete3'],
        [unlinked, 'athlete2'],
        [lost, 'athlete2'],
      ] as const) {
        does(who.fan.handle, athlete, false);
        await follows.sweep.recheck({ network: 'x', fans: [who.fan._id] });
        expect(await stateOf(who.fan._id, athlete)).to.equal('asked');
      }
      const by = await world.moderator();
      const { items } = await registry.queue(by, 'verified');
      await registry.revoke(
        by,
        items.find((one) => one.athlete === 'athlete4')?._id ?? '',
        'not theirs',
      );
      const { byX } = world.sandbox.world;
      world.sandbox.world.byX = (id) =>
        id === person('athlete3').ids.x ? null : byX.call(world.sandbox.world, id);
      await connection.collection('identities').deleteOne({ fan: unlinked.fan._id });
      world.sandbox.oauths.x.endPerson('lost');
      // A loss that a dead process left behind after the ledger had it.
      await doubts().insertOne({
        _id: `${kept.fan._id}|follow:x:${person('athlete2').ids.x}` as never,
        ...{
          fan: kept.fan._id,
          network: 'x',
          deed: `follow:x:${person('athlete2').ids.x}`,
          turn: 2,
          state: 'lost',
          askedAt: world.clock.now(),
        },
      });

      const before = calls();
      for (let half = 0; half < 7 * 48; half += 1) {
        world.clock.advance(HOUR / 2);
        await world.sweep();
        await world.context.jobs.drain();
      }
      const made = calls() - before;
      delete (world.sandbox.world as { byX?: unknown }).byX;
      // Twice a day for each of the four who can be asked (kept, undone, revoked, vanished), and
      // about the vanished account a few times more.
      expect(made).to.be.within(4 * 13, 4 * 15 + 20);
      expect(await doubts().countDocuments({ state: { $in: ['lost', 'due'] } })).to.equal(0);
      for (const [who, athlete] of [
        [revoked, 'athlete4'],
        [unlinked, 'athlete2'],
        [undone, 'athlete2'],
        [kept, 'athlete2'],
      ] as const)
        expect([who.fan.handle, await stateOf(who.fan._id, athlete)]).to.deep.equal([
          who.fan.handle,
          null,
        ]);
      // Nothing that nobody answered was taken.
      expect(
        await Promise.all(
          [kept, undone, revoked, vanished, unlinked, lost].map((one) => points(one.fan._id)),
        ),
      ).to.deep.equal([1, 1, 2, 2, 2, 2]);
      expect((await fans.identities.linkedBy(lost.fan._id))[0]?.sealed).to.equal(null);
    },
  );

  it('that nobody can ever answer do not keep the others waiting', async () => {
    const { follows } = world.context;
    const { fan } = await follower('behind', ['athlete1', 'athlete2']);
    await world.settle();
    const longAgo = new Date(world.clock.now().getTime() - 48 * HOUR);
    await doubts().insertMany(
      Array.from({ length: 450 }, (_one, at) => ({
        _id: `nobody${at}|follow:x:${person('athlete1').ids.x}` as never,
        ...{
          fan: `nobody${at}`,
          network: 'x',
          deed: `follow:x:${person('athlete1').ids.x}`,
          turn: 2,
          state: 'asked',
          askedAt: longAgo,
          notBefore: longAgo,
        },
      })),
    );
    const nobody = (): Promise<number> =>
      doubts().countDocuments({ fan: { $gte: 'nobody', $lt: 'nobodz' } });
    expect(await nobody()).to.equal(450);
    does('behind', 'athlete2', false);
    await follows.sweep.recheck({ network: 'x', fans: [fan._id] });
    world.clock.advance(12.1 * HOUR);
    // As if this identity had just been asked about something else: only its doubt is due.
    await world.context.fans.identities.checked(
      [fan._id],
      'x',
      world.clock.now(),
      new Date(world.clock.now().getTime() + 12 * HOUR),
    );
    for (let minute = 0; minute < 4; minute += 1) await world.sweep();
    expect(await points(fan._id)).to.equal(1);
    expect(await nobody()).to.equal(0);
  });

  it(
    'whose second no was counted and whose process died are settled by the next sweep, ' +
      'without asking',
    async () => {
      const { fan } = await follower('halfway', ['athlete1', 'athlete2']);
      await world.settle();
      await doubts().updateOne(
        { _id: `${fan._id}|follow:x:${person('athlete2').ids.x}` as never },
        {
          $set: {
            fan: fan._id,
            network: 'x',
            deed: `follow:x:${person('athlete2').ids.x}`,
            turn: 2,
            state: 'lost',
            askedAt: world.clock.now(),
            notBefore: null,
          },
        },
        { upsert: true },
      );
      const before = calls();
      await world.sweep();
      const [last] = await world.context.points.statement(fan._id, 1);
      expect([
        last?.cause,
        last?.turn,
        last?.card.endsWith(':confirmed'),
        typeof last?.evidence,
      ]).to.deep.equal(['network_no', 2, true, 'string']);
      expect([
        await points(fan._id),
        calls() - before,
        await stateOf(fan._id, 'athlete2'),
      ]).to.deep.equal([1, 0, null]);
    },
  );

  it('one that cannot be settled keeps no other from being settled', async () => {
    const { follows, points: ledger } = world.context;
    const { fan } = await follower('patient', ['athlete2']);
    const deed = (athlete: string): string => `follow:x:${person(athlete).ids.x}`;
    const command = {
      account: person('athlete1').ids.x,
      accountRecord: 'x',
      epoch: 1,
      athlete: 'a',
      disciplines: [],
      card: 'x@1:confirmed',
      link: 'l',
      cause: 'network_yes',
    };
    const past = new Date(world.clock.now().getTime() - HOUR);
    await doubts().insertMany([
      {
        _id: 'broken' as never,
        fan: 'broken',
        network: 'x',
        deed: deed('athlete1'),
        turn: 1,
        state: 'due',
        notBefore: past,
        command,
      },
      {
        _id: `${fan._id}|${deed('athlete2')}` as never,
        fan: fan._id,
        network: 'x',
        deed: deed('athlete2'),
        turn: 1,
        state: 'waiting',
        notBefore: world.clock.now(),
        command,
      },
    ]);
    const { record } = ledger;
    ledger.record = (given) =>
      given.fan === 'broken'
        ? Promise.reject(new Error('this one fails'))
        : record.call(ledger, given);
    const failed = await follows.sweep.settle().then(
      () => null,
      (error: unknown) => (error as Error).message,
    );
    ledger.record = record;
    expect([failed, await stateOf(fan._id, 'athlete2')]).to.deep.equal(['this one fails', null]);
    await doubts().deleteOne({ _id: 'broken' as never });
  });

  it('finds what was asked when its process died, and asks again', async () => {
    const { fan } = await world.fan('cut');
    await world.settle();
    does('cut', 'athlete1');
    does('cut', 'athlete2');
    // What a process leaves that is killed between its question and the answer.
    await world.context.connection.collection('check_leases').updateOne(
      { _id: `${fan._id}|x` as never },
      {
        $set: {
          holder: 'dead',
          until: new Date(world.clock.now().getTime() + 30_000),
          about: [person('athlete1').ids.x],
          chased: false,
        },
      },
    );
    await world.sweep();
    await world.settle();
    expect(await points(fan._id), 'still held by the dead').to.equal(0);
    // Past what clocks may differ by: nobody has to have watched it be silent.
    world.clock.advance(2 * HOUR);
    await world.sweep();
    await world.settle();
    expect(await points(fan._id), 'only what it was about').to.equal(1);
    await world.sweep();
    expect(
      await world.context.connection
        .collection('jobs')
        .countDocuments({ name: 'follows.check', key: `${fan._id}|x` }),
    ).to.equal(0);
  });

  it('finds it also when the sweep that had found it died before it made the job', async () => {
    const { fan } = await world.fan('cut-twice');
    await world.settle();
    does('cut-twice', 'athlete1');
    const left = {
      holder: 'dead',
      until: new Date(world.clock.now().getTime() - 2 * HOUR),
      about: [person('athlete1').ids.x],
      chased: false,
    };
    await world.context.connection
      .collection('check_leases')
      .updateOne({ _id: `${fan._id}|x` as never }, { $set: left });
    const { jobs } = world.context;
    const add = jobs.add.bind(jobs);
    jobs.add = (kind, ...more) =>
      kind === 'follows.check' ? Promise.reject(new Error('killed')) : add(kind, ...more);
    const died: unknown = await world.sweep().catch((error: unknown) => (error as Error).message);
    jobs.add = add;
    expect(died).to.equal('killed');
    await world.sweep();
    await world.settle();
    expect(await points(fan._id)).to.equal(1);
  });

  it(
    'finds a follow that was done again while nobody asked, for three days after it was taken ' +
      'back',
    async () => {
      const { fan, token } = await follower('again', ['athlete1', 'athlete2']);
      await world.settle();
      does('again', 'athlete2', false);
      await act('DELETE', token, 'athlete2');
      does('again', 'athlete2');
      world.clock.advance(13 * HOUR);
      await world.sweep();
      expect(await points(fan._id)).to.equal(2);
    },
  );
});
