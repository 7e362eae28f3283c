import { expect } from 'chai';
import { BatchLoader } from '../../server/platform/batch-loader.js';
import { Changes } from '../../server/platform/changes.js';
import { startWorld, type World } from '../support/world.js';

describe('counters of what has changed', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  it('tell another process what lost news left unsaid, and nothing while nothing changes', async () => {
    const { settings } = world.context;
    let now = 0;
    const [here, there] = [new Changes(settings, () => now), new Changes(settings, () => now)];
    let forgotten = 0;
    here.on('things', () => (forgotten += 1));
    here.on('others', () => (forgotten += 100));
    await here.look();
    now += 11_000;
    await here.look();
    expect(forgotten).to.equal(0);
    await there.mark('things');
    await here.look();
    expect(forgotten, 'not looked at again at once').to.equal(0);
    now += 11_000;
    await here.look();
    expect(forgotten).to.equal(1);
    now += 11_000;
    await here.look();
    expect(forgotten).to.equal(1);
  });

  it('reach the lists of a process that hears no news', async () => {
    const { registry, athletes, connection } = world.context;
    await world.athletes();
    await world.verify('athlete1', 'x');
    expect(await registry.verified('x')).to.have.length(1);
    // As another process would: the account and its number, and the counter.
    const changed = (await world.context.changes.count('registry')) + 1;
    await connection
      .collection('accounts')
      .updateOne({ athlete: 'athlete1' }, { $set: { state: 'revoked', changed } });
    await connection
      .collection<{ _id: string }>('settings')
      .updateOne({ _id: 'changed.registry' }, { $set: { value: changed } });
    const looked = Object.entries(registry).find(([name]) => name === 'changes')?.[1] as {
      lookedAt: number;
    };
    looked.lookedAt -= 11_000;
    expect(await registry.verified('x')).to.have.length(0);
    expect(await athletes.bySlug('athlete1')).to.not.equal(null);
  });
});

describe('reads that are gathered', () => {
  it(
    'are one for all who ask meanwhile, a key asked twice is read once, and a failure is told ' +
      'to each',
    async () => {
      const asked: string[][] = [];
      let fail = false;
      const batcher = new BatchLoader<string>(
        (keys) => {
          asked.push(keys);
          return fail
            ? Promise.reject(new Error('away'))
            : Promise.resolve(
                new Map(
                  keys.filter((key) => key !== 'none').map((key) => [key, key.toUpperCase()]),
                ),
              );
        },
        500,
        20,
      );
      expect(
        await Promise.all([
          batcher.load('a'),
          batcher.load('b'),
          batcher.load('a'),
          batcher.load('none'),
        ]),
      ).to.deep.equal(['A', 'B', 'A', null]);
      // The second read rests until twenty ms are over, and takes along whoever comes in that time.
      const early = batcher.load('c');
      await new Promise((resolve) => setImmediate(resolve));
      expect(await Promise.all([early, batcher.load('d')])).to.deep.equal(['C', 'D']);
      fail = true;
      const both = await Promise.allSettled([batcher.load('e'), batcher.load('f')]);
      expect(both.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
      expect(asked).to.deep.equal([
        ['a', 'b', 'none'],
        ['c', 'd'],
        ['e', 'f'],
      ]);
    },
  );
});
