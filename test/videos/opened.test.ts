import { expect } from 'chai';
import fc from 'fast-check';
import type { Award } from '../../server/events.js';
import { judge, type Lock } from '../../server/locks/service.js';
import { startWorld, type World } from '../support/world.js';

const HANDLES = ['athlete1', 'athlete2', 'athlete3', 'athlete4', 'athlete5'];
/** Where each of them has an account that earns. */
const PLACES = [
  ...HANDLES.map((athlete) => ({ athlete, network: 'x' as const })),
  ...HANDLES.slice(0, 2).map((athlete) => ({ athlete, network: 'facebook' as const })),
];

describe('what an award opened', () => {
  let world: World;
  const ids = new Map<string, string>();
  const deeds = new Map<string, string>();
  let number = 0;

  before(async () => {
    world = await startWorld({ card: 'hub' });
    await world.athletes();
    for (const { athlete, network } of PLACES) await world.verify(athlete, network);
    for (const handle of HANDLES) {
      const athlete = (await world.context.athletes.require(handle))._id;
      ids.set(handle, athlete);
      const account = (await world.context.registry.verifiedOf(athlete)).find((one) => one.network === 'x');
      deeds.set(handle, `follow:x:${account?.accountId ?? ''}`);
    }
  });
  after(() => world.close());

  const id = (handle: string): string => ids.get(handle) ?? '';
  /** These locks, and no others, are in front of videos now. */
  async function lock(locks: Lock[]): Promise<void> {
    const videos = world.context.connection.collection<{ _id: string }>('videos');
    await videos.deleteMany({});
    const both = { fr: 'f', en: 'e' };
    if (locks.length > 0)
      await videos.insertMany(
        locks.map((one, at) => ({ _id: `v${at}`, title: both, about: both, athlete: id('athlete1'), lock: one, published: true, publishedAt: new Date(0) })),
      );
    world.context.bus.tell('videos:changed', { slug: '' });
    await new Promise((resolve) => setImmediate(resolve));
  }
  const act = async (fan: string, give: boolean, at: (typeof PLACES)[number]): Promise<string[]> => {
    const { follows } = world.context;
    const answer = await follows[give ? 'follow' : 'unfollow']({ id: fan, roles: [] }, id(at.athlete), { network: at.network }, { language: 'en' });
    return answer.unlocked.map((one) => one.slug).sort();
  };
  /** What this work asks of the ledger. */
  async function asked(work: () => Promise<unknown>): Promise<object[]> {
    const { collection } = world.context.connection.model('Entry');
    const find = collection.find.bind(collection) as (filter: object, options: object) => unknown;
    const filters: object[] = [];
    Object.assign(collection, {
      find: (filter: object, options: object) => {
        filters.push(filter);
        return find(filter, options);
      },
    });
    await work().finally(() => Reflect.deleteProperty(collection, 'find'));
    return filters;
  }
  const award = (fan: string, handle: string, more: Partial<Award> = {}): Award => ({
    fan,
    seq: 9,
    items: [{ deed: deeds.get(handle) ?? '', athlete: id(handle), delta: 1 }],
    points: 9,
    medals: { before: { hub: 'gold' }, after: { hub: 'gold' } },
    ...more,
  });

  it('is what judging every lock before and after says, over any locks and any order of follows and undos on two networks', async () => {
    const rule = fc.oneof(
      fc
        .record({
          athletes: fc.uniqueArray(fc.constantFrom(...HANDLES), { minLength: 1, maxLength: 4 }),
          need: fc.integer({ min: 1, max: 4 }),
          network: fc.constantFrom('x' as const, 'facebook' as const, null),
        })
        .map(({ athletes, need, network }): Lock[number] => ({ kind: 'follow', athletes: athletes.map(id), need: Math.min(need, athletes.length), network })),
      fc
        .record({ scope: fc.constantFrom('hub', 'fencing', 'rowing'), medal: fc.constantFrom('bronze' as const, 'silver' as const) })
        .map((one): Lock[number] => ({ kind: 'medal', ...one })),
    );
    let opened = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(rule, { maxLength: 3 }), { minLength: 1, maxLength: 6 }),
        fc.array(fc.record({ give: fc.constantFrom(true, true, false), at: fc.constantFrom(...PLACES) }), { minLength: 1, maxLength: 8 }),
        async (locks, acts) => {
          await lock(locks);
          const fan = `opened-${(number += 1)}`;
          const held = new Set<string>();
          const facts = async () => {
            const { after } = await world.context.points.head(fan);
            return { followed: new Set(held), medals: new Map(Object.entries(after.medals).map(([scope, [medal]]) => [scope, medal as string])) };
          };
          for (const { give, at } of acts) {
            const name = `${id(at.athlete)}:${at.network}`;
            const before = await facts();
            const told = await act(fan, give, at);
            if (give) held.add(name);
            else held.delete(name);
            const after = await facts();
            const expected = give ? locks.flatMap((one, n) => (judge(one, after).open && !judge(one, before).open ? [`v${n}`] : [])) : [];
            expect(told).to.deep.equal(expected);
            opened += told.length;
          }
        },
      ),
      { numRuns: 25 },
    );
    expect(opened).to.be.greaterThan(0);
  });

  it('is asked of no store when no lock names who was gained, or a medal that moved, or when the award itself tells', async () => {
    await lock([
      [{ kind: 'follow', athletes: [id('athlete2'), id('athlete3')], need: 2, network: null }],
      [{ kind: 'medal', scope: 'hub', medal: 'bronze' }],
      [
        { kind: 'follow', athletes: [id('athlete1'), id('athlete4')], need: 1, network: 'x' },
        { kind: 'medal', scope: 'fencing', medal: 'gold' },
      ],
    ]);
    const { videos } = world.context;
    await videos.published();
    const answers: unknown[] = [];
    const filters = await asked(async () => {
      for (const one of [
        award('a', 'athlete5'),
        // A lock that a medal still shuts.
        award('b', 'athlete1'),
        // Whose only point this is follows nobody else.
        award('c', 'athlete2', { points: 1, seq: 1 }),
        award('d', 'athlete5', { medals: { before: {}, after: { hub: 'silver' } } }),
      ])
        answers.push((await videos.openedBy(one, 'en')).map(({ slug }) => slug));
    });
    expect(answers).to.deep.equal([[], [], [], ['v1']]);
    expect(filters).to.deep.equal([]);
  });

  it('is read once for all fans of a flush, and of each fan only the deeds that the locks ask about', async () => {
    await lock([[{ kind: 'follow', athletes: [id('athlete2'), id('athlete3')], need: 2, network: 'x' }]]);
    const fans = Array.from({ length: 20 }, (_x, n) => `many-${n}`);
    await Promise.all(fans.map((fan, n) => act(fan, true, PLACES[n % 2 ? 2 : 3] as (typeof PLACES)[number])));
    const { videos } = world.context;
    const told: string[][] = [];
    const filters = await asked(async () => {
      // A page open in each language asks again beside the answer: that is no second question.
      const answers = await Promise.all(
        fans.flatMap((fan) => ['en', 'fr'].map((lang) => videos.openedBy(award(fan, 'athlete2', { seq: 2, points: 2 }), lang))),
      );
      told.push(...answers.map((one) => one.map(({ slug }) => slug)));
    });
    expect(told.filter((one) => one.length === 1)).to.have.length(20);
    expect(filters).to.have.length(1);
    const branches = (filters[0] as { $or: { fan: string; deed: { $in: string[] } }[] }).$or;
    expect(branches.map((one) => one.fan)).to.deep.equal(fans);
    expect(new Set(branches.map((one) => one.deed.$in.length))).to.deep.equal(new Set([2]));
  });

  it('costs a flush of many fans look-ups of their own deeds alone, never those of all fans times all deeds', async () => {
    await lock([]);
    const fans = Array.from({ length: 16 }, (_x, n) => `pairs-${n}`);
    const [one, two] = [PLACES[0], PLACES[4]] as [(typeof PLACES)[number], (typeof PLACES)[number]];
    await Promise.all(fans.map((fan) => act(fan, true, PLACES[3] as (typeof PLACES)[number])));
    const filters = await asked(() => Promise.all(fans.map((fan, n) => act(fan, true, n % 2 ? one : two))));
    for (const filter of filters as { $or?: { fan: unknown; deed?: unknown }[] }[])
      for (const branch of filter.$or ?? [filter as never])
        expect([typeof branch.fan, branch.deed === undefined ? 'none' : typeof branch.deed]).to.deep.equal(['string', 'string']);
    expect(filters.flatMap((filter) => (filter as { $or: object[] }).$or)).to.have.length(16);
  });
});
