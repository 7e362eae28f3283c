import { expect } from 'chai';
import fc from 'fast-check';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import type { FollowAct } from '../../server/follows/follow-act.js';
import { Follows, type FollowParts } from '../../server/follows/service.js';
import { HOUR, startWorld, type World } from '../support/world.js';

/**
 * Every step of `target` waits until the schedule lets it begin: what other processes do may come
 * between any two.
 */
function gated<T extends object>(target: T, gate: (step: string) => Promise<void>): T {
  return new Proxy(target, {
    get(real, key) {
      const value = Reflect.get(real, key) as unknown;
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]): Promise<unknown> => {
        await gate(String(key));
        return (value as (...given: unknown[]) => unknown).apply(real, args);
      };
    },
  });
}

describe('a give that waits for its day', () => {
  let world: World;
  let other: Context;
  before(async () => {
    world = await startWorld({ card: 'hub' });
    await world.athletes();
    await world.verify('athlete1', 'x');
    other = await createContext(readConfig(world.env), 'other', {
      clock: world.clock,
      log: pino({ level: 'silent' }),
      search: false,
    });
  });
  after(async () => {
    await other.close();
    await world.close();
  });
  const partsOf = (context: Context): FollowParts =>
    Reflect.get(context.follows, 'parts') as FollowParts;
  let fans = 0;
  const someone = () => ({
    id: `waits-${(fans += 1)}-${Math.random().toString(36).slice(2)}`,
    roles: [],
  });
  const act = (reader: { id: string }, of: string): FollowAct => ({
    fan: reader.id,
    athlete: of,
    network: 'x',
    language: 'en',
  });
  const athlete = async (): Promise<string> =>
    (await world.context.athletes.require('athlete1'))._id;
  const held = async (fan: string): Promise<boolean> =>
    ((await world.context.points.statement(fan, 1))[0]?.turn ?? 0) % 2 === 1;
  const doubtOf = (fan: string) => world.context.connection.collection('doubts').findOne({ fan });
  /** Follows and undoes three times, and follows once more: that one waits for tomorrow. */
  const exhaust = async (reader: { id: string; roles: string[] }): Promise<void> => {
    const who = await athlete();
    for (let round = 0; round < 3; round += 1) {
      await world.context.follows.confirm(act(reader, who));
      await world.context.follows.undo(act(reader, who));
    }
    expect((await world.context.follows.confirm(act(reader, who))).waitsUntil).to.be.instanceOf(
      Date,
    );
  };

  it(
    'is as its fan last wished, whatever comes between the steps of undoing, following and ' +
      'settling',
    async function () {
      this.timeout(240_000);
      const who = await athlete();
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.constantFrom<('confirm' | 'undo')[]>(
            ['undo'],
            ['undo'],
            ['undo', 'confirm'],
            ['confirm', 'undo'],
            ['undo', 'confirm', 'undo'],
          ),
          async (schedule, acts) => {
            const reader = someone();
            await exhaust(reader);
            world.clock.advance(25 * HOUR);
            const process = (context: Context, name: string): Follows => {
              const parts = partsOf(context);
              const gate = (step: string): Promise<void> =>
                schedule.schedule(Promise.resolve(), `${name} ${step}`);
              return new Follows({
                ...parts,
                doubts: gated(parts.doubts, gate),
                points: gated(parts.points, gate),
              });
            };
            const [here, there] = [process(world.context, 'here'), process(other, 'there')];
            const mine = async (): Promise<void> => {
              for (const name of acts) await here[name](act(reader, who));
            };
            await schedule.waitFor(
              Promise.all([mine(), there.sweep.settle(), here.sweep.settle()]),
            );
            world.clock.advance(5 * 60_000);
            await world.sweep();
            expect([acts.join(), await held(reader.id)]).to.deep.equal([
              acts.join(),
              acts.at(-1) === 'confirm',
            ]);
            expect(await doubtOf(reader.id)).to.equal(null);
          },
        ),
        { numRuns: 25 },
      );
      expect((await world.context.points.verify()).bad).to.equal(null);
    },
  );

  it(
    'comes and is taken back by the next sweep, when it was undone as it fell due and the ' +
      'process died',
    async () => {
      const reader = someone();
      await exhaust(reader);
      world.clock.advance(25 * HOUR);
      const { doubts } = partsOf(world.context);
      const [due] = await doubts.claimDue(world.clock.now(), 10);
      expect((await doubts.undo(reader.id, due?.deed ?? '')) !== null).to.equal(true);
      world.clock.advance(5 * 60_000);
      await world.sweep();
      const entries = await world.context.points.statement(reader.id, 2);
      expect(entries.map((one) => [one.turn, one.cause])).to.deep.equal([
        [8, 'undo'],
        [7, 'hub_click'],
      ]);
      expect(await doubtOf(reader.id)).to.equal(null);
    },
  );

  it(
    'is held when its fan followed again after an undo whose process died, whoever settles ' +
      'that later',
    async () => {
      const reader = someone();
      await exhaust(reader);
      world.clock.advance(25 * HOUR);
      const { doubts } = partsOf(world.context);
      const [due] = await doubts.claimDue(world.clock.now(), 10);
      await doubts.undo(reader.id, due?.deed ?? '');
      const again = await world.context.follows.confirm(act(reader, await athlete()));
      expect(again).to.include({ verdict: 'yes', awarded: 1 });
      world.clock.advance(5 * 60_000);
      await world.sweep();
      expect([await held(reader.id), await doubtOf(reader.id)]).to.deep.equal([true, null]);
    },
  );

  it('is still given when the clock is set back over midnight while it is settled', async () => {
    const reader = someone();
    await exhaust(reader);
    const { doubts } = partsOf(world.context);
    // Midnight has passed for the process that finds it due, and has not for the one that settles
    // it.
    await doubts.claimDue(new Date(world.clock.now().getTime() + 25 * HOUR), 10);
    await world.context.connection
      .collection('doubts')
      .updateOne({ fan: reader.id }, { $set: { notBefore: world.clock.now() } });
    await world.sweep();
    expect(await held(reader.id)).to.equal(false);
    expect(await doubtOf(reader.id)).to.include({ state: 'waiting' });
    world.clock.advance(25 * HOUR);
    await world.sweep();
    expect(await held(reader.id)).to.equal(true);
  });
});
