import { until } from '../support/until.js';
import { expect } from 'chai';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import { CheckLeases, LEASE_MS } from '../../server/follows/check-leases.js';
import { Leases } from '../../server/platform/leases.js';
import { HOUR, startWorld, TestClock, type World } from '../support/world.js';

const MINUTE = 60_000;

/** RELIABILITY F16: order is by what the store says, not by the clock on the wall. */
describe('follows while clocks are wrong', () => {
  let world: World;
  let other: Context;
  const theirs = new TestClock();
  before(async () => {
    world = await startWorld();
    await world.athletes();
    for (const athlete of ['athlete1', 'athlete2']) await world.verify(athlete, 'x');
    other = await createContext(readConfig(world.env), 'other', {
      clock: theirs,
      log: pino({ level: 'silent' }),
      search: false,
    });
  });
  after(async () => {
    await other.close();
    await world.close();
  });
  const person = (handle: string) => world.sandbox.world.person(handle) as never;
  const does = (handle: string, athlete: string, on: boolean) =>
    world.sandbox.world.relate('x', person(handle), person(athlete), on);
  const act = async (
    method: string,
    token: string,
  ): Promise<{ verdict: string; awarded: number; turn: number; points: number }> =>
    (await world.api('/athletes/athlete1/follow', { method, token, body: { network: 'x' } }))
      .body as never;
  const points = async (fan: string): Promise<number> =>
    (await world.context.points.head(fan)).after.points;

  for (const step of [-50, -10, 10])
    it(`a follow made again after the clock moved ${step} minutes counts again`, async () => {
      const handle = `back${step + 60}`;
      const { token } = await world.fan(handle);
      does(handle, 'athlete1', true);
      expect(await act('POST', token)).to.include({ awarded: 1, turn: 1 });
      does(handle, 'athlete1', false);
      expect(await act('DELETE', token)).to.include({ verdict: 'no', turn: 2 });
      world.clock.advance(step * MINUTE);
      does(handle, 'athlete1', true);
      expect(await act('POST', token)).to.include({
        verdict: 'yes',
        awarded: 1,
        turn: 3,
        points: 1,
      });
      world.clock.advance(-step * MINUTE);
    });

  it(
    'a follow confirmed by a process whose clock is ten minutes behind counts after an undo ' +
      'at one that is right',
    async () => {
      theirs.advance(-10 * MINUTE);
      const { fan, token } = await world.fan('twoclocks');
      does('twoclocks', 'athlete1', true);
      await act('POST', token);
      does('twoclocks', 'athlete1', false);
      await act('DELETE', token);
      does('twoclocks', 'athlete1', true);
      const athlete = (await other.athletes.require('athlete1'))._id;
      expect(
        await other.follows.confirm({ fan: fan._id, athlete, network: 'x', language: 'en' }),
      ).to.include({
        verdict: 'yes',
        awarded: 1,
        turn: 3,
      });
      theirs.advance(10 * MINUTE);
    },
  );

  it('a yes that was heard later outdates a no, though its clock says that it was earlier', async () => {
    const { fan, token } = await world.fan('order');
    does('order', 'athlete1', true);
    await act('POST', token);
    does('order', 'athlete1', false);
    await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
    world.clock.advance(-50 * MINUTE);
    does('order', 'athlete1', true);
    await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
    world.clock.advance(50 * MINUTE + 13 * HOUR);
    does('order', 'athlete1', false);
    await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
    expect(await points(fan._id), 'one no since the yes').to.equal(1);
  });

  it(
    'a no that was heard later than a yes begins a doubt, though its clock says that it was ' +
      'earlier',
    async () => {
      const { fan, token } = await world.fan('order2');
      does('order2', 'athlete1', true);
      await act('POST', token);
      await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
      world.clock.advance(-50 * MINUTE);
      does('order2', 'athlete1', false);
      await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
      world.clock.advance(12.1 * HOUR);
      await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
      expect(await points(fan._id)).to.equal(0);
      world.clock.advance(50 * MINUTE);
    },
  );

  describe('the lease of a check', () => {
    const FAN = 'leased';
    const NOTHING = { done: 0, total: 0, awarded: 0 };
    for (const skew of [-50, -10, 10, 50])
      it(
        `is not taken from the living by a process whose clock is ${skew} minutes off, and is ` +
          'taken from the dead within its time',
        async () => {
          const clock = new TestClock();
          let steady = 0;
          clock.advance(skew * MINUTE);
          const mine = new CheckLeases(world.context.connection, world.clock, () => steady);
          const watching = new CheckLeases(other.connection, clock, () => steady);
          const fan = `${FAN}${skew}`;
          const lease = await mine.take(fan, 'x', [], 0);
          expect(lease?.round).to.equal(1);
          for (let half = 0; half < 6; half += 1) {
            expect(await watching.take(fan, 'x', [], 0)).to.equal(null);
            steady += LEASE_MS / 2;
            expect(await lease?.renew(NOTHING)).to.equal(true);
          }
          // From here on its holder is silent.
          expect(await watching.take(fan, 'x', [], 0)).to.equal(null);
          steady += LEASE_MS;
          const next = await watching.take(fan, 'x', [], 0);
          expect(next?.round).to.equal(2);
          expect(await lease?.renew(NOTHING), 'what it hears now is dropped').to.equal(false);
        },
      );

    it('is given to each of many who begin at once, but not to whom it is refused, nor twice', async () => {
      const [one, another] = [
        new CheckLeases(world.context.connection, world.clock),
        new CheckLeases(other.connection, world.clock),
      ];
      const fans = Array.from({ length: 20 }, (_x, n) => `many${n}`);
      const held = await Promise.all(fans.slice(0, 5).map((fan) => another.take(fan, 'x', [], 0)));
      const both = await Promise.all(
        [one, another].map((checkLeases) =>
          Promise.all(fans.map((fan) => checkLeases.take(fan, 'x', [], 0))),
        ),
      );
      expect(both.flatMap((leases) => leases.slice(0, 5))).to.deep.equal(
        Array.from({ length: 10 }, () => null),
      );
      for (let n = 5; n < 20; n += 1)
        expect(both.map((leases) => leases[n]?.round).filter(Boolean), `many${n}`).to.deep.equal([
          1,
        ]);
      for (const lease of [...held, ...both.flat()]) await lease?.release(NOTHING);
      expect(
        (await Promise.all(fans.map((fan) => one.take(fan, 'x', [], 0)))).map(
          (lease) => lease?.round,
        ),
      ).to.deep.equal(fans.map(() => 2));
    });

    it('is known to be lost by a check that began lately, without a write', async () => {
      const checkLeases = new CheckLeases(world.context.connection, world.clock);
      const lease = await checkLeases.take('robbed', 'x', ['1'], 0);
      expect(await lease?.renew(NOTHING)).to.equal(true);
      const records = world.context.connection.collection<{
        _id: string;
        holder: string;
        beat: number;
      }>('check_leases');
      expect((await records.findOne({ _id: 'robbed|x' }))?.beat, 'nothing was written').to.equal(1);
      await records.updateOne({ _id: 'robbed|x' }, { $set: { holder: 'another' } });
      expect(await lease?.renew(NOTHING)).to.equal(false);
    });

    it('that was taken for whom nobody could tell so is free at once', async () => {
      // On a clock that stands still no holder is ever silent for long enough.
      const checkLeases = new CheckLeases(world.context.connection, world.clock, () => 0);
      const heldBy = Reflect.get(checkLeases, 'heldBy') as (ids: string[]) => Promise<unknown>;
      Reflect.set(checkLeases, 'heldBy', () => Promise.reject(new Error('away')));
      expect(
        String(await checkLeases.take('untold', 'x', ['1'], 0).catch((error: unknown) => error)),
      ).to.equal('Error: away');
      Reflect.set(checkLeases, 'heldBy', heldBy);
      await until(async () => (await checkLeases.take('untold', 'x', ['1'], 0)) !== null);
    });

    it('is written again where the answer to its reading came late', async () => {
      let steady = 0;
      const checkLeases = new CheckLeases(world.context.connection, world.clock, () => steady);
      const lease = await checkLeases.take('slow-read', 'x', ['1'], 0);
      const heldBy = Reflect.get(checkLeases, 'heldBy') as (ids: string[]) => Promise<unknown>;
      Reflect.set(checkLeases, 'heldBy', async (ids: string[]) => {
        const found = await heldBy.call(checkLeases, ids);
        steady += LEASE_MS;
        return found;
      });
      expect(await lease?.renew(NOTHING)).to.equal(true);
      const record = await world.context.connection
        .collection('check_leases')
        .findOne({ _id: 'slow-read|x' as never });
      expect(record?.['beat']).to.equal(2);
    });

    it('and any other lease are nobody’s when the store answers nothing at all', async () => {
      const checkLeases = new CheckLeases(world.context.connection, world.clock);
      Reflect.set(checkLeases, 'heldBy', () => Promise.resolve(new Map()));
      const leases = new Leases(world.context.connection, world.clock);
      const silent = { lean: () => Promise.resolve(null) };
      const records = Reflect.get(leases, 'records') as object;
      Reflect.set(
        leases,
        'records',
        new Proxy(records, {
          get: (real, key) =>
            key === 'findOneAndUpdate' ? () => silent : (Reflect.get(real, key) as unknown),
        }),
      );
      expect([
        await checkLeases.take('nobody', 'x', [], 0),
        await leases.take('nobody', 1000),
      ]).to.deep.equal([null, null]);
    });

    it('of another kind is free again though the clock was set back behind its end', async () => {
      const clock = new TestClock();
      let steady = 0;
      const leases = new Leases(world.context.connection, clock, () => steady);
      expect(await leases.take('work', 1000)).to.not.equal(null);
      clock.advance(-50 * MINUTE);
      expect(await leases.take('work', 1000)).to.equal(null);
      steady += 1000;
      expect(await leases.take('work', 1000)).to.not.equal(null);
    });
  });

  it(
    'closes the road to a network for ten seconds, not for an hour, when the clock is set ' +
      'back meanwhile',
    async () => {
      const { token } = await world.fan('road');
      world.sandbox.world.faults.push({
        network: 'x',
        path: '/2/users',
        status: 500,
        times: 6,
        latencyMs: 0,
        body: null,
      });
      for (let round = 0; round < 3; round += 1) await act('POST', token);
      world.sandbox.world.faults.length = 0;
      expect(await act('POST', token)).to.include({ verdict: 'unknown' });
      world.clock.advance(-50 * MINUTE);
      expect(await act('POST', token)).to.include({ verdict: 'no' });
    },
  );
});
