import { expect } from 'chai';
import mongoose from 'mongoose';
import { isStoreAway } from '../../server/platform/mongo.js';
import { inTransaction } from '../../server/platform/transaction.js';
import { startWorld, type World } from '../support/world.js';

describe('a transaction', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await things().insertMany([
      { _id: 'a', value: 0 },
      { _id: 'b', value: 0 },
    ]);
  });
  after(() => world.close());
  const things = () =>
    world.context.connection.collection<{ _id: string; value: number }>('things');
  const values = async () => (await things().find().sort({ _id: 1 }).toArray()).map((t) => t.value);
  const add = (ids: string[], after: () => void = () => undefined) =>
    inTransaction(world.context.connection, async (session) => {
      for (const _id of ids) await things().updateOne({ _id }, { $inc: { value: 1 } }, { session });
      after();
      return ids.length;
    });

  it('writes all or nothing, and answers what was made of it', async () => {
    expect(await add(['a', 'b'])).to.equal(2);
    const failed = add(['a', 'b'], () => {
      throw new Error('injected');
    });
    expect(await failed.catch((error: unknown) => (error as Error).message)).to.equal('injected');
    expect(await values()).to.deep.equal([1, 1]);
  });

  it('is begun again where others write the same at once, and every write counts', async () => {
    let begun = 0;
    await Promise.all(
      Array.from({ length: 4 }, () =>
        add(['a', 'b'], () => {
          begun += 1;
        }),
      ),
    );
    expect(await values()).to.deep.equal([5, 5]);
    expect(begun).to.be.at.least(4);
  });

  it('ends as a store that is away when others are in the way for too long', async () => {
    const conflict = new mongoose.mongo.MongoServerError({ message: 'injected', code: 112 });
    conflict.addErrorLabel('TransientTransactionError');
    let begun = 0;
    const ended = inTransaction(
      world.context.connection,
      () => {
        begun += 1;
        return Promise.reject(conflict);
      },
      30,
    );
    expect(isStoreAway(await ended.catch((error: unknown) => error))).to.equal(true);
    expect(begun).to.be.greaterThan(1);
  });

  it('asks again whether it was committed where the store left that open', async () => {
    const { connection } = world.context;
    let asked = 0;
    const written = await inTransaction(connection, async (session) => {
      await things().updateOne({ _id: 'a' }, { $set: { value: 100 } }, { session });
      const commit = session.commitTransaction.bind(session);
      session.commitTransaction = async () => {
        asked += 1;
        await commit();
        if (asked > 1) return;
        const open = new mongoose.mongo.MongoNetworkError('injected');
        open.addErrorLabel('UnknownTransactionCommitResult');
        throw open;
      };
      return 'written';
    });
    expect([written, asked, (await values())[0]]).to.deep.equal(['written', 2, 100]);
  });
});
