import { expect } from 'chai';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import type { RunAgain, Handler, Jobs, KindOptions } from '../../server/platform/jobs.js';
import { JobStore } from '../../server/platform/job-store.js';
import { startWorker } from '../../server/worker.js';
import { until } from '../support/until.js';
import { HOUR, startWorld, type World } from '../support/world.js';

/** A promise, and who fulfils it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** What is asked for is done, also when those who do it come and go. */
describe('jobs', function () {
  this.timeout(30_000);
  let world: World;
  let jobs: Jobs;
  /** What was done, by kind. */
  const done: Record<string, unknown[]> = {};
  const doer =
    (
      kind: string,
      answer: (payload: unknown, signal: AbortSignal) => Promise<RunAgain | null>,
    ): Handler =>
    (payload: unknown, signal) => {
      done[kind] = [...(done[kind] ?? []), payload];
      return answer(payload, signal);
    };
  const handle = (
    kind: string,
    answer: (payload: unknown, signal: AbortSignal) => Promise<RunAgain | null> = () =>
      Promise.resolve(null),
    options: KindOptions = {},
  ): void => {
    done[kind] = [];
    jobs.handle(kind, options, doer(kind, answer));
  };
  const stored = (name: string, key = 'a'): Promise<Record<string, unknown> | null> =>
    world.context.connection.collection('jobs').findOne({ name, key });
  const other = (): Promise<Context> =>
    createContext(readConfig(world.env), 'other', {
      clock: world.clock,
      log: pino({ level: 'silent' }),
      search: false,
    });

  before(async () => {
    world = await startWorld();
    ({ jobs } = world.context);
  });
  after(() => world.close());

  describe('that are asked for', () => {
    it('are done once and are gone', async () => {
      handle('once');
      await jobs.add('once', 'a', { n: 1 });
      await jobs.add('once', 'b', { n: 2 });
      await Promise.all([jobs.drain(), jobs.drain()]);
      expect(done['once']).to.have.deep.members([{ n: 1 }, { n: 2 }]);
      expect(await stored('once')).to.equal(null);
      expect(await jobs.drain()).to.equal(0);
    });

    it('twice while they wait are one, which does what both asked for at the earlier time', async () => {
      const merge = (before: number[], after: number[]): number[] => [...before, ...after];
      handle('merged', undefined, { merge });
      const at = new Date(world.clock.now().getTime() + HOUR);
      await jobs.add('merged', 'a', [1], { at });
      await Promise.all([
        jobs.add('merged', 'a', [2]),
        jobs.add('merged', 'a', [3], { at }),
        jobs.addMany('merged', [{ name: 'a', payload: [4] }]),
      ]);
      expect(await jobs.drain()).to.equal(1);
      expect(done['merged']?.flat()).to.have.members([1, 2, 3, 4]);
    });

    it('are refused where nobody said how their kind is done', async () => {
      const refused: unknown = await jobs.add('unheard', 'a', {}).catch((error: unknown) => error);
      expect(refused).to.be.an('error').with.property('message').that.contains('unheard');
      expect(await stored('unheard')).to.equal(null);
    });

    it('twice while they wait do what was asked last where a kind says nothing of it', async () => {
      handle('replaced');
      await jobs.add('replaced', 'a', 'old');
      await jobs.add('replaced', 'a', 'new');
      await jobs.drain();
      expect(done['replaced']).to.deep.equal(['new']);
    });

    it('while one of that name runs follow it, with all that was asked for meanwhile', async () => {
      const [begun, go] = [gate(), gate()];
      handle(
        'followed',
        async () => {
          begun.open();
          await go.opened;
          return null;
        },
        { merge: (before: string, after: string) => before + after },
      );
      await jobs.add('followed', 'a', 'first');
      const drained = jobs.drain();
      await begun.opened;
      for (const more of ['x', 'y']) await jobs.add('followed', 'a', more);
      expect(done['followed']).to.deep.equal(['first']);
      go.open();
      expect(await drained).to.equal(2);
      expect(done['followed']?.[1]).to.be.oneOf(['xy', 'yx']);
      expect(await stored('followed')).to.equal(null);
    });

    it('are done with what was asked for meanwhile too when they fail', async () => {
      const [begun, go] = [gate(), gate()];
      let fails = 1;
      handle(
        'both',
        async () => {
          begun.open();
          await go.opened;
          if ((fails -= 1) >= 0) throw new Error('no luck');
          return null;
        },
        { merge: (before: string, after: string) => before + after },
      );
      await jobs.add('both', 'a', 'first');
      const drained = jobs.drain();
      await begun.opened;
      await jobs.add('both', 'a', '+second');
      go.open();
      await drained;
      expect(done['both']).to.deep.equal(['first', 'first+second']);
    });

    it('wait for their time, and come again when they say so, with what they say', async () => {
      const again = [
        { at: new Date(world.clock.now().getTime() + 2 * HOUR), payload: 'second' },
        null,
      ];
      handle('later', () => Promise.resolve(again.shift() ?? null));
      await jobs.add('later', 'a', 'first', { at: new Date(world.clock.now().getTime() + HOUR) });
      await jobs.drain();
      expect(done['later']).to.deep.equal([]);
      for (const expected of [['first'], ['first', 'second'], ['first', 'second']]) {
        world.clock.advance(HOUR + 1000);
        await jobs.drain();
        expect(done['later']).to.deep.equal(expected);
      }
    });

    it('go by priority, also one that comes while others wait already', async () => {
      const [begun, go] = [gate(), gate()];
      handle('first', async (payload) => {
        if (payload === 'blocker') {
          begun.open();
          await go.opened;
        }
        return null;
      });
      await jobs.add('first', 'blocker', 'blocker', { priority: 9 });
      const ago = (ms: number): Date => new Date(world.clock.now().getTime() - ms);
      await jobs.add('first', 'low2', 'low2', { at: ago(1000) });
      await jobs.add('first', 'low1', 'low1', { at: ago(2000) });
      const drained = jobs.drain();
      await begun.opened;
      await jobs.add('first', 'fan', 'a fan waits', { priority: 5 });
      go.open();
      await drained;
      expect(done['first']).to.deep.equal(['blocker', 'a fan waits', 'low1', 'low2']);
    });
  });

  describe('of different kinds', () => {
    it(
      'have places of their own: a slow kind holds nobody up, and no kind takes more places ' +
        'than it has',
      async () => {
        const go = gate();
        let [now, most] = [0, 0];
        handle(
          'slow',
          async () => {
            most = Math.max(most, (now += 1));
            await go.opened;
            now -= 1;
            return null;
          },
          { concurrency: 2 },
        );
        handle('quick');
        for (const name of ['a', 'b', 'c', 'd', 'e']) await jobs.add('slow', name, name);
        const drained = jobs.drain();
        await until(() => now === 2);
        await jobs.add('quick', 'a', 'a');
        await until(() => done['quick']?.length === 1);
        expect(done['slow']).to.have.length(2);
        go.open();
        await drained;
        expect([done['slow']?.length, most]).to.deep.equal([5, 2]);
      },
    );
  });

  describe('that fail', () => {
    it('are tried again, each time later, and say what went wrong', async () => {
      let fails = 2;
      handle('fails', () =>
        (fails -= 1) >= 0 ? Promise.reject(new Error('no luck')) : Promise.resolve(null),
      );
      await jobs.add('fails', 'a', 'keep me');
      await jobs.drain();
      expect(await jobs.drain(), 'at once').to.equal(0);
      expect(await stored('fails')).to.include({
        data: 'keep me',
        failReason: 'no luck',
        attempts: 1,
        holder: null,
      });
      world.clock.advance(2600);
      await jobs.drain();
      expect(done['fails']).to.have.length(2);
      world.clock.advance(2600);
      expect(await jobs.drain(), 'the second wait is twice as long').to.equal(0);
      world.clock.advance(2600);
      await jobs.drain();
      expect(done['fails']).to.have.length(3);
      expect(await stored('fails')).to.equal(null);
    });

    it('too often are given up, are told to the staff, and are begun anew by them alone', async () => {
      let broken = true;
      handle(
        'broken',
        () => (broken ? Promise.reject(new Error('no luck')) : Promise.resolve(null)),
        { attempts: 3 },
      );
      await jobs.add('broken', 'a', 'keep me');
      for (let tries = 0; tries < 5; tries += 1) {
        await jobs.drain();
        world.clock.advance(HOUR);
      }
      expect(done['broken']).to.have.length(3);
      const { items, total } = await jobs.ended(10);
      expect([total, items[0]]).to.deep.equal([
        1,
        {
          id: items[0]?.id,
          kind: 'broken',
          name: 'a',
          attempts: 3,
          failedAt: items[0]?.failedAt,
          reason: 'no luck',
        },
      ]);
      broken = false;
      await jobs.startAgain(items[0]?.id ?? '', 'somebody');
      const twice: unknown = await jobs
        .startAgain(items[0]?.id ?? '', 'somebody')
        .catch((error: unknown) => error);
      expect(twice).to.include({ id: 'job_not_found' });
      await jobs.drain();
      expect(done['broken']).to.deep.equal(Array(4).fill('keep me'));
      expect((await jobs.ended(10)).total).to.equal(0);
      expect((await world.context.audit.about('job:broken:a'))[0]).to.include({
        by: 'somebody',
        act: 'job.started',
      });
    });

    it('too often are tried anew when they are asked for anew', async () => {
      let broken = true;
      handle(
        'asked',
        () => (broken ? Promise.reject(new Error('no luck')) : Promise.resolve(null)),
        { attempts: 1 },
      );
      await jobs.add('asked', 'a', 'old');
      await jobs.drain();
      expect((await jobs.ended(10)).total).to.equal(1);
      broken = false;
      await jobs.add('asked', 'a', 'new');
      await jobs.drain();
      expect(done['asked']).to.deep.equal(['old', 'new']);
      expect((await jobs.ended(10)).total).to.equal(0);
    });

    it(
      'because their time is up are told to end, and count as failed even if they end well ' +
        'then',
      async () => {
        let reason: unknown;
        handle(
          'late',
          (_payload, signal) =>
            new Promise((resolve) => {
              signal.addEventListener('abort', () => {
                reason = signal.reason;
                resolve(null);
              });
            }),
          { limitMs: 30 },
        );
        await jobs.add('late', 'a', 'a');
        await jobs.drain();
        expect(reason).to.be.an('error').with.property('message', 'it took longer than 30 ms');
        expect(await stored('late')).to.include({
          failReason: 'it took longer than 30 ms',
          attempts: 1,
        });
      },
    );
  });

  describe('of a process that dies or leaves', () => {
    it('are taken over when its lease ends and not before, with what was asked for meanwhile', async () => {
      handle('taken', undefined, { merge: (before: string, after: string) => before + after });
      const nextRunAt = new Date(world.clock.now().getTime() + 60_000);
      await jobs.add('taken', 'a', 'left');
      await world.context.connection
        .collection('jobs')
        .updateOne({ name: 'taken' }, { $set: { holder: 'dead', nextRunAt, attempts: 1 } });
      await jobs.add('taken', 'a', '+more');
      expect(await jobs.drain()).to.equal(0);
      world.clock.advance(61_000);
      await jobs.drain();
      expect(done['taken']).to.deep.equal(['left+more']);
      expect(await stored('taken')).to.equal(null);
    });

    it('are given up when they killed every worker that began them', async () => {
      handle('deadly', undefined, { attempts: 3 });
      await jobs.add('deadly', 'a', 'boom');
      await world.context.connection
        .collection('jobs')
        .updateOne({ name: 'deadly' }, { $set: { holder: 'dead', attempts: 3 } });
      await jobs.drain();
      expect(done['deadly']).to.deep.equal([]);
      const { items } = await jobs.ended(10);
      expect(items.map(({ kind, reason }) => [kind, reason])).to.deep.equal([
        ['deadly', 'the worker died each time'],
      ]);
      await jobs.startAgain(items[0]?.id ?? '', 'somebody');
      await jobs.drain();
      expect(done['deadly']).to.deep.equal(['boom']);
    });

    it(
      'are free when its lease ends, also when the store never told it of them and it goes on ' +
        'with others',
      async () => {
        const store = new JobStore(world.context.connection, world.clock, () => ({
          concurrency: 9,
          attempts: 9,
          merge: (_before, after) => after,
        }));
        const records = world.context.connection.collection('jobs');
        for (const key of ['a', 'b'])
          await store.add('unheard of', key, { data: key, at: world.clock.now(), priority: 0 });
        await store.getNextJobToRun('unheard of');
        const inHand = await records.findOne({ name: 'unheard of', holder: { $ne: null } });
        const other = await records.findOne({ name: 'unheard of', holder: null });
        // It is ours as well, but the answer that said so was lost.
        const ours = {
          holder: inHand?.['holder'] as string,
          nextRunAt: inHand?.['nextRunAt'] as Date,
          takes: 1,
          attempts: 1,
        };
        await records.updateOne({ name: 'unheard of', holder: null }, { $set: ours });
        world.clock.advance(50_000);
        await store.renew();
        world.clock.advance(20_000);
        expect(await store.getNextJobToRun('unheard of')).to.include({
          data: other?.['key'] as string,
        });
        expect(await store.getNextJobToRun('unheard of'), 'the other one is in hand').to.equal(
          undefined,
        );
        await store.handBack();
        await records.deleteMany({ name: 'unheard of' });
      },
    );

    it('come at once when the clock is set back, not as much later', async () => {
      handle('stepped');
      await jobs.add('stepped', 'a', 'a', { at: new Date(world.clock.now().getTime() + 60_000) });
      await jobs.drain();
      world.clock.advance(-50 * 60_000);
      await jobs.drain();
      expect(done['stepped']).to.deep.equal(['a']);
    });

    it('are begun by a worker only when it would be missed', async () => {
      const begun: string[] = [];
      const note = (what: string) => () => Promise.resolve(begun.push(what));
      const context = {
        jobs: { add: () => Promise.resolve(''), start: note('jobs') },
        points: { start: note('beat') },
        close: note('close'),
      };
      await startWorker(context as unknown as Context);
      expect(begun).to.deep.equal(['beat', 'jobs']);
    });

    it('are not ended by one who lost them to another', async () => {
      const [begun, go] = [gate(), gate()];
      handle('lost', async () => {
        begun.open();
        await go.opened;
        return null;
      });
      await jobs.add('lost', 'a', 'a');
      const drained = jobs.drain();
      await begun.opened;
      // Another process took it over, as after a pause longer than the lease.
      await world.context.connection
        .collection('jobs')
        .updateOne({ name: 'lost' }, { $set: { holder: 'another' }, $inc: { takes: 1 } });
      go.open();
      await drained;
      expect(await stored('lost')).to.include({ holder: 'another' });
    });

    it('are handed back by a process that leaves and cannot end them, and none is begun by it', async () => {
      const leaver = await other();
      const go = gate();
      let [begun, told] = [0, false];
      leaver.jobs.handle('long', {}, async (_payload, signal) => {
        begun += 1;
        signal.addEventListener('abort', () => {
          told = true;
        });
        await go.opened;
        return null;
      });
      handle('long');
      for (const name of ['a', 'b']) await jobs.add('long', name, name);
      const drained = leaver.jobs.drain();
      await until(() => begun === 1);
      await leaver.jobs.stop();
      expect(told).to.equal(true);
      await jobs.drain();
      expect(done['long']).to.have.members(['a', 'b']);
      await jobs.add('long', 'c', 'c');
      go.open();
      await drained;
      expect(begun).to.equal(1);
      expect(await stored('long', 'c')).to.include({ attempts: 0 });
      await leaver.close();
    });
  });

  describe('of several workers', () => {
    it('are shared, each done by one of them, and heard of at once', async () => {
      const workers = await Promise.all([other(), other()]);
      const by: number[][] = [[], []];
      // Neither may go on before both have begun.
      const both = gate();
      for (const [n, worker] of workers.entries()) {
        worker.jobs.handle('shared', { concurrency: 2 }, async ({ name }: { name: number }) => {
          by[n]?.push(name);
          if (by.every((list) => list.length > 0)) both.open();
          await both.opened;
          return null;
        });
        await worker.jobs.start();
      }
      const names = Array.from({ length: 40 }, (_x, name) => name);
      handle('shared');
      await jobs.addMany(
        'shared',
        names.map((name) => ({ name: String(name), payload: { name } })),
      );
      await until(
        async () =>
          (await world.context.connection.collection('jobs').countDocuments({ name: 'shared' })) ===
          0,
      );
      expect(by.flat().sort((a, b) => a - b)).to.deep.equal(names);
      await Promise.all(workers.map((worker) => worker.close()));
    });
  });
});
