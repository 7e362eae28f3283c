import { expect } from 'chai';
import fc from 'fast-check';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import type { Award } from '../../server/events.js';
import { judge, LockIndex, type Lock } from '../../server/locks/service.js';
import { startWorld, type World } from '../support/world.js';

const HANDLES = ['athlete1', 'athlete2', 'athlete3', 'athlete4', 'athlete5'];
/** Where each of them has an account that earns. */
const PLACES = [
  ...HANDLES.map((athlete) => ({ athlete, network: 'x' as const })),
  ...HANDLES.slice(0, 2).map((athlete) => ({ athlete, network: 'facebook' as const })),
];

type Place = (typeof PLACES)[number];

describe('what an award opened', () => {
  let world: World;
  let there: Context;
  const ids = new Map<string, string>();
  const deeds = new Map<string, string>();
  const facebook: string[] = [];
  let number = 0;

  before(async () => {
    world = await startWorld({ card: 'hub' });
    there = await createContext(readConfig(world.env), 'there', {
      clock: world.clock,
      log: pino({ level: 'silent' }),
      search: false,
    });
    await world.athletes();
    for (const { athlete, network } of PLACES) await world.verify(athlete, network);
    for (const handle of HANDLES) {
      const athlete = (await world.context.athletes.require(handle))._id;
      ids.set(handle, athlete);
      const account = (await world.context.registry.verifiedOf(athlete)).find(
        (one) => one.network === 'x',
      );
      deeds.set(handle, `follow:x:${account?.accountId ?? ''}`);
      for (const one of await world.context.registry.verifiedOf(athlete))
        if (one.network === 'facebook') facebook.push(`like:facebook:${one.accountId}`);
    }
  });
  after(async () => {
    await there.close();
    await world.close();
  });

  const id = (handle: string): string => ids.get(handle) ?? '';
  /** These locks, and no others, are in front of videos now. */
  async function lock(locks: Lock[]): Promise<void> {
    const videos = world.context.connection.collection<{ _id: string }>('videos');
    await videos.deleteMany({});
    const both = { fr: 'f', en: 'e' };
    if (locks.length > 0)
      await videos.insertMany(
        locks.map((one, at) => ({
          _id: `v${at}`,
          title: both,
          about: both,
          athlete: id('athlete1'),
          lock: one,
          published: true,
          publishedAt: new Date(0),
        })),
      );
    for (const { bus } of [world.context, there]) bus.tell('videos:changed', { slug: '' });
    await new Promise((resolve) => setImmediate(resolve));
  }
  const act = async (
    fan: string,
    give: boolean,
    at: Place,
    { follows }: Context = world.context,
  ): Promise<string[]> => {
    const answer = await follows[give ? 'confirm' : 'undo']({
      fan,
      athlete: id(at.athlete),
      network: at.network,
      language: 'en',
    });
    return answer.unlocked.map((one) => one.slug).sort();
  };
  /**
   * The news of the one award of a fan behind an entry that this work makes, as the process that
   * made it tells them to all; those of an earlier one may still arrive.
   */
  async function awardOf(
    { bus }: Context,
    fan: string,
    before: number,
    work: () => Promise<unknown>,
  ): Promise<Award | undefined> {
    const moves: Award[] = [];
    const end = bus.on('points:moved', (news) => void moves.push(...news.moves));
    await work().finally(end);
    return moves.find((one) => one.fan === fan && one.seq > before);
  }
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

  it(
    'is what judging every lock before and after says, over any locks and any order of ' +
      'follows and undos on two networks and two processes',
    async () => {
      const rule = fc.oneof(
        fc
          .record({
            athletes: fc.uniqueArray(fc.constantFrom(...HANDLES), { minLength: 1, maxLength: 4 }),
            need: fc.integer({ min: 1, max: 4 }),
            network: fc.constantFrom('x' as const, 'facebook' as const, null),
          })
          .map(({ athletes, need, network }): Lock[number] => ({
            kind: 'follow',
            athletes: athletes.map(id),
            need: Math.min(need, athletes.length),
            network,
          })),
        fc
          .record({
            scope: fc.constantFrom('hub', 'fencing', 'rowing'),
            medal: fc.constantFrom('bronze' as const, 'silver' as const),
          })
          .map((one): Lock[number] => ({ kind: 'medal', ...one })),
      );
      let [opened, carried] = [0, 0];
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(rule, { maxLength: 3 }), { minLength: 1, maxLength: 6 }),
          fc.array(
            fc.record({
              give: fc.constantFrom(true, true, false),
              at: fc.constantFrom(...PLACES),
              here: fc.boolean(),
            }),
            { minLength: 1, maxLength: 10 },
          ),
          async (locks, acts) => {
            await lock(locks);
            const fan = `opened-${(number += 1)}`;
            const held = new Set<string>();
            const facts = async () => {
              const { after } = await world.context.points.head(fan);
              return {
                followed: new Set(held),
                medals: new Map(
                  Object.entries(after.medals).map(([scope, [medal]]) => [scope, medal as string]),
                ),
              };
            };
            for (const { give, at, here } of acts) {
              const context = here ? world.context : there;
              const name = `${id(at.athlete)}:${at.network}`;
              const before = await facts();
              let told: string[] = [];
              const news = await awardOf(
                context,
                fan,
                (await world.context.points.head(fan)).seq,
                async () => {
                  told = await act(fan, give, at, context);
                },
              );
              if (give) held.add(name);
              else held.delete(name);
              const after = await facts();
              const expected = give
                ? locks.flatMap((one, n) =>
                    judge(one, after).open && !judge(one, before).open ? [`v${n}`] : [],
                  )
                : [];
              expect(told).to.deep.equal(expected);
              opened += told.length;
              if (!news) continue;
              carried += news.related ? 1 : 0;
              // What the award carries is what a process reads that was not told it.
              const { related: _carried, ...bare } = news;
              for (const one of [news, bare])
                expect(
                  (await there.videos.openedBy(one, 'en')).map(({ slug }) => slug).sort(),
                ).to.deep.equal(expected);
            }
          },
        ),
        { numRuns: 25 },
      );
      expect([opened, carried]).to.satisfy((counts: number[]) => counts.every((one) => one > 0));
    },
  );

  it(
    'is asked of no store when no lock names who was gained, or a medal that moved, or when ' +
      'the award itself tells',
    async () => {
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
    },
  );

  it(
    'is known from the one read of the flush, for the answer and for open pages, however many ' +
      'athletes the locks name',
    async () => {
      await lock([
        [{ kind: 'follow', athletes: HANDLES.slice(0, 3).map(id), need: 3, network: null }],
        [{ kind: 'follow', athletes: [id('athlete3'), id('athlete4')], need: 1, network: 'x' }],
        [{ kind: 'follow', athletes: HANDLES.slice(1).map(id), need: 4, network: 'x' }],
      ]);
      const fan = 'lone';
      for (const at of [0, 1]) await act(fan, true, PLACES[at] as Place);
      let told: string[] = [];
      let news: Award | undefined;
      const filters = await asked(async () => {
        news = await awardOf(world.context, fan, 2, async () => {
          told = await act(fan, true, PLACES[2] as Place);
        });
      });
      expect(told).to.deep.equal(['v0', 'v1']);
      // Nobody with three points follows four: the one who is named by that lock alone is not asked
      // about.
      const accounts = [...HANDLES.slice(0, 4).map((handle) => deeds.get(handle)), ...facebook];
      expect(filters).to.have.length(1);
      expect((filters[0] as { deed: { $in: string[] } }).deed.$in).to.have.members(accounts);
      const later = await asked(async () => {
        for (const { videos } of [world.context, there])
          expect(
            (await videos.openedBy(news as Award, 'fr')).map(({ slug }) => slug).sort(),
          ).to.deep.equal(['v0', 'v1']);
      });
      expect(later).to.deep.equal([]);
    },
  );

  it(
    'is not looked up a second time for the next follow of a fan, until another process wrote ' +
      'for them',
    async () => {
      await lock([
        [{ kind: 'follow', athletes: HANDLES.slice(0, 4).map(id), need: 2, network: 'x' }],
      ]);
      const [one, two, three, four, five] = PLACES as [Place, Place, Place, Place, Place];
      /** How many deeds each look-up of this follow names. */
      const looks = async (at: Place): Promise<number[]> => {
        const filters = (await asked(() => act('again', true, at))) as {
          deed?: string | { $in: string[] };
        }[];
        return filters.flatMap(({ deed }) =>
          deed === undefined ? [] : [typeof deed === 'string' ? 1 : deed.$in.length],
        );
      };
      await act('again', true, five);
      expect(await looks(one), 'its own and five beside it').to.deep.equal([6]);
      expect(await looks(two), 'its own').to.deep.equal([1]);
      await act('again', false, one, there);
      expect((await looks(three)).at(-1), 'all, behind an entry of another').to.equal(6);
      expect(await act('again', true, four)).to.deep.equal([]);
    },
  );

  it(
    'is looked up with no follow of a fan who has too few points for the lock, nor of an ' +
      'athlete whom no lock names',
    async () => {
      await lock([
        [{ kind: 'follow', athletes: HANDLES.slice(0, 3).map(id), need: 3, network: null }],
      ]);
      await act('few', true, PLACES[3] as Place);
      const filters = await asked(async () => {
        for (const at of [0, 4]) await act('few', true, PLACES[at] as Place);
      });
      expect(filters.map((one) => (one as { deed: unknown }).deed)).to.deep.equal([
        deeds.get('athlete1'),
        deeds.get('athlete5'),
      ]);
    },
  );

  it('is asked apart when locks name more athletes than are worth looking up with every follow', () => {
    const thing = (n: number) => ({
      lock: [
        {
          kind: 'follow' as const,
          athletes: ['star', ...Array.from({ length: 19 }, (_x, at) => `a${n}-${at}`)],
          need: 2,
          network: null,
        },
      ],
    });
    const beside = (count: number): number =>
      new LockIndex(Array.from({ length: count }, (_x, n) => thing(n))).beside('star').size;
    expect([1, 2, 3].map(beside)).to.deep.equal([20, 39, 0]);
  });

  it(
    'is read once for all fans of a flush, and of each fan only the deeds that the locks ask ' +
      'about',
    async () => {
      await lock([
        [{ kind: 'follow', athletes: [id('athlete2'), id('athlete3')], need: 2, network: 'x' }],
      ]);
      const fans = Array.from({ length: 20 }, (_x, n) => `many-${n}`);
      await Promise.all(fans.map((fan, n) => act(fan, true, PLACES[n % 2 ? 2 : 3] as Place)));
      const { videos } = world.context;
      const told: string[][] = [];
      const filters = await asked(async () => {
        // A page open in each language asks again beside the answer: that is no second question.
        const answers = await Promise.all(
          fans.flatMap((fan) =>
            ['en', 'fr'].map((lang) =>
              videos.openedBy(award(fan, 'athlete2', { seq: 2, points: 2 }), lang),
            ),
          ),
        );
        told.push(...answers.map((one) => one.map(({ slug }) => slug)));
      });
      expect(told.filter((one) => one.length === 1)).to.have.length(20);
      expect(filters).to.have.length(1);
      const branches = (filters[0] as { $or: { fan: string; deed: { $in: string[] } }[] }).$or;
      expect(branches.map((one) => one.fan)).to.deep.equal(fans);
      expect(new Set(branches.map((one) => one.deed.$in.length))).to.deep.equal(new Set([2]));
    },
  );

  it(
    'costs a flush of many fans look-ups of their own deeds alone, never those of all fans ' +
      'times all deeds',
    async () => {
      await lock([]);
      const fans = Array.from({ length: 16 }, (_x, n) => `pairs-${n}`);
      const [one, two] = [PLACES[0], PLACES[4]] as [Place, Place];
      await Promise.all(fans.map((fan) => act(fan, true, PLACES[3] as Place)));
      const filters = await asked(() =>
        Promise.all(fans.map((fan, n) => act(fan, true, n % 2 ? one : two))),
      );
      for (const filter of filters as { $or?: { fan: unknown; deed?: unknown }[] }[])
        for (const branch of filter.$or ?? [filter as never])
          expect([
            typeof branch.fan,
            branch.deed === undefined ? 'none' : typeof branch.deed,
          ]).to.deep.equal(['string', 'string']);
      expect(filters.flatMap((filter) => (filter as { $or: object[] }).$or)).to.have.length(16);
    },
  );
});
