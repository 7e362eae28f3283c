import { expect } from 'chai';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext } from '../../server/context.js';
import type { Again, Jobs } from '../../server/platform/jobs.js';
import { until } from '../support/until.js';
import { HOUR, startWorld, type World } from '../support/world.js';

/** What is asked for is done, also when those who do it come and go. */
describe('jobs', function () {
  this.timeout(30_000);
  let world: World;
  let jobs: Jobs;
  /** What was done, by kind. */
  const done: Record<string, unknown[]> = {};
  const handle = (kind: string, answer: (payload: unknown) => Promise<Again | null> = () => Promise.resolve(null)): void => {
    done[kind] = [];
    jobs.handle(kind, (payload: unknown) => {
      done[kind]?.push(payload);
      return answer(payload);
    });
  };
  const waiting = (id: string): Promise<Record<string, unknown> | null> => world.context.connection.collection<{ _id: string }>('jobs').findOne({ _id: id });

  before(async () => {
    world = await startWorld();
    ({ jobs } = world.context);
  });
  after(() => world.close());

  it('are done once and are gone, and one of the same name that waits is left as it is', async () => {
    handle('once');
    await jobs.add('once', 'a', { n: 1 });
    await jobs.add('once', 'a', { n: 2 });
    await jobs.add('once', 'b', { n: 3 });
    await Promise.all([jobs.drain(), jobs.drain()]);
    expect(done['once']).to.deep.equal([{ n: 1 }, { n: 3 }]);
    expect(await waiting('once:a')).to.equal(null);
    expect(await jobs.drain()).to.equal(0);
  });

  it('wait for their time, and come again when they say so, with what they say', async () => {
    const again = [{ at: new Date(world.clock.now().getTime() + 2 * HOUR), payload: 'second' }, null];
    handle('later', () => Promise.resolve(again.shift() ?? null));
    await jobs.add('later', 'a', 'first', new Date(world.clock.now().getTime() + HOUR));
    await jobs.drain();
    expect(done['later']).to.deep.equal([]);
    for (const expected of [['first'], ['first', 'second'], ['first', 'second']]) {
      world.clock.advance(HOUR + 1000);
      await jobs.drain();
      expect(done['later']).to.deep.equal(expected);
    }
  });

  it('that fail are tried again, each time later, and say what went wrong', async () => {
    let fails = 2;
    handle('fails', () => ((fails -= 1) >= 0 ? Promise.reject(new Error('no luck')) : Promise.resolve(null)));
    await jobs.add('fails', 'a', 'keep me');
    await jobs.drain();
    expect(await jobs.drain(), 'at once').to.equal(0);
    expect(await waiting('fails:a')).to.include({ payload: 'keep me', error: 'Error: no luck', attempts: 1 });
    world.clock.advance(2600);
    await jobs.drain();
    expect(done['fails']).to.have.length(2);
    world.clock.advance(2600);
    expect(await jobs.drain(), 'the second wait is twice as long').to.equal(0);
    world.clock.advance(2600);
    await jobs.drain();
    expect(done['fails']).to.have.length(3);
    expect(await waiting('fails:a')).to.equal(null);
  });

  it('of a process that died are taken over when its lease ends, and not before', async () => {
    handle('taken');
    const until = new Date(world.clock.now().getTime() + 60_000);
    await jobs.add('taken', 'a', 'left');
    await world.context.connection.collection<{ _id: string }>('jobs').updateOne({ _id: 'taken:a' }, { $set: { state: 'running', holder: 'dead', until } });
    expect(await jobs.drain()).to.equal(0);
    world.clock.advance(61_000);
    await jobs.drain();
    expect(done['taken']).to.deep.equal(['left']);
  });

  it('are handed back by a process that leaves and cannot end them, and none is begun by it', async () => {
    const other = await createContext(readConfig(world.env), 'other', { clock: world.clock, log: pino({ level: 'silent' }), search: false });
    let begun = 0;
    let release: () => void = () => undefined;
    other.jobs.handle('long', () => {
      begun += 1;
      return new Promise((resolve) => {
        release = () => {
          resolve(null);
        };
      });
    });
    for (const name of ['a', 'b']) await jobs.add('long', name, name);
    const drained = other.jobs.drain();
    await until(() => begun === 1);
    await other.jobs.stop();
    handle('long');
    await jobs.drain();
    expect(done['long']).to.have.members(['a', 'b']);
    await jobs.add('long', 'c', 'c');
    release();
    await drained;
    expect(begun).to.equal(1);
    await other.close();
  });
});
