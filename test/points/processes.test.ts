import { expect } from 'chai';
import fc from 'fast-check';
import mongoose from 'mongoose';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import type { Command } from '../../server/points/service.js';
import { startWorld, type World } from '../support/world.js';

const commandFor = (
  fan: string,
  account: string,
  want: Command['want'],
  more: Partial<Command> = {},
): Command => ({
  fan,
  deed: `follow:x:${account}`,
  want,
  facts: { account, on: 'account', athlete: `athlete-${account}`, disciplines: ['fencing'] },
  cause: want === 'take' ? 'undo' : 'hub_click',
  act: null,
  card: 'x@1:hub',
  link: null,
  evidence: null,
  askedAt: new Date(),
  ...more,
});

/** Each remembers heads of its own: what the one remembers, the other may have made old. */
describe('two processes over one ledger', () => {
  let world: World;
  let here: Context;
  let there: Context;
  let ids = 0;
  const fan = (): string => `fan-${(ids += 1)}-${Math.random().toString(36).slice(2)}`;

  before(async () => {
    world = await startWorld({ card: 'hub' });
    here = world.context;
    there = await createContext(readConfig(world.env), 'there', {
      clock: world.clock,
      log: pino({ level: 'silent' }),
      search: false,
    });
  });
  after(async () => {
    await there.close();
    await world.close();
  });

  it(
    'answer a repeat, a refusal and a limit with the points there are now, not with those one ' +
      'of them remembers',
    async () => {
      const who = fan();
      for (let round = 0; round < 3; round += 1) {
        await here.points.record(commandFor(who, '9', 'give'));
        await here.points.record(commandFor(who, '9', 'take'));
      }
      await here.points.record(commandFor(who, '1', 'give'));
      for (const account of ['2', '3']) await there.points.record(commandFor(who, account, 'give'));
      const again = await here.points.record(commandFor(who, '1', 'give'));
      expect([again.entry, again.turn, again.head.after.points]).to.deep.equal([null, 1, 3]);
      await there.points.record(commandFor(who, '4', 'give'));
      const late = await here.points.record(commandFor(who, '1', 'give', { seen: 0 }));
      expect([late.entry, late.head.after.points]).to.deep.equal([null, 4]);
      await there.points.record(commandFor(who, '5', 'give'));
      const dropped = await here.points.record(
        commandFor(who, '6', 'give', { stands: () => Promise.resolve(false) }),
      );
      expect([dropped.dropped, dropped.head.after.points]).to.deep.equal([true, 5]);
      await there.points.record(commandFor(who, '7', 'give'));
      const limited = await here.points.record(commandFor(who, '9', 'give'));
      expect([limited.limited !== null, limited.head.after.points]).to.deep.equal([true, 6]);
      await there.points.record(commandFor(who, '8', 'give'));
      const many = await here.points.recordMany(who, [
        commandFor(who, '1', 'give'),
        commandFor(who, '2', 'give'),
      ]);
      expect(many.map((one) => [one.entry, one.head.after.points])).to.deep.equal([
        [null, 7],
        [null, 7],
      ]);
    },
  );

  it(
    'take back what the other gave, also to a fan of whom this one remembers that they have ' +
      'nothing',
    async () => {
      const who = fan();
      expect((await here.points.record(commandFor(who, '1', 'take'))).entry).to.equal(null);
      await there.points.record(commandFor(who, '1', 'give'));
      const undone = await here.points.record(commandFor(who, '1', 'take'));
      expect([undone.entry?.delta, undone.turn, undone.head.after.points]).to.deep.equal([
        -1, 2, 0,
      ]);
    },
  );

  it(
    'decide behind a head at least as new as every turn they read, when the other writes ' +
      'between their reads',
    async () => {
      const who = fan();
      await here.points.record(commandFor(who, '1', 'give'));
      const { collection } = here.connection.model('Entry');
      const find = collection.find.bind(collection) as unknown as (
        filter: object,
        options: object,
      ) => { toArray(): Promise<unknown[]> };
      let cut = 0;
      Object.assign(collection, {
        find: (filter: { deed?: unknown }, options: object) => {
          const cursor = find(filter, options);
          if (filter.deed === undefined || cut > 0) return cursor;
          cut += 1;
          const toArray = async (): Promise<unknown[]> => {
            for (const account of ['2', '3'])
              await there.points.record(commandFor(who, account, 'give'));
            return find(filter, options).toArray();
          };
          return { toArray };
        },
      });
      const outcome = await here.points
        .record(commandFor(who, '3', 'give'))
        .finally(() => Reflect.deleteProperty(collection, 'find'));
      expect([
        cut,
        outcome.entry,
        outcome.turn,
        outcome.head.seq,
        outcome.head.after.points,
      ]).to.deep.equal([1, null, 1, 3, 3]);
    },
  );

  const related = (...accounts: string[]): Map<string, number> =>
    new Map(accounts.map((account) => [`follow:x:${account}`, 0]));

  it(
    'say of no related deed of an entry what was true before the other wrote, wherever ' +
      'between their reads that was',
    async () => {
      for (const when of [
        'before the turns',
        'behind the turns',
        'behind turns that are newer than the head',
      ] as const) {
        const who = fan();
        await here.points.record(commandFor(who, '1', 'give'));
        const { collection } = here.connection.model('Entry');
        const find = collection.find.bind(collection) as unknown as (
          filter: object,
          options: object,
        ) => { toArray(): Promise<unknown[]> };
        let cut = 0;
        Object.assign(collection, {
          find: (filter: { deed?: unknown }, options: object) => {
            const cursor = find(filter, options);
            if (filter.deed === undefined || cut > 0) return cursor;
            cut += 1;
            const toArray = async (): Promise<unknown[]> => {
              if (when === 'behind turns that are newer than the head')
                for (const want of ['give', 'take'] as const)
                  await there.points.record(commandFor(who, '2', want));
              if (when === 'before the turns')
                await there.points.record(commandFor(who, '3', 'give'));
              const found = await find(filter, options).toArray();
              if (when !== 'before the turns')
                await there.points.record(commandFor(who, '3', 'give'));
              return found;
            };
            return { toArray };
          },
        });
        const outcome = await here.points
          .record(commandFor(who, '2', 'give', { related: related('1', '3', '4') }))
          .finally(() => Reflect.deleteProperty(collection, 'find'));
        // What is not known is not said.
        const said = outcome.related ?? {
          'follow:x:1': true,
          'follow:x:3': true,
          'follow:x:4': false,
        };
        expect([when, cut, outcome.entry?.delta, said]).to.deep.equal([
          when,
          1,
          1,
          { 'follow:x:1': true, 'follow:x:3': true, 'follow:x:4': false },
        ]);
      }
    },
  );

  it(
    'say of every related deed of an entry what the ledger has at that entry, over any race ' +
      'of the two',
    async () => {
      let said = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.array(
              fc.record({
                account: fc.integer({ min: 1, max: 4 }),
                want: fc.constantFrom('give' as const, 'take' as const),
                at: fc.boolean(),
              }),
              {
                minLength: 1,
                maxLength: 4,
              },
            ),
            { minLength: 2, maxLength: 5 },
          ),
          async (rounds) => {
            const who = fan();
            for (const acts of rounds) {
              const outcomes = await Promise.all(
                acts.map(({ account, want, at }) =>
                  (at ? here : there).points.record(
                    commandFor(who, String(account), want, {
                      related: related('1', '2', '3', '4'),
                    }),
                  ),
                ),
              );
              for (const { entry, related: told } of outcomes) {
                if (!entry || !told) continue;
                said += 1;
                const named = Object.keys(told);
                const [held] = await there.points.heldAt([
                  { fan: who, seq: entry.seq, deeds: named },
                ]);
                expect(named.filter((deed) => told[deed])).to.have.members([...(held ?? [])]);
              }
            }
          },
        ),
        { numRuns: 25 },
      );
      expect(said).to.be.greaterThan(0);
    },
  );

  it(
    'know an insert of theirs that nobody acknowledged, also when the other has taken the ' +
      'deed back since',
    async () => {
      const who = fan();
      const { db } = here.connection;
      const command = db?.command.bind(db) as (what: object) => Promise<unknown>;
      let inserts = 0;
      Object.assign(db as object, {
        command: async (what: { insert?: string }): Promise<unknown> => {
          if (what.insert !== 'entries' || inserts > 0) return command(what);
          inserts += 1;
          await command(what);
          await there.points.record(commandFor(who, '1', 'take'));
          throw new mongoose.mongo.MongoServerError({ message: 'not primary', code: 10107 });
        },
      });
      const outcome = await here.points
        .record(commandFor(who, '1', 'give'))
        .finally(() => Reflect.deleteProperty(db as object, 'command'));
      expect([outcome.entry?.turn, outcome.turn]).to.deep.equal([1, 1]);
      expect((await here.points.head(who)).after.points).to.equal(0);
      expect(await here.connection.collection('entries').countDocuments({ fan: who })).to.equal(2);
    },
  );

  it(
    'know an insert of theirs that nobody acknowledged and that is stored only while the next ' +
      'one is on its way',
    async () => {
      const who = fan();
      const { db } = here.connection;
      const command = db?.command.bind(db) as (what: object) => Promise<unknown>;
      let late: (() => Promise<unknown>) | null = null;
      let inserts = 0;
      Object.assign(db as object, {
        command: async (what: { insert?: string }): Promise<unknown> => {
          if (what.insert !== 'entries') return command(what);
          inserts += 1;
          if (inserts === 1) {
            // On its way, and its connection is gone before the store has it.
            late = () => command(what);
            throw new mongoose.mongo.MongoNetworkError('the connection was closed');
          }
          await late?.();
          return command(what);
        },
      });
      const told: number[] = [];
      const off = here.bus.on('points:moved', ({ moves }) => {
        told.push(...moves.filter((one) => one.fan === who).map((one) => one.points));
      });
      const outcome = await here.points
        .record(commandFor(who, '1', 'give'))
        .finally(() => Reflect.deleteProperty(db as object, 'command'));
      expect([outcome.entry?.turn, outcome.head.after.points, inserts]).to.deep.equal([1, 1, 2]);
      await here.points.settled();
      off();
      expect(told, 'it is heard, and once').to.deep.equal([1]);
      expect(
        (await here.connection.collection('scores').findOne({ _id: who as never }))?.['seq'],
      ).to.equal(1);
    },
  );

  it(
    'answer, in any order of acts here and there, each with the very state that a plain model ' +
      'has',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.record({
              account: fc.integer({ min: 1, max: 3 }),
              want: fc.constantFrom('give' as const, 'take' as const),
              at: fc.constantFrom('here' as const, 'there' as const),
              seen: fc.constantFrom('right' as const, 'none' as const, 'old' as const),
            }),
            { minLength: 2, maxLength: 14 },
          ),
          async (acts) => {
            const who = fan();
            const turns = new Map<string, number>();
            let seq = 0;
            for (const act of acts) {
              const account = String(act.account);
              const turn = turns.get(account) ?? 0;
              const old = act.seen === 'old' && turn > 0;
              const more = act.seen === 'none' ? {} : { seen: old ? turn - 1 : turn };
              const outcome = await (act.at === 'here' ? here : there).points.record(
                commandFor(who, account, act.want, more),
              );
              // Three gives of one deed a day.
              const moves =
                !old && (act.want === 'give' ? turn % 2 === 0 && turn < 6 : turn % 2 === 1);
              if (moves) {
                turns.set(account, turn + 1);
                seq += 1;
              }
              const points = [...turns.values()].filter((one) => one % 2 === 1).length;
              expect([
                outcome.entry !== null,
                outcome.turn,
                outcome.head.seq,
                outcome.head.after.points,
              ]).to.deep.equal([moves, turns.get(account) ?? 0, seq, points]);
            }
          },
        ),
        { numRuns: 25 },
      );
      expect((await here.points.verify()).bad).to.equal(null);
    },
  );
});
