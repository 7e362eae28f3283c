import { expect } from 'chai';
import fc from 'fast-check';
import { chain, headOf, NO_HEAD, type Cause, type Head } from '../../server/points/entry.js';
import type { Rule } from '../../server/points/medals.js';

const ZONE = 'Europe/Paris';
const now: Rule = { version: 1, hub: [9, 10, 11], discipline: [9, 10, 11], from: '' };
const rules = { now, all: new Map([[1, now]]) };

interface Act {
  id: string;
  turn: number;
  at: string;
  on?: 'account' | 'post';
  season?: string;
  /** Of turn 1, where this is a later one. */
  first?: { at: string; season: string };
}

/** The entry behind `head` that this turn is. */
function entryOf(head: Head, { id, turn, on = 'account', season = '2026', ...act }: Act) {
  const at = new Date(act.at);
  const first = act.first ?? { at: act.at, season };
  return chain(
    head,
    {
      fan: 'fan',
      deed: `follow:x:${id}`,
      turn,
      facts: {
        ...{ account: id, on, athlete: 'a', disciplines: [], season: first.season },
        earnedAt: new Date(first.at),
      },
      how: {
        ...{ cause: 'hub_click', act: null, card: 'x@1:hub', link: null, evidence: null },
        askedAt: at,
      },
    },
    { at, zone: ZONE, season, rules },
  );
}
const afterAll = (acts: Act[]) =>
  acts.reduce((head, act) => headOf(entryOf(head, act)), NO_HEAD).after;
const instant = (at: string): number => new Date(at).getTime();

describe('the standing after an entry', () => {
  it(
    'says of each window when its points last changed, and 0 of one in which nothing has ' +
      'counted',
    () => {
      const first = { at: '2026-11-20T10:00:00Z', season: '2026' };
      const given = afterAll([{ id: '1', turn: 1, at: first.at }]);
      expect(given.windows).to.deep.equal({
        day: ['2026-11-20', 1, instant(first.at)],
        week: ['2026-W47', 1, instant(first.at)],
        month: ['2026-11', 1, instant(first.at)],
        season: ['2026', 1, instant(first.at)],
      });
      const back = '2026-11-21T10:00:00Z';
      const taken = afterAll([
        { id: '1', turn: 1, at: first.at },
        { id: '1', turn: 2, at: back, first },
      ]);
      expect(taken.windows).to.deep.equal({
        day: ['2026-11-21', 0, 0],
        week: ['2026-W47', 0, instant(back)],
        month: ['2026-11', 0, instant(back)],
        season: ['2026', 0, instant(back)],
      });
    },
  );

  it('counts a deed in the season of its turn 1 and in no later one', () => {
    const first = { at: '2026-11-20T10:00:00Z', season: 'games' };
    const later = { at: '2026-11-28T10:00:00Z', season: '2026-2', first };
    const after = afterAll([
      { id: '1', turn: 1, ...first },
      { id: '1', turn: 2, ...later },
      { id: '1', turn: 3, ...later },
      { id: '2', turn: 1, at: later.at, season: '2026-2' },
    ]);
    expect(after.points).to.equal(2);
    expect(after.windows.season).to.deep.equal(['2026-2', 1, instant(later.at)]);
  });

  it('counts the likes of posts that were given today, and counts none back', () => {
    const day = '2026-11-20T10:00:00Z';
    const first = { at: day, season: '2026' };
    const acts: Act[] = [
      { id: '1', turn: 1, at: day, on: 'post' },
      { id: '2', turn: 1, at: day },
      { id: '1', turn: 2, at: day, on: 'post', first },
      { id: '1', turn: 3, at: day, on: 'post', first },
    ];
    expect(afterAll(acts).likesToday).to.deep.equal(['2026-11-20', 2]);
    // By the clock of Paris it is tomorrow: what is taken back there is counted nowhere.
    const late: Act = { id: '1', turn: 4, at: '2026-11-20T23:30:00Z', on: 'post', first };
    expect(afterAll([...acts, late]).likesToday).to.deep.equal(['2026-11-21', 0]);
  });

  it(
    'counts as many likes as posts were liked on the day of the last entry, whatever came ' +
      'before',
    () => {
      fc.assert(
        fc.property(
          fc.array(
            fc.record({
              hours: fc.integer({ min: 0, max: 20 }),
              on: fc.constantFrom('account' as const, 'post' as const),
            }),
            { minLength: 1, maxLength: 12 },
          ),
          (steps) => {
            let time = Date.UTC(2026, 5, 1);
            const acts = steps.map(({ hours, on }, index): Act => {
              time += hours * 3_600_000;
              return { id: String(index), turn: 1, at: new Date(time).toISOString(), on };
            });
            // Paris is two hours ahead in June.
            const dayOf = (at: string): string =>
              new Date(instant(at) + 7_200_000).toISOString().slice(0, 10);
            const today = dayOf(acts.at(-1)?.at ?? '');
            const likes = acts.filter(({ at, on }) => on === 'post' && dayOf(at) === today);
            expect(afterAll(acts).likesToday).to.deep.equal([today, likes.length]);
          },
        ),
      );
    },
  );
});

describe('an entry', () => {
  it('names the act of staff that it was, and is refused without it; no other names one', () => {
    const facts = {
      ...{ account: '1', on: 'account' as const, athlete: 'a', disciplines: [], season: '2026' },
      earnedAt: new Date(0),
    };
    const made = (cause: Cause, act: string | null) =>
      chain(
        NO_HEAD,
        {
          ...{ fan: 'fan', deed: 'follow:x:1', turn: 1, facts },
          how: { cause, act, card: 'x@1:hub', link: null, evidence: null, askedAt: new Date(0) },
        },
        { at: new Date(0), zone: ZONE, season: '2026', rules },
      );
    expect(made('manual', 'a-line-of-the-log').act).to.equal('a-line-of-the-log');
    expect(made('undo', null).act).to.equal(null);
    expect(() => made('manual', null)).to.throw('without');
    for (const cause of ['undo', 'network_yes', 'revoked'] as const)
      expect(() => made(cause, 'a-line-of-the-log')).to.throw('with an act');
  });
});
