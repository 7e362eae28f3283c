import { expect } from 'chai';
import { cardText, parseCardText } from '../../server/follows/card-text.js';
import { heldUnder, isRechecked } from '../../server/follows/deed-states.js';
import { readDeed } from '../../server/points/service.js';
import { HOUR } from '../support/world.js';

describe('keys that are read back', () => {
  for (const [deed, kind, network, id] of [
    ['follow:x:1234', 'follow', 'x', '1234'],
    ['like:facebook:page', 'like', 'facebook', 'page'],
    ['follow:bluesky:did:plc:abc:d', 'follow', 'bluesky', 'did:plc:abc:d'],
    ['follow:mastodon:https://m.example/@ann', 'follow', 'mastodon', 'https://m.example/@ann'],
    ['follow:x:', 'follow', 'x', ''],
  ] as const)
    it(`a deed ${deed} is about the account ${id || '(none)'}`, () => {
      expect(readDeed(deed)).to.deep.equal({ kind, network, id });
    });

  for (const [text, id, mode] of [
    ['x@2:confirmed', 'x@2', 'confirmed'],
    ['a:b@10:hub', 'a:b@10', 'hub'],
    ['x@2', 'x@2', ''],
  ] as const)
    it(`a card text ${text} is of the card ${id}`, () => {
      expect(parseCardText(text)).to.deep.equal({ id, mode });
    });

  it('a card text is read as it was written', () => {
    const card = { id: 'x@3', mode: 'hub' } as const;
    expect(parseCardText(cardText(card))).to.deep.equal(card);
  });

  const now = new Date('2026-11-24T12:00:00Z');
  const state = (turn: number, card: string, hoursAgo = 0) => ({
    turn,
    card,
    askedAt: new Date(now.getTime() - hoursAgo * HOUR),
    cause: 'network_yes',
  });
  for (const [name, given, under, isAgain] of [
    ['a deed never done', undefined, null, false],
    ['one held under hub', state(1, 'x@1:hub'), 'hub', false],
    ['one held under confirmed', state(3, 'a:b@1:confirmed', 500), 'confirmed', true],
    ['one taken back lately', state(2, 'x@1:confirmed', 71), null, true],
    ['one taken back long ago', state(2, 'x@1:confirmed', 73), null, false],
    ['one taken back under hub', state(2, 'x@1:hub'), null, false],
  ] as const)
    it(`${name} is held under ${under ?? 'no card'}, and ${isAgain ? 'is' : 'is not'} checked again`, () => {
      expect([heldUnder(given), isRechecked(given, now)]).to.deep.equal([under, isAgain]);
    });
});
