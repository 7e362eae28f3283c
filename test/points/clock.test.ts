import { expect } from 'chai';
import fc from 'fast-check';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import type { Command } from '../../server/points/service.js';
import { nextDay, windowKeys } from '../../server/points/windows.js';
import { until } from '../support/until.js';
import { HOUR, startWorld, TestClock, type World } from '../support/world.js';

const MINUTE = 60_000;
const ZONE = 'Europe/Paris';
const commandFor = (fan: string, account: string, want: Command['want'] = 'give'): Command => ({
  fan,
  deed: `follow:x:${account}`,
  want,
  facts: { account, on: 'account', athlete: `athlete-${account}`, disciplines: ['fencing'] },
  cause: 'hub_click',
  act: null,
  card: 'x@1:hub',
  link: null,
  evidence: null,
  askedAt: new Date(),
});

/** What a test reaches for to kill a process between two of its steps. */
interface Insides {
  heartbeats: { announced: number; send(): Promise<void> };
  projector: {
    start(): void;
    idle(): Promise<void>;
    unscored: Map<string, unknown>;
    unplaced: Map<string, unknown>;
    stale: Map<string, unknown>;
  };
  ledger: { clearTo: number };
}

/** RELIABILITY F16: clocks are set by up to an hour, at any moment. */
describe('with a clock that is set', () => {
  let world: World;
  /** The process that dies, on a clock of its own. */
  let mortal: Context;
  const clock = new TestClock();
  /** The time that passes before the eyes of the one who sweeps. */
  let steady = 0;
  let ids = 0;
  const fan = (): string => `fan-${(ids += 1)}-${Math.random().toString(36).slice(2)}`;
  const inside = (context: Context): Insides => context.points as unknown as Insides;

  before(async () => {
    world = await startWorld({ card: 'hub' });
    mortal = await createContext(readConfig(world.env), 'mortal', {
      clock,
      log: pino({ level: 'silent' }),
      search: false,
    });
    Object.assign(inside(world.context).heartbeats, { steady: () => steady });
  });
  after(async () => {
    await mortal.close();
    await world.close();
  });

  /** Its memory is gone; its heartbeat stands in the store as it was sent last. */
  function kill(): void {
    const { heartbeats, projector } = inside(mortal);
    for (const pending of [projector.unscored, projector.unplaced, projector.stale])
      pending.clear();
    heartbeats.announced = -Infinity;
  }
  /** The worker looks, ten seconds pass, and it looks again. */
  async function sweep(): Promise<number> {
    await world.context.points.sweep();
    steady += 11_000;
    return world.context.points.sweep();
  }
  const score = async (who: string): Promise<number | undefined> =>
    (
      (await world.context.connection.collection('scores').findOne({ _id: who as never }))?.[
        'after'
      ] as { points: number } | undefined
    )?.points;

  it(
    'finds all that a process wrote after its clock was set back by fifty minutes and it was ' +
      'killed',
    async () => {
      const { heartbeats, projector } = inside(mortal);
      await heartbeats.send();
      Object.assign(projector, { start: () => undefined });
      clock.advance(-50 * MINUTE);
      const who = fan();
      await mortal.points.record(commandFor(who, '1'));
      Reflect.deleteProperty(projector, 'start');
      kill();
      clock.advance(50 * MINUTE);
      expect(await score(who)).to.equal(undefined);
      await sweep();
      expect(await score(who)).to.equal(1);
    },
  );

  it(
    'finds it in any order of acts, heartbeats, settlings and steps of up to an hour, and a ' +
      'death after any of them',
    async () => {
      const { heartbeats, projector } = inside(mortal);
      await fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.oneof(
              {
                weight: 4,
                arbitrary: fc.record({
                  kind: fc.constant('give' as const),
                  who: fc.integer({ min: 0, max: 2 }),
                }),
              },
              {
                weight: 2,
                arbitrary: fc.constantFrom(
                  { kind: 'heartbeat' as const },
                  { kind: 'settle' as const },
                ),
              },
              {
                weight: 3,
                arbitrary: fc.record({
                  kind: fc.constant('step' as const),
                  minutes: fc.integer({ min: -60, max: 60 }),
                }),
              },
            ),
            { minLength: 3, maxLength: 14 },
          ),
          async (acts) => {
            const fans = [fan(), fan(), fan()];
            const given = [0, 0, 0];
            let set = 0;
            await heartbeats.send();
            Object.assign(projector, { start: () => undefined });
            for (const act of acts) {
              if (act.kind === 'give')
                await mortal.points.record(
                  commandFor(
                    fans[act.who] as string,
                    String((given[act.who] = (given[act.who] ?? 0) + 1)),
                  ),
                );
              if (act.kind === 'heartbeat') await heartbeats.send();
              if (act.kind === 'settle') {
                Reflect.deleteProperty(projector, 'start');
                projector.start();
                await projector.idle();
                Object.assign(projector, { start: () => undefined });
              }
              if (act.kind === 'step') {
                // Never further than an hour from where it was right.
                const by = Math.max(-60 - set, Math.min(60 - set, act.minutes));
                set += by;
                clock.advance(by * MINUTE);
              }
            }
            Reflect.deleteProperty(projector, 'start');
            kill();
            clock.advance(-set * MINUTE);
            await sweep();
            for (const [at, who] of fans.entries())
              expect((await score(who)) ?? 0).to.equal(given[at]);
          },
        ),
        { numRuns: 20 },
      );
      expect((await world.context.points.verify()).bad).to.equal(null);
    },
  );

  it(
    'takes nobody for dead whose heartbeat goes on, and everybody whose heartbeat stands ' +
      'still, whatever the clocks say',
    async () => {
      const { heartbeats } = inside(mortal);
      const there = (): Promise<number> =>
        world.context.connection.collection('heartbeats').countDocuments({});
      for (const ahead of [-HOUR, HOUR]) {
        clock.advance(ahead + 30 * MINUTE);
        await heartbeats.send();
        for (let n = 0; n < 4; n += 1) {
          await world.context.points.sweep();
          expect(await there()).to.equal(1);
          steady += 5000;
          clock.advance(5000);
          await heartbeats.send();
        }
        // A clock that stands still a moment, or was set back to where it was, is told apart by the
        // next heartbeat.
        await world.context.points.sweep();
        steady += 11_000;
        await world.context.points.sweep();
        expect(await there()).to.equal(0);
        clock.advance(-ahead - 30 * MINUTE - 20_000);
      }
    },
  );

  it('tells what is on its way as not settled, by the clock that its entry bears', async () => {
    const { db } = mortal.connection;
    const command = db?.command.bind(db) as (what: object) => Promise<unknown>;
    let go: () => void = () => undefined;
    let sent = false;
    Object.assign(db as object, {
      command: async (what: { insert?: string }): Promise<unknown> => {
        if (what.insert === 'entries') {
          sent = true;
          await new Promise<void>((resolve) => {
            go = resolve;
          });
        }
        return command(what);
      },
    });
    clock.advance(-50 * MINUTE);
    const recorded = mortal.points.record(commandFor(fan(), '1'));
    await until(() => sent);
    clock.advance(20 * MINUTE);
    const clear = inside(mortal).ledger.clearTo;
    go();
    const { entry } = await recorded.finally(() => Reflect.deleteProperty(db as object, 'command'));
    clock.advance(30 * MINUTE);
    expect(clear).to.be.at.most(entry?.at.getTime() ?? 0);
    await mortal.points.settled();
  });

  it('counts a deed in the day its entry bears, when midnight is passed twice', async () => {
    const { points } = world.context;
    const midnight = nextDay(world.clock.now(), ZONE).getTime();
    const ahead = midnight + 10 * MINUTE - world.clock.now().getTime();
    world.clock.advance(ahead);
    const who = fan();
    await points.record(commandFor(who, '1'));
    world.clock.advance(-50 * MINUTE);
    const second = await points.record(commandFor(who, '2'));
    const day = windowKeys(new Date(midnight), ZONE).day;
    expect(second.entry?.at.getTime()).to.be.at.least(midnight);
    expect(second.entry?.earnedAt).to.deep.equal(second.entry?.at);
    expect([second.head.after.windows.day, second.head.after.windows.season[1]]).to.deep.equal([
      [day, 2, second.entry?.at.getTime()],
      2,
    ]);
    const undone = await points.record(commandFor(who, '2', 'take'));
    expect(undone.head.after.windows.day).to.deep.equal([day, 1, undone.entry?.at.getTime()]);
    // Three gives a day stay three, by the days of the entries.
    for (const want of ['give', 'take', 'give', 'take'] as const)
      await points.record(commandFor(who, '2', want));
    const fourth = await points.record(commandFor(who, '2'));
    expect(fourth.limited?.getTime()).to.equal(nextDay(new Date(midnight), ZONE).getTime());
    world.clock.advance(50 * MINUTE - ahead);
    expect((await points.verify()).bad).to.equal(null);
  });
});
