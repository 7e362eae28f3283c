import { expect } from 'chai';
import { z } from 'zod';
import { presentFacts } from '../../server/athletes/present.js';
import {
  AthleteAccountAnswer,
  AthleteFactsAnswer,
  AthletesAnswer,
} from '../../server/athletes/schema.js';
import { startWorld, type World } from '../support/world.js';

/** Parsing leaves out whatever a schema does not name: what comes out is the whole true answer. */
describe('the answers about athletes', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.athletes();
    await world.verify('athlete1', 'x');
  });
  after(() => world.close());

  it('are as their schemas say, where the directory is searched', async () => {
    const { body } = await world.api('/athletes?q=maelle');
    expect(AthletesAnswer.parse(body)).to.deep.equal(body);
    expect(body).to.have.nested.property('items[0].accounts').with.length(1);
  });

  for (const reader of ['a visitor', 'a fan'])
    it(`are as their schemas say, where ${reader} opens the page of one`, async () => {
      const token = reader === 'a fan' ? (await world.fan('looker')).token : undefined;
      const { body } = await world.api('/athletes/athlete1', token ? { token } : {});
      const facts = presentFacts(await world.context.athletes.require('athlete1'));
      expect(AthleteFactsAnswer.parse(body)).to.deep.equal(facts);
      const { accounts } = body as { accounts?: unknown };
      expect(z.array(AthleteAccountAnswer).nonempty().parse(accounts)).to.deep.equal(accounts);
    });
});
