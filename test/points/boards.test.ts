import { expect } from 'chai';
import { MOST_POINTS } from '../../server/points/entry.js';
import { BoardAnswer, MedalsAnswer, StatementAnswer } from '../../server/points/schema.js';
import type { Command } from '../../server/points/service.js';
import { until } from '../support/until.js';
import { HOUR, startWorld, type World } from '../support/world.js';

describe('boards', () => {
  let world: World;
  const people: { id: string; token: string; points: number }[] = [];
  const give = (fan: string, account: string): Command => ({
    fan,
    deed: `follow:x:${account}`,
    want: 'give',
    facts: { account, on: 'account', athlete: 'a', disciplines: ['fencing'] },
    cause: 'hub_click',
    act: null,
    card: 'x@1:hub',
    link: null,
    evidence: null,
    askedAt: new Date(),
  });

  before(async () => {
    world = await startWorld({ card: 'hub' });
    for (const [name, points] of [
      ['ann', 3],
      ['ben', 5],
      ['cat', 3],
      ['dan', 1],
      ['eve', 0],
    ] as const) {
      const { fan, token } = await world.fan(name);
      for (let n = 0; n < points; n += 1) {
        world.clock.advance(2000);
        await world.context.points.record(give(fan._id, String(n)));
      }
      people.push({ id: fan._id, token, points });
    }
    await world.context.points.heal();
    await world.settle();
  });
  after(() => world.close());
  const ranks = async (board = 'hub', token?: string) =>
    (await world.api(`/boards/${board}`, token ? { token } : {})).body as unknown as {
      items: { rank: number; fan: string; points: number }[];
      me: { rank: number } | null;
      nextCursor: string | null;
      counting?: boolean;
    };

  it('answer, as statements and medals do, what their schema says and nothing more', async () => {
    const token = people[0]?.token ?? '';
    for (const [path, schema] of [
      ['/boards/hub', BoardAnswer],
      ['/boards/hub?around=me', BoardAnswer],
      ['/boards/discipline:judo', BoardAnswer],
      ['/me/ledger?limit=2', StatementAnswer],
      ['/me/ledger', StatementAnswer],
      ['/me/medals', MedalsAnswer],
    ] as const) {
      const { body } = await world.api(path, { token });
      expect(schema.parse(body), path).to.deep.equal(body);
    }
  });

  it('share a rank among equal points, first there first inside the tie', async () => {
    expect((await ranks()).items.map(({ rank, fan, points }) => [rank, fan, points])).to.deep.equal(
      [
        [1, 'ben', 5],
        [2, 'ann', 3],
        [2, 'cat', 3],
        [4, 'dan', 1],
      ],
    );
  });

  it('tell a fan their own rank and what is around them', async () => {
    const around = await world.api('/boards/hub?around=me&limit=3', {
      token: people[3]?.token ?? '',
    });
    expect((around.body as { me?: { rank: number } }).me?.rank).to.equal(4);
    expect(
      (around.body as unknown as { items: { fan: string }[] }).items.map((one) => one.fan),
    ).to.include('dan');
    expect((await world.api('/boards/hub?around=me')).status).to.equal(401);
  });

  it('go on behind a cursor without a repeat or a gap', async () => {
    const first = await world.api('/boards/hub?limit=2');
    const rest = await world.api(
      `/boards/hub?limit=2&cursor=${String((first.body as { nextCursor?: string }).nextCursor)}`,
    );
    expect(
      (rest.body as unknown as { items: { rank: number; fan: string }[] }).items.map(
        ({ rank, fan }) => [rank, fan],
      ),
    ).to.deep.equal([
      [2, 'cat'],
      [4, 'dan'],
    ]);
    expect((rest.body as { nextCursor?: unknown }).nextCursor).to.equal(null);
    expect((await world.api('/boards/hub?cursor=nonsense')).body).to.include({ id: 'bad_cursor' });
  });

  it('do not exist under any other name', async () => {
    expect((await world.api('/boards/nonsense')).body).to.include({
      id: 'board_not_found',
      status: 404,
    });
  });

  it('are counted anew after Redis was emptied, and say so meanwhile', async () => {
    await world.context.redis.commands.flushall();
    expect((await ranks()).counting).to.equal(true);
    expect(await world.context.points.heal()).to.include('hub');
    expect((await ranks()).items.map(({ fan }) => fan)).to.deep.equal(['ben', 'ann', 'cat', 'dan']);
    expect((await ranks('discipline:fencing')).items[0]).to.include({ fan: 'ben', points: 5 });
  });

  it('take moves while they are being rebuilt', async () => {
    await world.context.redis.commands.flushall();
    const healing = world.context.points.heal();
    await world.context.points.record(give(people[3]?.id ?? '', '77'));
    await healing;
    await world.settle();
    expect((await ranks()).items.find((one) => one.fan === 'dan')?.points).to.equal(2);
  });

  it(
    'leave nothing behind in Redis of a rebuild that was killed midway, whether they had been ' +
      'lost or were whole',
    async () => {
      const { points, redis } = world.context;
      const { scores } = points as unknown as { scores: { all(): AsyncIterable<unknown> } };
      /** Keys of boards that no board names as its own. */
      const orphans = async (): Promise<string[]> => {
        const keys = await redis.commands.keys(`${redis.prefix}{board:*`);
        const named = keys
          .filter((key) => key.endsWith('}'))
          .map(async (key) => {
            const gen = String(await redis.commands.hget(key, 'gen'));
            return [key, `${key}:z:${gen}`, `${key}:g:${gen}`];
          });
        const own = new Set((await Promise.all(named)).flat());
        return keys.filter((key) => !own.has(key));
      };
      for (const lost of [true, false]) {
        if (lost) await redis.commands.flushall();
        const all = scores.all.bind(scores);
        let read = 0;
        Object.assign(scores, {
          all: async function* () {
            for await (const score of all()) {
              yield score;
              read += 1;
            }
            // Killed here: nothing after this is ever done, and its lease is not given back.
            await new Promise(() => undefined);
          },
        });
        void points.rebuild();
        await until(() => read > 0);
        Reflect.deleteProperty(scores, 'all');
        await points.record(give(people[3]?.id ?? '', `killed-${lost}`));
        await world.settle();
        expect((await orphans()).length, 'half made').to.be.greaterThan(0);
        expect(await points.heal(), 'while the lease of the dead one runs').to.deep.equal([]);
        world.clock.advance(HOUR);
        await points.heal();
        await points.heal();
        world.clock.advance(-HOUR);
        expect(await orphans()).to.deep.equal([]);
        expect((await ranks()).items.map(({ fan }) => fan)).to.include('dan');
      }
    },
  );

  it('drop somebody who becomes staff, and take them back', async () => {
    await world.context.fans.setRole(people[1]?.id ?? '', 'moderator', true, 'test');
    await world.context.points.settled();
    await until(async () => !(await ranks()).items.some((one) => one.fan === 'ben'));
    await world.context.fans.setRole(people[1]?.id ?? '', 'moderator', false, 'test');
    await until(async () => (await ranks()).items[0]?.fan === 'ben');
  });

  it(
    'show whoever stands there by the newest name they were told, whatever signs are in it, ' +
      'and not by an older one',
    async () => {
      const { boards } = world.context.points as unknown as {
        boards: { move(board: string, moves: object[]): Promise<string[] | null> };
      };
      const place = { fan: 'zoe', points: 9, reachedAt: Date.now(), seq: 9 };
      await boards.move('hub', [
        { ...place, standing: { name: 'Zoé: 1:2', country: 'FR', revision: 7 } },
      ]);
      expect((await ranks()).items[0]).to.deep.include({
        fan: 'Zoé: 1:2',
        country: 'FR',
        points: 9,
      });
      expect(
        await boards.move('hub', [
          { ...place, standing: { name: 'old', country: 'BE', revision: 6 } },
        ]),
      ).to.deep.equal(['zoe']);
      expect((await ranks()).items[0]).to.deep.include({ fan: 'Zoé: 1:2', country: 'FR' });
      await boards.move('hub', [{ ...place, standing: { name: 'new', country: '', revision: 8 } }]);
      expect((await ranks()).items[0]).to.deep.include({ fan: 'new', country: '' });
      await boards.move('hub', [
        { ...place, points: null, standing: { name: '', country: '', revision: 9 } },
      ]);
      expect((await ranks()).items[0]).to.include({ fan: 'ben' });
    },
  );

  it('keep every digit of a score: the most points there are, a second apart', async () => {
    const { boards } = world.context.points as unknown as {
      boards: { move(board: string, moves: object[]): Promise<string[] | null> };
    };
    const then = Date.UTC(2030, 0, 1);
    const place = (fan: string, seconds: number, points: number | null = MOST_POINTS) => ({
      ...{ fan, points, reachedAt: then + seconds * 1000, seq: 9 },
      standing: { name: fan, country: '', revision: 9 },
    });
    const top = [place('c', 2), place('a', 0), place('b', 1)];
    await boards.move('hub', top);
    const shown: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null && shown.length < 3) {
      const page = await world.api(`/boards/hub?limit=1${cursor ? `&cursor=${cursor}` : ''}`);
      const { items, nextCursor } = page.body as unknown as Awaited<ReturnType<typeof ranks>>;
      expect(items[0]).to.include({ rank: 1, points: MOST_POINTS });
      shown.push(items[0]?.fan ?? '');
      cursor = nextCursor;
    }
    expect(shown).to.deep.equal(['a', 'b', 'c']);
    await boards.move(
      'hub',
      top.map(({ fan }) => place(fan, 0, null)),
    );
  });

  it('count anew what an earlier version of the hub wrote in another form', async () => {
    const { commands, prefix } = world.context.redis;
    await commands.hset(`${prefix}{board:hub}`, 'run', await world.context.redis.runId());
    expect((await ranks()).counting).to.equal(true);
    expect(await world.context.points.heal()).to.deep.equal(['hub']);
    expect((await ranks()).items.map(({ fan }) => fan)).to.include('ben');
  });

  it('refuse a place that is older than the one they have', async () => {
    const { boards } = world.context.points as unknown as {
      boards: { move(board: string, moves: object[]): Promise<string[] | null> };
    };
    const id = people[0]?.id ?? '';
    expect(
      await boards.move('hub', [
        {
          fan: id,
          points: 999,
          reachedAt: Date.now(),
          seq: 1,
          standing: { name: 'x', country: '', revision: 1 },
        },
      ]),
    ).to.deep.equal([id]);
    expect((await ranks()).items.find((one) => one.fan === 'ann')?.points).to.equal(3);
  });
});
