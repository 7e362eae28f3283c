import { expect } from 'chai';
import { BatchLoader } from '../../server/platform/batch-loader.js';

describe('the batch loader', () => {
  let batches: string[][];
  let answer: () => void;
  /** Answers a batch only when the test says so. */
  const held = (keys: string[]): Promise<Map<string, string>> => {
    batches.push(keys);
    return new Promise((resolve) => {
      answer = () => resolve(new Map(keys.map((key) => [key, key.toUpperCase()])));
    });
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  beforeEach(() => {
    batches = [];
  });

  it('reads together what is asked for in one turn of the event loop, each key once', async () => {
    const loader = new BatchLoader((keys: string[]) => {
      batches.push(keys);
      return Promise.resolve(new Map([['a', 1]]));
    });
    expect(await Promise.all(['a', 'b', 'a'].map((key) => loader.load(key)))).to.deep.equal([
      1,
      null,
      1,
    ]);
    expect(batches).to.deep.equal([['a', 'b']]);
    await loader.load('a');
    expect(batches).to.have.length(2);
  });

  it('has one batch in flight, and reads what is asked for meanwhile, anew, in the next', async () => {
    const loader = new BatchLoader(held);
    const first = loader.load('a');
    await turn();
    const later = [loader.load('a'), loader.load('b'), loader.load('a')];
    await turn();
    expect(batches).to.deep.equal([['a']]);
    answer();
    expect(await first).to.equal('A');
    await turn();
    expect(batches).to.deep.equal([['a'], ['a', 'b']]);
    answer();
    expect(await Promise.all(later)).to.deep.equal(['A', 'B', 'A']);
  });

  it('splits what is too much for one batch, one behind the other', async () => {
    const loader = new BatchLoader(held, 2);
    const all = Promise.all(['a', 'b', 'c'].map((key) => loader.load(key)));
    await turn();
    expect(batches).to.deep.equal([['a', 'b']]);
    answer();
    await turn();
    expect(batches).to.deep.equal([['a', 'b'], ['c']]);
    answer();
    expect(await all).to.deep.equal(['A', 'B', 'C']);
  });

  it('tells everybody of a failed batch, and nobody of the next', async () => {
    let reads = 0;
    const loader = new BatchLoader((keys: string[]) => {
      reads += 1;
      if (reads === 1) throw new Error('away');
      return Promise.resolve(new Map(keys.map((key) => [key, key])));
    });
    const said = await Promise.all(
      ['a', 'b', 'a'].map((key) => loader.load(key).catch((error: unknown) => String(error))),
    );
    expect(said).to.deep.equal(['Error: away', 'Error: away', 'Error: away']);
    expect(await loader.load('a')).to.equal('a');
  });

  it('keeps its pace between the beginnings of two reads', async () => {
    const begun: number[] = [];
    const loader = new BatchLoader(
      (keys: string[]) => {
        begun.push(performance.now());
        return Promise.resolve(new Map(keys.map((key) => [key, key])));
      },
      500,
      20,
    );
    for (const key of ['a', 'b']) await loader.load(key);
    expect((begun[1] ?? 0) - (begun[0] ?? 0)).to.be.at.least(18);
  });
});
