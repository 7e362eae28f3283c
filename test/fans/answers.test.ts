import { expect } from 'chai';
import { z } from 'zod';
import { presentFan, presentIdentity } from '../../server/fans/present.js';
import { FanAnswer, IdentityAnswer } from '../../server/fans/schema.js';
import { startWorld, type World } from '../support/world.js';

/** Parsing leaves out whatever a schema does not name: what comes out is the whole true answer. */
describe('the answer about oneself', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  it('is as its schemas say, a handle where people have one, and none where they have not', async () => {
    const { fan, token } = await world.fan('answered', { networks: ['x', 'facebook'] });
    const { body } = await world.api('/me', { token });
    const { fans } = world.context;
    expect(FanAnswer.parse(body)).to.deep.equal(presentFan(await fans.require(fan._id)));
    const { identities } = body as { identities?: { handle: unknown }[] };
    expect(z.array(IdentityAnswer).parse(identities)).to.deep.equal(identities);
    const linked = await fans.identities.linkedBy(fan._id);
    expect(linked.map(presentIdentity)).to.deep.equal(identities);
    expect(identities?.map(({ handle }) => handle)).to.have.members(['answered', null]);
  });
});
