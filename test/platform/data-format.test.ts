import { expect } from 'chai';
import mongoose, { type Connection } from 'mongoose';
import { ConfigError } from '../../server/config.js';
import { claimDataFormat, DATA_FORMAT } from '../../server/platform/data-format.js';
import { startWorld, type World } from '../support/world.js';

describe('the form of the data in a database', () => {
  let world: World;
  let empty: Connection;

  before(async () => {
    world = await startWorld({ search: false });
    const { uri, name } = world.context.config.mongodb;
    empty = await mongoose.createConnection(uri, { dbName: `${name}-other` }).asPromise();
  });
  beforeEach(() => empty.dropDatabase());
  after(async () => {
    await empty.dropDatabase();
    await empty.close();
    await world.close();
  });
  const marks = () => empty.collection('data_format').find().toArray();
  const refusal = (): Promise<unknown> =>
    claimDataFormat(empty).then(
      () => null,
      (error: unknown) => error,
    );

  it('is marked in an empty one, once, however many processes start at once', async () => {
    await Promise.all([claimDataFormat(empty), claimDataFormat(empty), claimDataFormat(empty)]);
    expect(await marks()).to.deep.equal([{ _id: 'village', version: DATA_FORMAT }]);
    await empty.collection('fans').insertOne({ handle: 'somebody' });
    await claimDataFormat(empty);
  });

  it('is refused where it was written before the mark, in a line that says what to do', async () => {
    await empty.collection('fans').insertOne({ handle: 'somebody' });
    const error = await refusal();
    expect(error).to.be.instanceOf(ConfigError);
    expect(String(error)).to.match(/earlier development version.*DATA_DIR/);
    expect(await marks()).to.deep.equal([]);
  });

  it('is refused where it is another', async () => {
    await empty
      .collection('data_format')
      .insertOne({ _id: 'village' as never, version: DATA_FORMAT - 1 });
    expect(String(await refusal())).to.contain(`have form ${DATA_FORMAT - 1}`);
  });
});
