import { expect } from 'chai';
import { filterFor } from '../../server/follows/doubt-filter.js';
import {
  CHANGES,
  isSecondNo,
  mayChange,
  restAfter,
  type ChangeName,
  type Doubt,
  type DoubtState,
} from '../../server/follows/doubt.js';
import { HOUR, startWorld } from '../support/world.js';

const STATES: DoubtState[] = ['asked', 'held', 'lost', 'waiting', 'due'];
const doubtIn = (state: DoubtState, more: Partial<Doubt> = {}): Doubt => ({
  state,
  turn: 2,
  askedAt: null,
  noRound: null,
  yesRound: null,
  undone: false,
  ...more,
});

/** LEDGER 4: the changes that a doubt may undergo. */
describe('a doubt', () => {
  /** Of a doubt about turn 2, by change: the states it may start from for this turn, 4 and 1. */
  const ALLOWED: Record<ChangeName, [same: string, later: string, earlier: string]> = {
    deny: ['held', 'asked held lost', ''],
    lose: ['asked', '', ''],
    confirm: ['asked held', 'asked held lost', ''],
    wait: ['asked held lost waiting', 'asked held lost waiting due', 'asked held lost waiting'],
    fallDue: ['waiting due', 'waiting due', 'waiting due'],
    postpone: ['due', '', ''],
    cancel: ['waiting', 'waiting', 'waiting'],
    markUndone: ['due', 'due', 'due'],
    settle: ['lost due', '', ''],
    settleUndone: ['lost due', '', ''],
    end: ['asked held lost', 'asked held lost', ''],
  };
  for (const [change, [same, later, earlier]] of Object.entries(ALLOWED) as [
    ChangeName,
    [string, string, string],
  ][])
    it(`may ${change} from ${same}, about a later turn from ${later || 'nothing'}`, () => {
      const from = (turn: number): string =>
        STATES.filter((state) => mayChange(doubtIn(state), change, { turn, round: 5 })).join(' ');
      expect([from(2), from(4), from(1)]).to.deep.equal([same, later, earlier]);
    });

  for (const [change, state, heard, isAllowed] of [
    ['deny', 'held', { yesRound: 5 }, false],
    ['deny', 'held', { yesRound: 4 }, true],
    ['lose', 'asked', { noRound: 5 }, false],
    ['lose', 'asked', { noRound: 4 }, true],
    ['confirm', 'asked', { noRound: 6 }, false],
    ['confirm', 'asked', { noRound: 4 }, true],
    ['confirm', 'held', { yesRound: 5 }, false],
  ] as const)
    it(`${isAllowed ? 'may' : 'may not'} ${change} from ${state} in round 5 after ${JSON.stringify(heard)}`, () => {
      const about = { turn: 2, round: 5 };
      expect(mayChange(doubtIn(state, heard), change, about)).to.equal(isAllowed);
    });

  it('that was undone is settled only with its undo, and waits no more', () => {
    const undone = doubtIn('due', { undone: true });
    const allowed = (['settle', 'settleUndone', 'postpone'] as const).filter((change) =>
      mayChange(undone, change, { turn: 2 }),
    );
    expect(allowed).to.deep.equal(['settleUndone']);
  });

  const FIRST = new Date('2026-11-24T12:00:00Z');
  const after = (hours: number): Date => new Date(FIRST.getTime() + hours * HOUR);
  for (const [hours, round, isSecond] of [
    [12, 2, true],
    [11.99, 2, false],
    [13, 1, false],
    [13, 0, false],
  ] as const)
    it(`${isSecond ? 'is' : 'is not'} lost by a no of round ${round}, ${hours} hours after that of round 1`, () => {
      const asked = doubtIn('asked', { askedAt: FIRST, noRound: 1 });
      const heard = { turn: 2, askedAt: after(hours), round };
      expect(isSecondNo(asked, heard, 12 * HOUR)).to.equal(isSecond);
    });

  it('rests twice as long each time, up to the whole patience', () => {
    expect([0, 1, 2, 3, 4, 20].map((tries) => restAfter(tries, 12))).to.deep.equal([
      1, 2, 4, 8, 12, 12,
    ]);
  });

  it('changes in the store exactly where the table says so', async () => {
    const world = await startWorld({ card: 'hub' });
    const rounds = [null, 1, 2, 3];
    const samples = STATES.flatMap((state) =>
      [1, 2, 3].flatMap((turn) =>
        rounds.flatMap((noRound) =>
          rounds.flatMap((yesRound) =>
            [false, true].map((undone) => doubtIn(state, { turn, noRound, yesRound, undone })),
          ),
        ),
      ),
    ).map((doubt, index) => ({ _id: `sample${index}`, ...doubt }));
    const collection = world.context.connection.collection<{ _id: string }>('samples');
    await collection.insertMany(samples);
    const any = { $gt: '' } as never;
    for (const change of Object.keys(CHANGES) as ChangeName[]) {
      const about = { turn: 2, round: 2 };
      const found = await collection.find(filterFor(any, change, about)).toArray();
      const expected = samples.filter((sample) => mayChange(sample, change, about));
      expect([change, found.map(({ _id }) => _id).sort()]).to.deep.equal([
        change,
        expected.map(({ _id }) => _id).sort(),
      ]);
    }
    await world.close();
  });
});
