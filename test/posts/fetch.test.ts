import { expect } from 'chai';
import { NetworkError, type NetworkId } from '../../server/networks/network.js';
import { startWorld, type World } from '../support/world.js';

describe('posts of verified accounts', () => {
  let world: World;
  const asked: string[] = [];
  /** Throws what a network answers instead. */
  let answer: (network: NetworkId) => void = () => undefined;

  before(async () => {
    world = await startWorld({});
    await world.athletes();
    for (const athlete of ['athlete1', 'athlete2', 'athlete3', 'athlete4', 'athlete5'])
      await world.verify(athlete, 'x');
    await world.verify('athlete1', 'facebook');
    for (const network of ['x', 'facebook'] as const)
      Object.assign(world.context.networks.adapter(network), {
        fetchPosts: ({ account }: { account: string }) => {
          asked.push(`${network}:${account}`);
          answer(network);
          return Promise.resolve([
            {
              network,
              id: `post-${account}`,
              author: account,
              url: 'https://example.org',
              text: 'new',
              createdAt: world.clock.now(),
            },
          ]);
        },
      });
  });
  after(() => world.close());
  beforeEach(() => {
    asked.length = 0;
    answer = () => undefined;
  });

  it('are fetched a few accounts a run, each account once until all had their turn', async () => {
    const { posts } = world.context;
    const runs: number[] = [];
    let after: string | null = '';
    while (after !== null) {
      const before = asked.length;
      after = await posts.fetch(after, 4);
      runs.push(asked.length - before);
    }
    expect(runs).to.deep.equal([4, 2]);
    expect(new Set(asked).size).to.equal(6);
    expect(await world.context.connection.collection('posts').countDocuments()).to.equal(6);
  });

  it(
    'go on behind the account at which a run ended, ' + 'also when it is verified no more',
    async () => {
      const { posts, registry } = world.context;
      const after = await posts.fetch('', 3);
      expect(after).to.equal(asked[2]);
      const gone = await world.context.connection
        .collection('accounts')
        .findOne({ accountId: after?.split(':')[1] });
      await world.context.connection
        .collection('accounts')
        .updateOne({ _id: gone?._id as never }, { $set: { state: 'revoked' } });
      world.context.bus.tell('registry:changed', {
        network: 'x',
        account: String(gone?.['accountId']),
      });
      while ((await registry.verified()).length > 5)
        await new Promise((resolve) => setImmediate(resolve));
      expect(await posts.fetch(after ?? '', 10)).to.equal(null);
      expect(asked).to.have.length(6);
      expect(new Set(asked).size).to.equal(6);
      await world.context.connection
        .collection('accounts')
        .updateOne({ _id: gone?._id as never }, { $set: { state: 'verified' } });
      world.context.bus.tell('registry:changed', {
        network: 'x',
        account: String(gone?.['accountId']),
      });
      while ((await registry.verified()).length < 6)
        await new Promise((resolve) => setImmediate(resolve));
    },
  );

  it('of a network that is down are left for the next time, those of another come', async () => {
    answer = (network) => {
      if (network === 'x') throw new NetworkError(network, 'network_down', 'down');
    };
    expect(await world.context.posts.fetch('', 10)).to.equal(null);
    expect(asked.filter((each) => each.startsWith('x:'))).to.have.length(1);
    expect(asked.filter((each) => each.startsWith('facebook:'))).to.have.length(1);
    answer = () => undefined;
    await world.context.posts.fetch('', 10);
    expect(asked.filter((each) => each.startsWith('x:'))).to.have.length(6);
  });

  it('end at once when the run is told to, and nobody’s turn is lost', async () => {
    const leaving = new AbortController();
    answer = () => {
      leaving.abort(new Error('the worker leaves'));
    };
    const ended: unknown = await world.context.posts
      .fetch('', 10, leaving.signal)
      .catch((error: unknown) => error);
    expect([String(ended), asked.length]).to.deep.equal(['Error: the worker leaves', 1]);
  });
});
