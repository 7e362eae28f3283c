import { expect } from 'chai';
import type { AuditRecord } from '../../server/platform/audit.js';
import { startWorld, type World } from '../support/world.js';

/**
 * What is in the log stays in it as it was written (ASVS 16.4.2), whoever tries by whatever way
 * there is.
 */
describe('the audit log', () => {
  let world: World;
  let token: string;
  let line: AuditRecord;
  const ON = 'account:of-a-test';
  before(async () => {
    world = await startWorld();
    await world.athletes();
    ({ token } = await world.fan('moderator1', { role: 'admin' }));
    await world.context.audit.add({
      by: 'somebody',
      act: 'account.granted',
      on: ON,
      reason: 'met in person',
      before: { state: 'candidate' },
    });
    [line] = (await world.context.audit.about(ON)) as [AuditRecord];
  });
  after(() => world.close());
  const model = () => world.context.connection.model<AuditRecord>('Audit');
  const change = { $set: { by: 'somebody else', reason: 'none' } };
  const one = () => ({ _id: line._id });

  for (const [name, attempt] of Object.entries<() => Promise<unknown>>({
    updateOne: () => model().updateOne(one(), change),
    updateMany: () => model().updateMany({}, change),
    'updateOne that adds what it does not find': () =>
      model().updateOne({ by: 'nobody' }, change, { upsert: true }),
    findOneAndUpdate: () => model().findOneAndUpdate(one(), change),
    findByIdAndUpdate: () => model().findByIdAndUpdate(line._id, change),
    replaceOne: () => model().replaceOne(one(), { by: 'somebody else' }),
    findOneAndReplace: () => model().findOneAndReplace(one(), { by: 'somebody else' }),
    deleteOne: () => model().deleteOne(one()),
    deleteMany: () => model().deleteMany({}),
    findOneAndDelete: () => model().findOneAndDelete(one()),
    findByIdAndDelete: () => model().findByIdAndDelete(line._id),
    'bulkWrite of changes': () =>
      model().bulkWrite([{ updateOne: { filter: one(), update: change } }]),
    'bulkWrite of removals': () => model().bulkWrite([{ deleteMany: { filter: {} } }]),
    bulkSave: async () => {
      const found = await model().findById(line._id);
      found?.set('by', 'somebody else');
      return model().bulkSave(found ? [found] : []);
    },
    'save of what was read': async () => {
      const found = await model().findById(line._id);
      found?.set('by', 'somebody else');
      return found?.save();
    },
    'deleteOne of what was read': async () => (await model().findById(line._id))?.deleteOne(),
    'updateOne of what was read': async () => {
      const found = await model().findById(line._id);
      await found?.updateOne(change);
    },
    'insertMany over it': () => model().insertMany([{ ...line, by: 'somebody else' }]),
    'create over it': () => model().create({ ...line, by: 'somebody else' }),
  }))
    it(`refuses ${name}`, async () => {
      const error = await attempt().then(
        () => null,
        (thrown: unknown) => thrown as Error & { code?: number },
      );
      expect(error?.name === 'LogIsFinal' || error?.code === 11000, String(error)).to.equal(true);
      expect(await world.context.audit.about(ON)).to.deep.equal([line]);
      expect(await model().countDocuments({ by: { $in: ['somebody else', 'nobody'] } })).to.equal(
        0,
      );
    });

  it(
    'keeps its lines as they were through every later act on the same thing, and has no door ' +
      'that reaches them',
    async () => {
      const act = (path: string, body: object) =>
        world.api(`/registry/cases${path}`, { method: 'POST', token, body });
      const claim = async (athlete: string): Promise<string> => {
        const { body } = await act('', { account: 'x:athlete1', athlete });
        return (body as unknown as { id: string }).id;
      };
      let id = await claim('athlete1');
      const { account } = await world.context.registry.requireCase(id);
      let kept: AuditRecord[] = [];
      for (const [path, body] of [
        ['decision', { decision: 'fake', reason: 'a first word' }],
        ['decision', { decision: 'grant', reason: 'too late' }],
        ['claim', {}],
        ['owners', { fan: 'x:moderator1', owns: 'yes' }],
        ['decision', { decision: 'grant', reason: 'another word' }],
        ['revocation', { reason: 'a last word' }],
      ] as const) {
        if (path === 'claim') id = await claim('athlete2');
        else await act(`/${id}/${path}`, body);
        const now = await world.context.audit.about(`account:${account._id}`);
        expect(now.slice(now.length - kept.length)).to.deep.equal(kept);
        kept = now;
      }
      expect(kept.map((each) => each.act)).to.deep.equal([
        'account.revoked',
        'account.granted',
        'account.owner',
        'account.submitted',
        'account.refused',
        'account.submitted',
      ]);
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
        for (const path of ['/audit', `/audit/${String(line._id)}`, `/registry/cases/${id}/log`]) {
          const { status } = await world.api(path, {
            method,
            token,
            body: { by: 'somebody else' },
          });
          expect(status, `${method} ${path}`).to.equal(404);
        }
      expect(await world.context.audit.about(ON)).to.deep.equal([line]);
    },
  );
});
