import { expect } from 'chai';
import { nextTurn, stillStands, type Command } from '../../server/points/command.js';

type Want = Command['want'];
const commandFor = (want: Want, more: Partial<Command> = {}): Command => ({
  ...{ fan: 'fan', deed: 'd', want, cause: 'hub_click', act: null, card: 'x@1:hub' },
  ...{ link: null, evidence: null, askedAt: new Date(0) },
  facts: { account: '1', on: 'account', athlete: 'a', disciplines: [] },
  ...more,
});

describe('the turn that a command takes', () => {
  const cases: [want: Want, seen: number | undefined, last: number, next: number | null][] = [
    ['give', undefined, 0, 1],
    ['give', undefined, 1, null],
    ['give', undefined, 2, 3],
    ['take', undefined, 0, null],
    ['take', undefined, 1, 2],
    ['take', undefined, 2, null],
    [{ turn: 1 }, undefined, 0, 1],
    [{ turn: 2 }, undefined, 0, null],
    [{ turn: 2 }, undefined, 1, 2],
    [{ turn: 2 }, undefined, 2, null],
    ['give', 2, 2, 3],
    ['give', 0, 2, null],
    ['take', 3, 1, null],
  ];
  for (const [want, seen, last, next] of cases)
    it(`is ${String(next)} behind ${last} for ${JSON.stringify(want)}, ${seen === undefined ? 'whatever was seen' : `seen at ${seen}`}`, () => {
      const command = commandFor(want, seen === undefined ? {} : { seen });
      expect(nextTurn(command, last)).to.equal(next);
    });
});

describe('what a command rests on', () => {
  const cases: [want: Want, isAsked: boolean][] = [
    ['give', true],
    [{ turn: 3 }, true],
    ['take', false],
    [{ turn: 4 }, false],
  ];
  for (const [want, isAsked] of cases)
    it(`is ${isAsked ? '' : 'not '}asked about for ${JSON.stringify(want)}`, async () => {
      let asked = 0;
      const stands = (): Promise<boolean> => {
        asked += 1;
        return Promise.resolve(false);
      };
      expect(await stillStands(commandFor(want, { stands }))).to.equal(!isAsked);
      expect(asked).to.equal(isAsked ? 1 : 0);
    });

  it('stands when the command names nothing', async () => {
    expect(await stillStands(commandFor('give'))).to.equal(true);
  });
});
