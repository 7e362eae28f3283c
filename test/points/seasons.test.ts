import { expect } from 'chai';
import fc from 'fast-check';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { InputError } from '../../server/errors.js';
import { closePlatform, openPlatform, type Platform } from '../../server/platform/platform.js';
import { boardKinds } from '../../server/points/board-kinds.js';
import { chain, headOf, type Entry } from '../../server/points/entry.js';
import { SeasonCalendar, type Season } from '../../server/points/seasons.js';
import { Points, type Command } from '../../server/points/service.js';
import { windowKeys } from '../../server/points/windows.js';
import { HOUR, startWorld, type World } from '../support/world.js';

const DAY = 24 * HOUR;
const ZONE = 'Europe/Paris';

const command = (
  fan: string,
  account: string,
  want: Command['want'] = 'give',
  more: Partial<Command> = {},
): Command => ({
  fan,
  deed: `follow:x:${account}`,
  want,
  facts: { account, on: 'account', athlete: 'a', disciplines: ['fencing'] },
  cause: want === 'take' ? 'undo' : 'hub_click',
  act: null,
  card: 'x@1:hub',
  link: null,
  evidence: null,
  askedAt: new Date(),
  ...more,
});

describe('the season of a day', () => {
  const games = { key: 'games', from: '2026-06-01', to: '2026-06-30' };
  const finals = { key: 'finals', from: '2026-07-01', to: '2026-07-31' };
  const winter = { key: 'winter', from: '2026-12-15', to: '2027-01-15' };

  it('is the calendar year where organisers wrote none', () => {
    expect(new SeasonCalendar([]).seasonAt('2026-11-21')).to.equal('2026');
    expect(new SeasonCalendar([games]).seasonAt('2025-06-15')).to.equal('2025');
  });

  it('is the one that was written, from its first day to its last', () => {
    const calendar = new SeasonCalendar([winter, games]);
    expect(
      ['2026-05-31', '2026-06-01', '2026-06-30', '2026-07-01', '2026-12-15', '2027-01-15'].map(
        (day) => calendar.seasonAt(day),
      ),
    ).to.deep.equal(['2026', 'games', 'games', '2026-2', 'winter', 'winter']);
    expect(calendar.seasonAt('2027-01-16')).to.equal('2027');
  });

  it('never comes back once another has begun, and is not changed by what is added ahead', () => {
    const days = Array.from({ length: 3 * 365 }, (_x, n) =>
      new Date(Date.UTC(2026, 0, 1) + n * DAY).toISOString().slice(0, 10),
    );
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: days.length - 1 }), {
      minLength: 2,
      maxLength: 10,
    });
    fc.assert(
      fc.property(cuts, fc.boolean(), (found, isClose) => {
        const bounds = [...found].sort((a, b) => a - b);
        const seasons: Season[] = [];
        for (let index = 0; index + 1 < bounds.length; index += isClose ? 1 : 2)
          seasons.push({
            key: `s${index}`,
            from: days[bounds[index] as number] as string,
            to: days[(bounds[index + 1] as number) - 1] as string,
          });
        const keys = days.map((day) => new SeasonCalendar(seasons).seasonAt(day));
        const runs = keys.filter((key, index) => key !== keys[index - 1]);
        expect(new Set(runs).size).to.equal(runs.length);
        const last = seasons.at(-1) as Season;
        const before = new SeasonCalendar(seasons.slice(0, -1));
        for (const [index, day] of days.entries())
          if (day < last.from) expect(before.seasonAt(day)).to.equal(keys[index]);
      }),
      { numRuns: 50 },
    );
  });

  it('is known to overlap with every season that shares a day with it, and with no other', () => {
    const calendar = new SeasonCalendar([games, finals]);
    const overlap = (from: string, to: string): string | undefined =>
      calendar.findOverlap({ key: 'new', from, to })?.key;
    expect(overlap('2026-05-01', '2026-05-31')).to.equal(undefined);
    expect(overlap('2026-05-01', '2026-06-01')).to.equal('games');
    expect(overlap('2026-06-10', '2026-06-11')).to.equal('games');
    expect(overlap('2026-07-31', '2026-08-31')).to.equal('finals');
    expect(overlap('2026-08-01', '2026-08-31')).to.equal(undefined);
  });
});

describe('seasons that organisers write', function () {
  this.timeout(60_000);
  let world: World;
  /** Another process, with one row more in its table of boards. */
  let platform: Platform;
  let planted: Points;
  let fan: string;
  let added: Season;
  const day = (offset: number): string =>
    windowKeys(new Date(world.clock.now().getTime() + offset * DAY), ZONE).day;
  const refusal = async (season: Season): Promise<string> => {
    const error: unknown = await world.context.points.addSeason(season).catch((no: unknown) => no);
    expect(error).to.be.instanceOf(InputError);
    const [issue] = (error as InputError).issues;
    return `${issue?.path ?? ''} ${issue?.issue ?? ''}`;
  };
  const rows = async (points: Points, board: string): Promise<[string, number][] | undefined> =>
    (await points.board(board, { limit: 10 }))?.rows.map((row) => [row.name, row.points]);

  before(async () => {
    world = await startWorld({ card: 'hub' });
    platform = await openPlatform(readConfig(world.env), 'planted', {
      clock: world.clock,
      log: pino({ level: 'silent' }),
    });
    planted = new Points({
      ...platform,
      standing: world.context.fans,
      timezone: ZONE,
      boards: [
        ...boardKinds(['fencing']),
        {
          boards: (now) => [`season:${now.season}`],
          placesOf: ({ windows: { season } }) => [
            { board: `season:${season[0]}`, points: season[1], reachedAt: season[2] },
          ],
        },
      ],
    });
    fan = (await world.fan('ann')).fan._id;
    // Noon in Paris, so that a day more or less is never a matter of the hour.
    const noon = Date.parse(`${day(0)}T11:00:00Z`);
    world.clock.advance(noon - world.clock.now().getTime());
    await planted.start(false);
  });
  after(async () => {
    await planted.stop();
    await closePlatform(platform);
    await world.close();
  });

  it('are refused when they cannot be', async () => {
    const [from, to] = [day(1), day(5)];
    added = { key: 'test-games', from, to };
    for (const [season, why] of [
      [{ ...added, key: '2026' }, 'key invalid_format'],
      [{ ...added, key: '2026-2' }, 'key invalid_format'],
      [{ ...added, key: '' }, 'key invalid_format'],
      [{ ...added, key: 'Été: 1' }, 'key invalid_format'],
      [{ ...added, from: 'tomorrow' }, 'from invalid_format'],
      [{ ...added, to: '2027-02-30' }, 'to invalid_format'],
      [{ ...added, to: day(0) }, 'to season_ends_before'],
      [{ ...added, from: day(0) }, 'from season_too_soon'],
      [{ ...added, from: day(-3) }, 'from season_too_soon'],
    ] as const)
      expect(await refusal(season), JSON.stringify(season)).to.equal(why);
    // Two hours before midnight tomorrow is too soon as well: not every process would know of it.
    world.clock.advance(10 * HOUR);
    expect(await refusal(added)).to.equal('from season_too_soon');
    world.clock.advance(-10 * HOUR);
    await world.context.points.addSeason(added);
    expect(await refusal({ key: 'test-games', from: day(9), to: day(9) })).to.equal(
      'key season_taken',
    );
    expect(await refusal({ key: 'other', from: day(5), to: day(9) })).to.equal(
      'from season_overlaps',
    );
  });

  it('are never two on one day, also when both are added at once by two processes', async () => {
    const both = await Promise.allSettled([
      world.context.points.addSeason({ key: 'left', from: day(20), to: day(22) }),
      planted.addSeason({ key: 'right', from: day(22), to: day(24) }),
    ]);
    expect(both.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
    expect(await world.context.connection.collection('seasons').countDocuments()).to.equal(2);
  });

  it(
    'count from their first day on, leave what was written as it is, and fill a board that is ' +
      'one row of the table',
    async () => {
      const year = day(0).slice(0, 4);
      const before = await world.context.points.record(command(fan, '1'));
      expect(before.entry?.season).to.equal(year);
      await planted.heal();
      await planted.record(command(fan, '2'));
      await planted.settled();
      expect(await rows(planted, `season:${year}`)).to.deep.equal([['ann', 2]]);
      expect(await rows(planted, 'hub')).to.deep.equal([['ann', 2]]);

      world.clock.advance(DAY);
      expect(await planted.heal()).to.deep.equal(['season:test-games']);
      expect(await rows(planted, 'season:test-games')).to.deep.equal([]);
      const within = await planted.record(command(fan, '3'));
      await planted.settled();
      expect([within.entry?.season, within.head.after.windows.season]).to.deep.equal([
        'test-games',
        ['test-games', 1, within.entry?.at.getTime()],
      ]);
      expect(await rows(planted, 'season:test-games')).to.deep.equal([['ann', 1]]);

      // A deed of before is taken back and given again: it is of its own season for ever.
      for (const want of ['take', 'give'] as const) {
        const { entry, head } = await planted.record(command(fan, '1', want));
        expect([entry?.season, head.after.windows.season[1]]).to.deep.equal([year, 1]);
      }
      await planted.settled();
      await platform.redis.commands.flushall();
      expect(await planted.heal()).to.include.members(['hub', 'season:test-games']);
      expect(await rows(planted, 'season:test-games')).to.deep.equal([['ann', 1]]);
      expect(await rows(planted, 'hub')).to.deep.equal([['ann', 3]]);
      expect(await planted.rebuild()).to.equal(true);
      expect(await rows(planted, 'season:test-games')).to.deep.equal([['ann', 1]]);
    },
  );

  it('are no board that people see, as long as no row says so', async () => {
    expect((await world.api('/boards/season:test-games')).body).to.include({
      id: 'board_not_found',
    });
  });

  it('end, and what is left of the year is a season of its own', async () => {
    world.clock.advance(6 * DAY);
    const outcome = await world.context.points.record(command(fan, '4'));
    expect(outcome.entry?.season).to.match(/^\d{4}-2$|^\d{4}$/);
    expect(outcome.head.after.windows.season.slice(1)).to.deep.equal([
      1,
      outcome.entry?.at.getTime(),
    ]);
    expect((await world.context.points.verify()).bad).to.equal(null);
  });

  it('are verified by what entries say, not by what is written today', async () => {
    const seasons = world.context.connection.collection('seasons');
    const all = await seasons.find().toArray();
    await seasons.deleteMany({});
    world.clock.advance(HOUR);
    expect((await world.context.points.verify()).bad).to.equal(null);
    await seasons.insertMany(all);
  });

  it('that do not fit their entry are found, though its hash fits', async () => {
    const [entry] = await world.context.points.statement(fan, 1);
    const { fan: _fan, deed: _deed, turn: _turn, cause, act, ...rest } = entry as Entry;
    const rules = await world.context.points.rules.read();
    const forge = async (season: string, counted: string): Promise<string | undefined> => {
      const { card, link, evidence, askedAt } = rest;
      const at = new Date(rest.at.getTime() + 1000);
      const facts = { account: '9', on: 'account' as const, athlete: 'a', disciplines: [], season };
      const bad = chain(
        headOf(rest),
        {
          ...{ fan, deed: 'follow:x:9', turn: 1, facts: { ...facts, earnedAt: at } },
          how: { cause, act, card, link, evidence, askedAt },
        },
        { at, zone: ZONE, season: counted, rules },
      );
      const entries = world.context.connection.collection('entries');
      const { insertedId } = await entries.insertOne({ ...bad });
      const { bad: found } = await world.context.points.verify();
      await entries.deleteOne({ _id: insertedId });
      return found?.reason;
    };
    const now = rest.after.windows.season[0];
    expect(await forge('test-games', now)).to.equal(`season test-games at turn 1, in ${now}`);
    expect(await forge('test-games', 'test-games')).to.equal('season test-games came back');
    expect((await world.context.points.verify()).bad).to.equal(null);
  });
});

describe('turns that staff take', () => {
  let world: World;
  before(async () => {
    world = await startWorld({ card: 'hub' });
  });
  after(() => world.close());

  it('name their act in the ledger; one without it is refused alone, and nobody else beside it', async () => {
    const { points } = world.context;
    const [bad, good] = await Promise.allSettled([
      points.record(command('ann', '1', 'give', { cause: 'manual' })),
      points.record(command('ben', '1')),
    ]);
    expect([bad.status, good.status]).to.deep.equal(['rejected', 'fulfilled']);
    const { entry } = await points.record(
      command('ann', '1', 'give', { cause: 'manual', act: 'line-7' }),
    );
    expect(entry?.act).to.equal('line-7');
    const { bad: found, entries } = await points.verify();
    expect([found, entries]).to.deep.equal([null, 2]);
  });

  it('count likes of posts by the facts of the deed', async () => {
    const { points } = world.context;
    const liked = (id: string, want: Command['want']): Command => ({
      ...command('cat', id, want),
      deed: `like:x:${id}`,
      facts: { account: '1', on: 'post', athlete: 'a', disciplines: [] },
    });
    await points.record(liked('p:1', 'give'));
    await points.record(liked('p:2', 'give'));
    // A later turn copies what turn 1 fixed, whatever the command says now.
    const taken = await points.record({
      ...liked('p:1', 'take'),
      facts: command('cat', '1').facts,
    });
    expect([taken.entry?.on, taken.head.after.likesToday[1]]).to.deep.equal(['post', 2]);
    expect((await points.verify()).bad).to.equal(null);
  });
});
