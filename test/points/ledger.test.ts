import { expect } from 'chai';
import fc from 'fast-check';
import mongoose from 'mongoose';
import { createContext, type Context } from '../../server/context.js';
import { readConfig } from '../../server/config.js';
import type { Command } from '../../server/points/service.js';
import { pino } from 'pino';
import { HOUR, startWorld, TestClock, type World } from '../support/world.js';

const commandFor = (
  fan: string,
  account: string,
  want: Command['want'],
  more: Partial<Command> = {},
): Command => ({
  fan,
  deed: `follow:x:${account}`,
  want,
  facts: {
    account,
    on: 'account',
    athlete: `athlete-${account}`,
    disciplines: [Number(account) % 2 === 0 ? 'fencing' : 'judo'],
  },
  cause: want === 'take' ? 'undo' : 'hub_click',
  act: null,
  card: 'x@1:hub',
  link: null,
  evidence: null,
  askedAt: new Date(),
  ...more,
});

describe('the ledger', () => {
  let world: World;
  let other: Context;
  let ids = 0;
  const fan = (): string => `fan-${(ids += 1)}-${Math.random().toString(36).slice(2)}`;

  before(async () => {
    world = await startWorld({ card: 'hub' });
    // A second process, as far as the ledger can tell: its own heads, queue and boards over the
    // same stores.
    other = await createContext(readConfig(world.env), 'other', {
      clock: new TestClock(),
      log: pino({ level: 'silent' }),
      search: false,
    });
  });
  after(async () => {
    await other.close();
    await world.close();
  });

  it('gives one point for a deed and nothing for the same again', async () => {
    const who = fan();
    const first = await world.context.points.record(commandFor(who, '1', 'give'));
    const again = await world.context.points.record(commandFor(who, '1', 'give'));
    expect([first.entry?.delta, first.turn, first.head.after.points]).to.deep.equal([1, 1, 1]);
    expect([again.entry, again.turn, again.head.after.points]).to.deep.equal([null, 1, 1]);
  });

  it(
    'judges a medal by the version it was reached under, also in a process that had not heard ' +
      'of that version',
    async () => {
      const who = fan();
      const { now } = await other.points.rules.read();
      await world.context.points.rules.set({ hub: [1, 2, 3], discipline: [1, 2, 3] });
      for (const account of ['1', '3'])
        await world.context.points.record(commandFor(who, account, 'give'));
      await world.context.points.settled();
      const outcome = await other.points.record(commandFor(who, '1', 'take'));
      await world.context.points.rules.set({ hub: [...now.hub], discipline: [...now.discipline] });
      expect(outcome.head.after.medals['hub']?.[0]).to.equal('bronze');
      expect(
        outcome.head.after.medals['discipline:judo'] ?? outcome.head.after.medals['judo'],
      ).to.deep.equal(['bronze', now.version + 1]);
    },
  );

  it('takes the point back at the even turn and gives it again at the next odd one', async () => {
    const who = fan();
    for (const [want, points] of [
      ['give', 1],
      ['take', 0],
      ['take', 0],
      ['give', 1],
    ] as const)
      expect(
        (await world.context.points.record(commandFor(who, '1', want))).head.after.points,
      ).to.equal(points);
    const entries = await world.context.points.statement(who, 10);
    expect(entries.map((entry) => [entry.seq, entry.turn, entry.delta])).to.deep.equal([
      [3, 3, 1],
      [2, 2, -1],
      [1, 1, 1],
    ]);
    expect(new Set(entries.map((entry) => entry.earnedAt.getTime())).size).to.equal(1);
  });

  it('gives nothing to a late repeat that saw an older turn', async () => {
    const who = fan();
    await world.context.points.record(commandFor(who, '1', 'give', { seen: 0 }));
    await world.context.points.record(commandFor(who, '1', 'take', { seen: 1 }));
    const late = await world.context.points.record(commandFor(who, '1', 'give', { seen: 0 }));
    expect([late.entry, late.turn, late.head.after.points]).to.deep.equal([null, 2, 0]);
  });

  it('gives nothing when card, link or epoch no longer stand, but still takes back', async () => {
    const who = fan();
    const dropped = await world.context.points.record(
      commandFor(who, '1', 'give', { stands: () => Promise.resolve(false) }),
    );
    expect([dropped.entry, dropped.dropped]).to.deep.equal([null, true]);
    await world.context.points.record(commandFor(who, '1', 'give'));
    expect(
      (
        await world.context.points.record(
          commandFor(who, '1', 'take', { stands: () => Promise.resolve(false) }),
        )
      ).head.after.points,
    ).to.equal(0);
  });

  it('gives a deed three times a day at most and says when the next may come', async () => {
    const who = fan();
    for (let round = 0; round < 3; round += 1) {
      await world.context.points.record(commandFor(who, '1', 'give'));
      await world.context.points.record(commandFor(who, '1', 'take'));
    }
    const fourth = await world.context.points.record(commandFor(who, '1', 'give'));
    expect(fourth.entry).to.equal(null);
    expect(fourth.limited?.getTime()).to.be.greaterThan(Date.now());
    world.clock.advance(25 * HOUR);
    expect(
      (await world.context.points.record(commandFor(who, '1', 'give'))).head.after.points,
    ).to.equal(1);
    world.clock.advance(-25 * HOUR);
  });

  it(
    'asks again when the store cannot now, whether it had stored the entry or not, and gives ' +
      'one point',
    async () => {
      const { db } = world.context.connection;
      const command = db?.command.bind(db) as (what: object) => Promise<unknown>;
      for (const stored of [false, true]) {
        const who = fan();
        let refusals = 0;
        Object.assign(db as object, {
          command: async (what: { insert?: string }): Promise<unknown> => {
            if (what.insert !== 'entries' || refusals > 0) return command(what);
            refusals += 1;
            if (stored) await command(what);
            // Another primary is being chosen.
            throw new mongoose.mongo.MongoServerError({ message: 'not primary', code: 10107 });
          },
        });
        const outcome = await world.context.points
          .record(commandFor(who, '1', 'give'))
          .finally(() => Reflect.deleteProperty(db as object, 'command'));
        expect([refusals, outcome.entry?.delta, outcome.head.after.points]).to.deep.equal([
          1, 1, 1,
        ]);
        expect(
          await world.context.connection.collection('entries').countDocuments({ fan: who }),
        ).to.equal(1);
      }
    },
  );

  it('gives one point to twenty askings at once over two processes', async () => {
    const who = fan();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_x, n) =>
        (n % 2 ? other : world.context).points.record(commandFor(who, '7', 'give')),
      ),
    );
    expect(outcomes.filter((one) => one.entry !== null)).to.have.length(1);
    expect((await world.context.points.head(who)).after.points).to.equal(1);
  });

  it('chains many entries of one fan in order, and others in between', async () => {
    const who = fan();
    const many = Array.from({ length: 60 }, (_x, n) => commandFor(who, String(n), 'give'));
    const [outcomes] = await Promise.all([
      world.context.points.recordMany(who, many),
      ...Array.from({ length: 10 }, (_x, n) =>
        other.points.record(commandFor(who, String(100 + n), 'give')),
      ),
    ]);
    expect(outcomes.filter((one) => one.entry !== null)).to.have.length(60);
    const head = await world.context.points.head(who);
    expect([
      head.seq,
      head.after.points,
      head.after.disciplines['fencing']?.[0],
      head.after.medals['hub']?.[0],
    ]).to.deep.equal([70, 70, 35, 'gold']);
  });

  it(
    'ends a chain of many parts whole, whatever cuts into it: another process, or a store ' +
      'that cannot in the middle',
    async () => {
      const { db } = world.context.connection;
      const command = db?.command.bind(db) as (what: object) => Promise<unknown>;
      for (const [cut, which] of [
        ['other', 1],
        ['other', 2],
        ['before', 1],
        ['after', 2],
      ] as const) {
        const who = fan();
        const commands = Array.from({ length: 700 }, (_x, n) => commandFor(who, String(n), 'give'));
        let inserts = 0;
        Object.assign(db as object, {
          command: async (what: {
            insert?: string;
            documents?: { fan: string }[];
          }): Promise<unknown> => {
            if (what.insert !== 'entries' || what.documents?.[0]?.fan !== who) return command(what);
            inserts += 1;
            if (inserts !== which) return command(what);
            if (cut === 'other') await other.points.record(commandFor(who, 'elsewhere', 'give'));
            if (cut !== 'before') await command(what).catch(() => undefined);
            if (cut === 'other') return command(what);
            throw new mongoose.mongo.MongoServerError({ message: 'shutting down', code: 11600 });
          },
        });
        const outcomes = await world.context.points
          .recordMany(who, commands)
          .finally(() => Reflect.deleteProperty(db as object, 'command'));
        const extra = cut === 'other' ? 1 : 0;
        expect(
          outcomes.map((one) => one.entry?.delta),
          cut,
        ).to.deep.equal(Array(700).fill(1));
        const seqs = outcomes.map((one) => one.entry?.seq ?? 0);
        expect(seqs, cut).to.deep.equal([...seqs].sort((x, y) => x - y));
        expect(
          await world.context.connection.collection('entries').countDocuments({ fan: who }),
          cut,
        ).to.equal(700 + extra);
        // Asked once more, nothing is given; and what stands at the end is told.
        const again = await world.context.points.recordMany(who, commands);
        expect(
          [
            ...new Set(
              again.map((one) => `${one.entry ? 'given' : 'nothing'} ${one.head.after.points}`),
            ),
          ],
          cut,
        ).to.deep.equal([`nothing ${700 + extra}`]);
      }
      expect((await world.context.points.verify()).bad).to.equal(null);
    },
  );

  it('keeps time from running backwards inside a statement', async () => {
    const who = fan();
    await world.context.points.record(commandFor(who, '1', 'give'));
    world.clock.advance(-HOUR);
    const second = await world.context.points.record(commandFor(who, '2', 'give'));
    world.clock.advance(HOUR);
    const [later, earlier] = await world.context.points.statement(who, 2);
    expect(second.entry).to.not.equal(null);
    expect((later?.at.getTime() ?? 0) >= (earlier?.at.getTime() ?? 1)).to.equal(true);
  });

  it('counts a deed in the windows it was first earned in and in no later ones', async () => {
    const who = fan();
    await world.context.points.record(commandFor(who, '1', 'give'));
    world.clock.advance(40 * 24 * HOUR);
    await world.context.points.record(commandFor(who, '1', 'take'));
    const { after } = (await world.context.points.record(commandFor(who, '1', 'give'))).head;
    world.clock.advance(-40 * 24 * HOUR);
    expect([after.points, after.windows.month[1], after.windows.day[1]]).to.deep.equal([1, 0, 0]);
  });

  it(
    'ends, after any order of gives, takes, repeats and races over two processes, where a ' +
      'plain model ends',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.record({
              account: fc.integer({ min: 1, max: 4 }),
              want: fc.constantFrom('give' as const, 'take' as const),
              times: fc.integer({ min: 1, max: 3 }),
              both: fc.boolean(),
            }),
            { minLength: 1, maxLength: 10 },
          ),
          async (acts) => {
            const who = fan();
            const held = new Map<string, number>();
            for (const act of acts) {
              const account = String(act.account);
              const askings = Array.from({ length: act.times }, (_x, n) =>
                (act.both && n % 2 ? other : world.context).points.record(
                  commandFor(who, account, act.want),
                ),
              );
              await Promise.all(askings);
              const turn = held.get(account) ?? 0;
              // Three gives of one deed a day: the model stops there too.
              if (act.want === 'give' ? turn % 2 === 0 && turn < 6 : turn % 2 === 1)
                held.set(account, turn + 1);
            }
            const head = await world.context.points.head(who);
            const model = [...held.values()].filter((turn) => turn % 2 === 1).length;
            expect(head.after.points).to.equal(model);
            expect(head.seq).to.equal([...held.values()].reduce((sum, turn) => sum + turn, 0));
            expect(
              Object.values(head.after.disciplines).reduce((sum, [points]) => sum + points, 0),
            ).to.equal(model);
          },
        ),
        { numRuns: 25 },
      );
    },
  );

  it('ends with scores and boards equal to the entries, and every entry verified', async () => {
    await Promise.all([world.context.points.settled(), other.points.settled()]);
    const result = await world.context.points.verify();
    expect(result.bad).to.equal(null);
    expect(result.entries).to.be.greaterThan(100);
    const entries = world.context.connection.collection('entries');
    const sums = await entries
      .aggregate([{ $group: { _id: '$fan', points: { $sum: '$delta' }, seq: { $max: '$seq' } } }])
      .toArray();
    const scores = new Map(
      (await world.context.connection.collection('scores').find().toArray()).map((one) => [
        String(one['_id']),
        one,
      ]),
    );
    for (const one of sums)
      expect([
        (scores.get(String(one['_id']))?.['after'] as { points: number }).points,
        scores.get(String(one['_id']))?.['seq'],
      ]).to.deep.equal([one['points'], one['seq']]);
  });

  it('names the first bad entry, whatever was tampered with', async () => {
    const who = fan();
    for (const account of ['1', '2', '3'])
      await world.context.points.record(commandFor(who, account, 'give'));
    const entries = world.context.connection.collection('entries');
    const good = await entries.findOne({ fan: who, seq: 2 });
    for (const [change, reason] of [
      [{ delta: 5 }, /delta/],
      [{ 'after.points': 9 }, /hash/],
      [{ turn: 3 }, /turn/],
      [{ prev: 'x' }, /prev/],
      [{ cause: 'manual' }, /hash/],
      [{ more: 1 }, /fields of version 1/],
    ] as const) {
      await entries.updateOne({ fan: who, seq: 2 }, { $set: change });
      const { bad } = await world.context.points.verify();
      expect([bad?.fan, bad?.seq]).to.deep.equal([who, 2]);
      expect(bad?.reason).to.match(reason);
      await entries.replaceOne({ fan: who, seq: 2 }, good as never);
    }
    await entries.deleteOne({ fan: who, seq: 2 });
    expect((await world.context.points.verify()).bad).to.include({ fan: who, seq: 3 });
    await entries.insertOne(good as never);
    expect((await world.context.points.verify()).bad).to.equal(null);
  });

  it('catches a score up that a killed process left behind', async () => {
    const who = fan();
    await other.points.record(commandFor(who, '1', 'give'));
    await other.points.settled();
    await world.context.connection.collection('scores').deleteOne({ _id: who as never });
    await world.context.connection.collection('heartbeats').insertOne({
      _id: 'dead' as never,
      settledTo: new Date(Date.now() - HOUR / 60),
      beat: new Date(Date.now() - 2 * HOUR),
    });
    expect(await world.context.points.sweep()).to.be.greaterThan(0);
    const score = await world.context.connection
      .collection<{ _id: string; after: { points: number } }>('scores')
      .findOne({ _id: who });
    expect(score?.after.points).to.equal(1);
    expect(
      await world.context.connection
        .collection('heartbeats')
        .countDocuments({ _id: 'dead' as never }),
    ).to.equal(0);
  });
});
