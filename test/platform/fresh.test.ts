import { expect } from 'chai';
import { Fresh } from '../../server/platform/fresh.js';

describe('answers that may be a little old', () => {
  let now = 0;
  let loads = 0;
  let fresh: Fresh<number>;
  const load = (): Promise<number> => Promise.resolve((loads += 1));
  beforeEach(() => {
    now = 1000;
    loads = 0;
    fresh = new Fresh<number>(100, 2, () => now);
  });

  it('are loaded once for all who ask together, and again when they are too old or the clock was set back', async () => {
    expect(await Promise.all([fresh.get('a', load), fresh.get('a', load)])).to.deep.equal([1, 1]);
    now += 99;
    expect(await fresh.get('a', load)).to.equal(1);
    now += 1;
    expect(await fresh.get('a', load)).to.equal(2);
    now -= 500;
    expect(await fresh.get('a', load)).to.equal(3);
  });

  it('are not kept when the load failed', async () => {
    const failed = await fresh.get('a', () => Promise.reject(new Error('away'))).catch((error: unknown) => String(error));
    expect([failed, await fresh.get('a', load)]).to.deep.equal(['Error: away', 1]);
  });

  it('are forgotten at news, also those that are being loaded: what was read before the news is kept for nobody', async () => {
    let read: (value: number) => void = () => undefined;
    const early = fresh.get('a', () => new Promise<number>((resolve) => (read = resolve)));
    fresh.forget('a');
    const late = await fresh.get('a', load);
    read(99);
    expect([await early, late, await fresh.get('a', load)]).to.deep.equal([99, 1, 1]);
  });

  it('are bounded: the one put in first goes first', async () => {
    for (const key of ['a', 'b', 'c']) await fresh.get(key, load);
    expect(await fresh.get('c', load)).to.equal(3);
    expect(await fresh.get('a', load)).to.equal(4);
  });
});
