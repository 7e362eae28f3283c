import { expect } from 'chai';
import fc from 'fast-check';
import { boardPoints, boardScore, readBoardCursor } from '../../server/points/board-format.js';
import { medalAfter, nextMedal, type Rule } from '../../server/points/medals.js';
import canonicalize from 'canonicalize';
import {
  canonicalText,
  chain,
  headOf,
  MOST_POINTS,
  NO_HEAD,
  type Head,
} from '../../server/points/entry.js';
import { SeasonCalendar } from '../../server/points/seasons.js';
import { nextDay, windowKeys } from '../../server/points/windows.js';

const rule = (version: number, hub: [number, number, number]): Rule => ({
  version,
  hub,
  discipline: hub,
  from: '',
});

describe('windows', () => {
  for (const [at, keys] of [
    [
      '2026-11-21T12:00:00Z',
      { day: '2026-11-21', week: '2026-W47', month: '2026-11', season: '2026' },
    ],
    [
      '2026-12-31T23:30:00Z',
      { day: '2027-01-01', week: '2026-W53', month: '2027-01', season: '2027' },
    ],
    [
      '2027-01-03T12:00:00Z',
      { day: '2027-01-03', week: '2026-W53', month: '2027-01', season: '2027' },
    ],
    [
      '2024-12-30T12:00:00Z',
      { day: '2024-12-30', week: '2025-W01', month: '2024-12', season: '2024' },
    ],
  ] as const)
    it(`cuts ${at} by the clock of Paris`, () => {
      const calendar = windowKeys(new Date(at), 'Europe/Paris');
      const season = new SeasonCalendar([]).seasonAt(calendar.day);
      expect({ ...calendar, season }).to.deep.equal(keys);
    });

  it('finds the first instant of tomorrow, also when clocks change', () => {
    expect(nextDay(new Date('2026-11-21T12:00:00Z'), 'Europe/Paris').toISOString()).to.equal(
      '2026-11-21T23:00:00.000Z',
    );
    expect(nextDay(new Date('2026-10-24T22:30:00Z'), 'Europe/Paris').toISOString()).to.equal(
      '2026-10-25T23:00:00.000Z',
    );
  });
});

describe('the canonical text of an entry', () => {
  it('is what RFC 8785 says, member by member, whatever the names and texts are', () => {
    const slug = fc.stringMatching(/^[a-z][a-z-]{0,12}$/);
    const one = rule(1, [1, 2, 3]);
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            account: fc.string(),
            on: fc.constantFrom('account' as const, 'post' as const),
            athlete: fc.string({ unit: 'binary' }),
            disciplines: fc.uniqueArray(slug, { maxLength: 4 }),
          }),
          {
            minLength: 1,
            maxLength: 12,
          },
        ),
        fc.date({ noInvalidDate: true, min: new Date('2020-01-01'), max: new Date('2100-01-01') }),
        fc.option(fc.string()),
        fc.option(fc.string()),
        (deeds, at, link, act) => {
          let head: Head = NO_HEAD;
          for (const [n, deed] of deeds.entries()) {
            const facts = { ...deed, season: '2026', earnedAt: at };
            const how = {
              cause: act === null ? ('hub_click' as const) : ('manual' as const),
              act,
              card: 'x@1:hub',
              link,
              evidence: null,
              askedAt: at,
            };
            const entry = chain(
              head,
              { fan: 'fan', deed: `follow:x:${n}`, turn: 1, facts, how },
              {
                at,
                zone: 'Europe/Paris',
                season: '2026',
                rules: { now: one, all: new Map([[1, one]]) },
              },
            );
            const { hash: _hash, ...body } = entry;
            expect(canonicalText(body)).to.equal(canonicalize(body));
            head = headOf(entry);
          }
        },
      ),
    );
  });
});

describe('medals', () => {
  const one = rule(1, [3, 10, 25]);
  const first = { now: one, all: new Map([[1, one]]) };
  it('are reached at their threshold and not before', () => {
    expect(medalAfter(2, 'hub', undefined, first)).to.equal(undefined);
    expect(medalAfter(3, 'hub', undefined, first)).to.deep.equal(['bronze', 1]);
    expect(medalAfter(25, 'hub', ['silver', 1], first)).to.deep.equal(['gold', 1]);
  });
  it('are not taken by raised thresholds, only by lost points', () => {
    const two = rule(2, [100, 200, 300]);
    const all = new Map([
      [1, one],
      [2, two],
    ]);
    expect(medalAfter(11, 'hub', ['silver', 1], { now: two, all })).to.deep.equal(['silver', 1]);
    expect(medalAfter(9, 'hub', ['silver', 1], { now: two, all })).to.deep.equal(['bronze', 1]);
    expect(medalAfter(2, 'hub', ['bronze', 1], { now: two, all })).to.equal(undefined);
  });
  it('tell what comes next and how far it is', () => {
    expect(nextMedal(4, 'hub', 'bronze', one)).to.deep.equal({
      medal: 'silver',
      at: 10,
      missing: 6,
    });
    expect(nextMedal(30, 'hub', 'gold', one)).to.equal(null);
  });
});

describe('the score of a board', () => {
  it('orders by points, then by who was there first, exactly, up to the most points there are', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: MOST_POINTS }),
        fc.integer({ min: 1, max: MOST_POINTS }),
        fc.integer({ min: 1_600_000_000, max: 4_000_000_000 }),
        fc.integer({ min: 1_600_000_000, max: 4_000_000_000 }),
        (p, q, s, t) => {
          const [a, b] = [boardScore(p, s * 1000), boardScore(q, t * 1000)];
          expect(Number.isSafeInteger(a)).to.equal(true);
          expect(boardPoints(a)).to.equal(p);
          if (p !== q) expect(a > b).to.equal(p > q);
          else if (s !== t) expect(a > b).to.equal(s < t);
          else expect(a).to.equal(b);
        },
      ),
    );
  });
  it('refuses a cursor that is not ours', () => {
    for (const text of [
      '',
      'x',
      'W10',
      Buffer.from('["a",1]').toString('base64url'),
      Buffer.from('{"a":1}').toString('base64url'),
    ])
      expect(readBoardCursor(text)).to.equal(null);
  });
});
