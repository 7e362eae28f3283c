import { expect } from 'chai';
import {
  CheckAnswer,
  FollowAnswer,
  TakingLimitsAnswer,
  TakingListAnswer,
} from '../../server/follows/schema.js';
import { startWorld, type World } from '../support/world.js';

/** What the API answers is all that its schemas say, and nothing else. */
describe('the schemas of follows', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.athletes();
    for (const network of ['x', 'facebook'] as const) await world.verify('athlete1', network);
    await world.context.cards.sign('facebook', { mode: 'hub', deeds: ['like'] }, 'test');
    world.clock.advance(10_000);
  });
  after(() => world.close());
  const act = async (method: string, token: string, network: string): Promise<object> =>
    (await world.api('/athletes/athlete1/follow', { method, token, body: { network } })).body;
  const relate = (handle: string, on: boolean): void => {
    const [fan, star] = [
      world.sandbox.world.person(handle),
      world.sandbox.world.person('athlete1'),
    ];
    if (fan && star) world.sandbox.world.relate('x', fan, star, on);
  };

  it('describe every answer to following and undoing', async () => {
    const { token } = await world.fan('ann');
    await world.settle();
    const answers = [await act('POST', token, 'x')];
    relate('ann', true);
    answers.push(await act('POST', token, 'x'));
    relate('ann', false);
    world.sandbox.world.faults.push({
      ...{ network: 'x', path: '/2/users', status: 429, times: 12, latencyMs: 0, body: null },
    });
    answers.push(await act('DELETE', token, 'x'));
    world.sandbox.world.faults.length = 0;
    answers.push(await act('DELETE', token, 'x'));
    for (let round = 0; round < 3; round += 1)
      for (const method of ['POST', 'DELETE']) await act(method, token, 'facebook');
    answers.push(await act('POST', token, 'facebook'));
    for (const answer of answers) expect(FollowAnswer.strict().parse(answer)).to.deep.equal(answer);
    const told = [...new Set(answers.flatMap((answer) => Object.keys(answer)))];
    expect(told, 'each member was seen').to.have.members(Object.keys(FollowAnswer.shape));
  });

  it('describe the jobs of a check, one or several', async () => {
    for (const [handle, networks] of [
      ['ben', ['x']],
      ['cleo', ['x', 'facebook']],
    ] as const) {
      const { token } = await world.fan(handle, { networks: [...networks] });
      const { body } = await world.api('/follows/check', { method: 'POST', token, body: {} });
      const answer = CheckAnswer.strict().parse(body);
      expect(answer).to.deep.equal(body);
      expect(answer.jobs?.length ?? 1).to.equal(networks.length);
    }
  });

  it('describe what staff are told of taking back', async () => {
    const { token } = await world.fan('organiser1', { role: 'organiser' });
    const records = world.context.connection.collection('take_backs');
    const stop = { at: new Date(), taken: 3, wanted: 1, held: 8, limit: 3 };
    const release = { at: new Date(), by: 'ann', reason: 'looked', deeds: 4 };
    await records.insertOne({ _id: 'x' as never, slices: {}, counted: 1, stop, release });
    const { body } = await world.api('/networks/taking', { token });
    expect(TakingListAnswer.strict().parse(body)).to.deep.equal(body);
    const limits = { share: 0.05, least: 20 };
    const set = await world.api('/networks/taking/limits', { method: 'POST', token, body: limits });
    expect(TakingLimitsAnswer.strict().parse(set.body)).to.deep.equal(limits);
  });
});
