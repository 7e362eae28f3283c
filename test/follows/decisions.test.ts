import { expect } from 'chai';
import { decide, decidedAs, withLosses, type Decided } from '../../server/follows/decisions.js';
import type { Card } from '../../server/networks/cards.js';
import type { DeedState } from '../../server/points/service.js';

const CARD: Card = {
  id: 'x@2',
  network: 'x',
  version: 2,
  mode: 'confirmed',
  deeds: ['follow'],
  from: '',
  signedBy: '',
};
const at = (turn: number, card: string): DeedState => ({
  turn,
  card,
  askedAt: new Date(0),
  cause: 'network_yes',
});
const NEVER = undefined;
const HELD = at(1, 'x@1:confirmed');
const HELD_HERE = at(3, 'x@1:hub');
const TAKEN = at(2, 'x@1:confirmed');

/** LEDGER 4: what an answer means for a deed, by how it stands and whether a yes earns now. */
describe('what an answer of a network means', () => {
  for (const [verdict, name, state, card, decision] of [
    ['yes', 'never done', NEVER, CARD, { kind: 'give', card: CARD, seen: 0 }],
    ['yes', 'taken back', TAKEN, CARD, { kind: 'give', card: CARD, seen: 2 }],
    ['yes', 'never done, without a card', NEVER, null, { kind: 'nothing' }],
    ['yes', 'held', HELD, CARD, { kind: 'hold', turn: 2 }],
    ['yes', 'held, without a card', HELD, null, { kind: 'hold', turn: 2 }],
    ['yes', 'held under hub', HELD_HERE, CARD, { kind: 'hold', turn: 4 }],
    ['no', 'held', HELD, CARD, { kind: 'doubt', turn: 2, card: 'x@1:confirmed' }],
    ['no', 'held, without a card', HELD, null, { kind: 'doubt', turn: 2, card: 'x@1:confirmed' }],
    ['no', 'held under hub', HELD_HERE, CARD, { kind: 'nothing' }],
    ['no', 'never done', NEVER, CARD, { kind: 'nothing' }],
    ['no', 'taken back', TAKEN, CARD, { kind: 'nothing' }],
    ['unknown', 'held', HELD, CARD, { kind: 'nothing' }],
    ['unknown', 'never done', NEVER, CARD, { kind: 'nothing' }],
    ['unsupported', 'held', HELD, CARD, { kind: 'nothing' }],
  ] as const)
    it(`a ${verdict} about a deed ${name}: ${decision.kind}`, () => {
      expect(decide(verdict, state, card)).to.deep.equal(decision);
    });

  it('a doubt becomes a take-back where it is lost, under the card of the give', () => {
    const doubt = { kind: 'doubt', turn: 2, card: 'x@1:confirmed' } as const;
    const decided = ['a', 'b'].map((deed) => ({ deed, decision: doubt }) as unknown as Decided);
    const after = withLosses(decided, new Set(['b']));
    expect(after.map(({ deed, decision }) => [deed, decision.kind])).to.deep.equal([
      ['a', 'doubt'],
      ['b', 'take'],
    ]);
    expect(decidedAs(after, 'take').map(({ decision }) => decision)).to.deep.equal([
      { ...doubt, kind: 'take' },
    ]);
  });
});
