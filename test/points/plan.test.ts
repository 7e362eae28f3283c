import { expect } from 'chai';
import { Types } from 'mongoose';
import { planChain } from '../../server/points/chains.js';
import type { Command } from '../../server/points/command.js';
import { chain, headOf, MOST_POINTS, NO_HEAD, type Head } from '../../server/points/entry.js';
import { decide, needsNewerHead, planFlush, type Snapshot } from '../../server/points/plan.js';
import { SeasonCalendar } from '../../server/points/seasons.js';
import { isSettled, type Submission } from '../../server/points/submission.js';
import { turnKey, type DeedTurn } from '../../server/points/turns.js';

const ZONE = 'Europe/Paris';
const NOW = new Date('2026-11-24T12:00:00Z');
const EARNED = new Date('2026-11-20T09:00:00Z');
const TOMORROW = new Date('2026-11-24T23:00:00Z');
const rule = { version: 1, hub: [1, 2, 3] as const, discipline: [1, 2, 3] as const, from: '' };
const rules = { now: rule, all: new Map([[1, rule]]) };

type Want = Command['want'];
const commandFor = (deed: string, want: Want, more: Partial<Command> = {}): Command => ({
  fan: 'fan',
  deed,
  want,
  facts: { account: 'new', on: 'account', athlete: 'a', disciplines: ['judo'] },
  cause: 'hub_click',
  act: null,
  card: 'x@1:hub',
  link: null,
  evidence: null,
  askedAt: NOW,
  ...more,
});

const FACTS = {
  ...{ account: 'old', on: 'account' as const, athlete: 'a', disciplines: ['judo'] },
  ...{ season: '2026', earnedAt: EARNED },
};

/** A deed that went through this many turns, one entry after the other from `seq` on. */
const turnsOf = (deed: string, count: number, seq = 1, at = NOW): [string, DeedTurn[]] => [
  turnKey('fan', deed),
  Array.from({ length: count }, (_turn, index) => ({
    ...{ _id: new Types.ObjectId(), fan: 'fan', deed, turn: index + 1, seq: seq + index, at },
    ...FACTS,
  })),
];
const headAt = (seq: number, points: number, reachedAt = EARNED): Head => ({
  seq,
  hash: `hash-${seq}`,
  after: { ...NO_HEAD.after, points, reachedAt: reachedAt.getTime() },
});
const submit = (...commands: Command[]): Submission => ({
  fan: commands[0]?.fan ?? '',
  commands,
  since: 0,
  until: 0,
  outcomes: commands.map(() => null),
  attempts: commands.map(() => []),
  resolve: () => undefined,
  reject: () => undefined,
});
const snapshotOf = (head: Head, more: Partial<Snapshot> = {}): Snapshot => ({
  now: NOW,
  zone: ZONE,
  heads: new Map([['fan', head]]),
  turns: new Map(),
  rules,
  seasons: new SeasonCalendar([]),
  stands: new Map([['fan', Array<boolean>(2000).fill(true)]]),
  related: new Map(),
  ...more,
});

describe('a decision', () => {
  const YESTERDAY = new Date('2026-11-23T12:00:00Z');
  const cases: {
    title: string;
    want: Want;
    turns: number;
    at?: Date;
    points?: number;
    stands?: boolean;
    expected: object;
  }[] = [
    { title: 'gives turn 1', want: 'give', turns: 0, expected: { kind: 'write', turn: 1 } },
    { title: 'takes back turn 2', want: 'take', turns: 1, expected: { kind: 'write', turn: 2 } },
    { title: 'gives again', want: 'give', turns: 2, expected: { kind: 'write', turn: 3 } },
    { title: 'is nothing if held', want: 'give', turns: 1, expected: { kind: 'nothing', turn: 1 } },
    { title: 'is nothing if not', want: 'take', turns: 2, expected: { kind: 'nothing', turn: 2 } },
    {
      title: 'is nothing at most points if the deed is held already',
      ...{ want: 'give', turns: 1, points: MOST_POINTS },
      expected: { kind: 'nothing', turn: 1 },
    },
    {
      title: 'drops a give at most points',
      ...{ want: 'give', turns: 0, points: MOST_POINTS },
      expected: { kind: 'dropped', turn: 0 },
    },
    {
      title: 'takes back at most points',
      ...{ want: 'take', turns: 1, points: MOST_POINTS },
      expected: { kind: 'write', turn: 2 },
    },
    {
      title: 'drops a give whose card, link or epoch has gone',
      ...{ want: 'give', turns: 2, stands: false },
      expected: { kind: 'dropped', turn: 2 },
    },
    {
      title: 'takes back under a card that has gone',
      ...{ want: 'take', turns: 1, stands: false },
      expected: { kind: 'write', turn: 2 },
    },
    {
      title: 'gives the third time of a day',
      ...{ want: 'give', turns: 4 },
      expected: { kind: 'write', turn: 5 },
    },
    {
      title: 'limits the fourth time until tomorrow, also where it would be dropped',
      ...{ want: 'give', turns: 6, stands: false },
      expected: { kind: 'limited', turn: 6, until: TOMORROW },
    },
    {
      title: 'never limits what takes back',
      ...{ want: 'take', turns: 7 },
      expected: { kind: 'write', turn: 8 },
    },
    {
      title: 'counts the gives of today only',
      ...{ want: 'give', turns: 6, at: YESTERDAY },
      expected: { kind: 'write', turn: 7 },
    },
  ];
  for (const { title, want, turns, at, points = 1, stands = true, expected } of cases)
    it(title, () => {
      const head = headAt(9, points);
      const decision = decide(commandFor('d', want), head, stands, {
        ...snapshotOf(head),
        turns: new Map(turns > 0 ? [turnsOf('d', turns, 1, at)] : []),
      });
      const { kind } = decision;
      if (decision.kind === 'write') {
        const { turn, seq, prev, delta } = decision.entry;
        expect({ kind, turn }).to.deep.equal(expected);
        expect({ seq, prev, delta }).to.deep.equal({
          ...{ seq: 10, prev: 'hash-9' },
          delta: turn % 2 === 1 ? 1 : -1,
        });
      } else {
        expect(decision.head).to.equal(head);
        expect({ ...decision, head: undefined }).to.deep.equal({ ...expected, head: undefined });
      }
    });

  it('keeps for a later turn what the first one fixed, and takes the rest from the command', () => {
    const turns = new Map([turnsOf('d', 2)]);
    const decision = decide(commandFor('d', 'give'), headAt(2, 0), true, {
      ...snapshotOf(NO_HEAD),
      turns,
    });
    if (decision.kind !== 'write') throw new Error(decision.kind);
    const { account, earnedAt, season, card, cause } = decision.entry;
    expect({ account, earnedAt, season }).to.deep.equal({
      ...{ account: 'old', earnedAt: EARNED, season: '2026' },
    });
    expect({ card, cause }).to.deep.equal({ card: 'x@1:hub', cause: 'hub_click' });
  });

  it('goes by the instant of the head when the clock is behind it', () => {
    const later = new Date('2027-01-01T10:00:00Z');
    const decision = decide(
      commandFor('d', 'give'),
      headAt(1, 1, later),
      true,
      snapshotOf(NO_HEAD),
    );
    if (decision.kind !== 'write') throw new Error(decision.kind);
    const { at, earnedAt, season } = decision.entry;
    expect({ at, earnedAt, season }).to.deep.equal({
      ...{ at: later, earnedAt: later, season: '2027' },
    });
  });
});

describe('a head', () => {
  const cases: {
    title: string;
    want?: Want;
    turns?: number;
    /** The entry of the deed's first turn. */
    seq?: number;
    points?: number;
    stands?: boolean;
    remembered: boolean;
    fetched: boolean;
  }[] = [
    { title: 'remembered, behind which is written', remembered: true, fetched: false },
    { title: 'just read, from which is answered', turns: 1, remembered: false, fetched: false },
    { title: 'remembered, from which is answered', turns: 1, remembered: true, fetched: true },
    { title: 'just read, older than a turn', turns: 1, seq: 6, remembered: false, fetched: true },
    {
      title: 'remembered, under a give that is dropped',
      ...{ stands: false, remembered: true, fetched: true },
    },
    {
      title: 'remembered, under a give that may be limited',
      ...{ turns: 6, seq: 0, remembered: true, fetched: true },
    },
    {
      title: 'remembered, at most points',
      ...{ points: MOST_POINTS, remembered: true, fetched: true },
    },
    {
      title: 'remembered, behind which is taken back whatever stands',
      ...{ want: 'take', turns: 1, stands: false, points: MOST_POINTS },
      ...{ remembered: true, fetched: false },
    },
  ];
  for (const { title, want = 'give', turns = 0, seq = 1, points = 1, ...more } of cases)
    it(`${title}, is ${more.fetched ? '' : 'not '}looked at again`, () => {
      const known = {
        turns: new Map(turns > 0 ? [turnsOf('d', turns, seq)] : []),
        stands: [more.stands ?? true],
      };
      const submission = submit(commandFor('d', want));
      expect(needsNewerHead(submission, headAt(5, points), more.remembered, known)).to.equal(
        more.fetched,
      );
    });

  it('is not looked at again for a command that is answered already', () => {
    const submission = submit(commandFor('d', 'give'));
    const known = { turns: new Map([turnsOf('d', 1, 9)]), stands: [true] };
    expect(needsNewerHead(submission, headAt(5, 1), true, known)).to.equal(true);
    const decision = decide(commandFor('d', 'give'), NO_HEAD, true, snapshotOf(NO_HEAD));
    if (decision.kind !== 'write') throw new Error(decision.kind);
    submission.outcomes[0] = {
      ...{ entry: decision.entry, turn: 1, head: NO_HEAD, before: {} },
      ...{ limited: null, dropped: false },
    };
    expect(isSettled(submission)).to.equal(true);
    expect(needsNewerHead(submission, headAt(5, 1), true, known)).to.equal(false);
  });
});

describe('the plan of a flush', () => {
  it('answers, writes single entries and chains, each fan in one of the three', () => {
    const single = submit(commandFor('d', 'give', { fan: 'single' }));
    const answered = submit(commandFor('d', 'take', { fan: 'answered' }));
    const many = submit(
      commandFor('d', 'give', { fan: 'many' }),
      commandFor('e', 'give', { fan: 'many' }),
    );
    const refused = submit(commandFor('d', 'give', { fan: 'refused' }));
    const settled = submit(commandFor('d', 'give', { fan: 'settled' }));
    const submissions = [single, answered, many, refused, settled];
    const [{ outcome } = { outcome: null }] = planFlush(
      [answered],
      snapshotOf(NO_HEAD, { heads: new Map([['answered', NO_HEAD]]) }),
    ).answers;
    settled.outcomes[0] = outcome;
    const plan = planFlush(
      submissions,
      snapshotOf(NO_HEAD, {
        heads: new Map(submissions.map(({ fan }) => [fan, NO_HEAD])),
        stands: new Map([['single', [true]]]),
        related: new Map([['single', { other: true }]]),
      }),
    );
    expect(plan.chains).to.deep.equal([many]);
    expect(
      plan.singles.map(({ submission, index, entry, related }) => ({
        ...{ fan: submission.fan, index, related },
        ...{ seq: entry.seq, turn: entry.turn },
      })),
    ).to.deep.equal([{ fan: 'single', index: 0, related: { other: true }, seq: 1, turn: 1 }]);
    expect(
      plan.answers.map(({ submission, outcome: { entry, turn, dropped } }) => ({
        ...{ fan: submission.fan, entry, turn, dropped },
      })),
    ).to.deep.equal([
      { fan: 'answered', entry: null, turn: 0, dropped: false },
      { fan: 'refused', entry: null, turn: 0, dropped: true },
    ]);
  });
});

describe('the plan of a chain', () => {
  const how = { cause: 'hub_click' as const, act: null, card: 'x@1:hub', link: null };
  const entry = chain(
    NO_HEAD,
    {
      ...{ fan: 'fan', deed: 'held', turn: 1, facts: FACTS },
      how: { ...how, evidence: null, askedAt: EARNED },
    },
    { at: EARNED, zone: ZONE, season: '2026', rules },
  );
  const snapshot = snapshotOf(headOf(entry), { turns: new Map([turnsOf('held', 1)]) });
  const gives = (count: number): Command[] =>
    Array.from({ length: count }, (_give, index) => commandFor(`d${index}`, 'give'));

  it('puts each entry behind the one before it, and what needs none behind those', () => {
    const [first, second, third] = gives(3) as [Command, Command, Command];
    const submission = submit(first, commandFor('held', 'give'), second, third);
    const settled = submission.outcomes as unknown[];
    settled[2] = 'known already';
    const [part, ...more] = planChain(submission, snapshot);
    expect(more).to.deep.equal([]);
    expect(
      part?.entries.map(({ index, entry: { seq, deed } }) => [index, seq, deed]),
    ).to.deep.equal([
      [0, 2, 'd0'],
      [3, 3, 'd2'],
    ]);
    expect(part?.entries[0]?.entry.prev).to.equal(entry.hash);
    expect(part?.entries[1]?.entry.prev).to.equal(part?.entries[0]?.entry.hash);
    expect(part?.answers.map(({ index, outcome }) => [index, outcome.head.seq])).to.deep.equal([
      [1, 2],
    ]);
  });

  it('is cut into parts, goes on over them, and ends at the most that a flush writes of a fan', () => {
    const parts = [...planChain(submit(...gives(700)), snapshot)];
    expect(parts.map(({ entries }) => entries.length)).to.deep.equal([250, 250]);
    const entries = parts.flatMap((part) => part.entries);
    expect(entries.map(({ entry }) => entry.seq)).to.deep.equal(
      Array.from({ length: 500 }, (_entry, index) => index + 2),
    );
    expect(new Set(entries.map(({ id }) => String(id))).size).to.equal(500);
  });

  it('decides on a part only when it is asked for', () => {
    const submission = submit(...gives(300));
    const parts = planChain(submission, snapshot);
    parts.next();
    submission.outcomes.fill({
      ...{ entry: null, turn: 1, head: NO_HEAD, before: {}, limited: null, dropped: false },
    });
    expect(parts.next().value).to.deep.equal({ entries: [], answers: [] });
  });
});
