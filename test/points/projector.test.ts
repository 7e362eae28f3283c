import { expect } from 'chai';
import { pino } from 'pino';
import { boardKinds, BoardTable } from '../../server/points/board-kinds.js';
import type { Boards, Move } from '../../server/points/boards.js';
import { chain, headOf, NO_HEAD, type Entry, type Head } from '../../server/points/entry.js';
import type { Heads } from '../../server/points/heads.js';
import { Projector } from '../../server/points/projector.js';
import type { ScoreRecord, Scores } from '../../server/points/scores.js';
import { until } from '../support/until.js';

const rule = { version: 1, hub: [1, 2, 3] as const, discipline: [1, 2, 3] as const, from: '' };

/**
 * So many fans wait for stores that this test ends and brings back: by the million no real ones are
 * filled here.
 */
describe('moves that wait for their stores', () => {
  const written: string[][] = [];
  const placed: string[][] = [];
  let scoresAway: (part: number) => boolean = () => false;
  let boardsAway = false;
  let tries = 0;

  const startProjector = (heads = new Map<string, Head>()): Projector =>
    new Projector({
      scores: {
        write: (list: ScoreRecord[]) => {
          if (scoresAway(written.length)) return Promise.reject(new Error('away'));
          written.push(list.map(({ _id, seq }) => `${_id}@${seq}`));
          return Promise.resolve();
        },
        restand: () => Promise.resolve(),
        byFans: () => Promise.resolve(new Map()),
      } as unknown as Scores,
      boards: {
        table: new BoardTable(boardKinds(['judo']), () => Promise.reject(new Error('none'))),
        move: (board: string, moves: Move[]) => {
          tries += 1;
          if (boardsAway) return Promise.reject(new Error('away'));
          if (board === 'hub') placed.push(moves.map(({ fan, seq }) => `${fan}@${seq}`));
          return Promise.resolve([]);
        },
      } as unknown as Boards,
      heads: {
        read: (fans: string[]) =>
          Promise.resolve(new Map(fans.map((fan) => [fan, heads.get(fan) ?? NO_HEAD]))),
      } as unknown as Heads,
      standing: {
        standings: (fans) =>
          Promise.resolve(
            new Map(
              fans.map((fan) => [fan, { rankable: true, name: fan, country: '', revision: 1 }]),
            ),
          ),
        changedSince: () => Promise.resolve({ fans: [], to: 0 }),
      },
      clock: { now: () => new Date(2_000_000_000_000) },
      log: pino({ level: 'silent' }),
    });
  const entry = (fan: string, head = NO_HEAD, at = 1_900_000_000_000): Entry => {
    const when = new Date(at);
    const facts = {
      account: '1',
      on: 'account' as const,
      athlete: 'a',
      disciplines: ['judo'],
      season: '2030',
      earnedAt: when,
    };
    const how = {
      cause: 'hub_click' as const,
      act: null,
      card: 'x@1:hub',
      link: null,
      evidence: null,
      askedAt: when,
    };
    const deed = `follow:x:${head.seq}`;
    return chain(
      head,
      { fan, deed, turn: 1, facts, how },
      {
        at: when,
        zone: 'Europe/Paris',
        season: '2030',
        rules: { now: rule, all: new Map([[1, rule]]) },
      },
    );
  };

  beforeEach(() => {
    written.length = placed.length = tries = 0;
    boardsAway = false;
    scoresAway = () => false;
  });

  it(
    'are all written when there are 130,000 of them, in parts, and how far all is settled can ' +
      'be told meanwhile',
    async () => {
      const projector = startProjector();
      const first = entry('fan-0');
      const list = Array.from({ length: 130_000 }, (_x, n): Entry => ({
        ...first,
        fan: `fan-${n}`,
        at: new Date(1_900_000_000_000 + n),
      }));
      projector.add(list.slice(1));
      projector.add(list.slice(0, 1));
      projector.addUnsure([{ fan: 'lost', since: 1_899_000_000_000 }]);
      expect(projector.settledTo).to.equal(1_899_000_000_000);
      await projector.idle();
      expect(projector.isClear).to.equal(true);
      expect(projector.settledTo).to.equal(2_000_000_000_000);
      expect(new Set(placed.flat()).size).to.equal(130_000);
      expect(Math.max(...written.map((part) => part.length))).to.be.at.most(1000);
    },
  );

  it(
    'are tried a part at a time while the boards are away, and their scores, written once, ' +
      'are not written again',
    async () => {
      const projector = startProjector();
      boardsAway = true;
      const first = entry('fan-0');
      projector.add(
        Array.from({ length: 5000 }, (_x, n): Entry => ({ ...first, fan: `fan-${n}` })),
      );
      await until(() => tries >= 6);
      // A score that comes meanwhile does not wait for the boards.
      projector.add([entry('late')]);
      await until(() => written.flat().includes('late@1'));
      expect(projector.settledTo).to.equal(1_900_000_000_000);
      // Two boards a try, of the hub and of the one discipline, and one part a try.
      expect(tries % 2).to.equal(0);
      boardsAway = false;
      await projector.idle();
      expect(written.flat()).to.have.length(5001);
      expect(new Set(placed.flat()).size).to.equal(5001);
    },
  );

  it(
    'of a fan whose entries nobody is sure of hold up no other fan’s score while the boards ' +
      'are away',
    async () => {
      const projector = startProjector(new Map([['lost', headOf(entry('lost'))]]));
      boardsAway = true;
      projector.addUnsure([{ fan: 'lost', since: 1_899_000_000_000 }]);
      projector.add([entry('other')]);
      await until(() => written.flat().includes('other@1'));
      boardsAway = false;
      await projector.idle();
      expect(projector.isClear).to.equal(true);
    },
  );

  it(
    'go on where they were when the scores went away in the middle, with what is newest of a ' +
      'fan',
    async () => {
      const projector = startProjector();
      scoresAway = (part) => part === 2;
      const first = entry('fan-0');
      projector.add(
        Array.from({ length: 5000 }, (_x, n): Entry => ({ ...first, fan: `fan-${n}` })),
      );
      await until(() => written.length === 2);
      const second = entry('fan-4999', headOf(first));
      projector.add([second]);
      // An older one that is heard late changes nothing.
      projector.add([{ ...first, fan: 'fan-4999' }]);
      scoresAway = () => false;
      await projector.idle();
      expect(written.flat()).to.have.length(5000);
      expect(written.flat()).to.include('fan-4999@2').and.not.include('fan-4999@1');
      expect(placed.flat().filter((name) => name.startsWith('fan-4999@'))).to.deep.equal([
        'fan-4999@2',
      ]);
    },
  );
});
