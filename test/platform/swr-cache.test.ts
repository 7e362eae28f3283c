import { expect } from 'chai';
import { SwrCache } from '../../server/platform/swr-cache.js';

describe('answers that may be a little old', () => {
  let now = 0;
  let loads = 0;
  let fresh: SwrCache<number>;
  const load = (): Promise<number> => Promise.resolve((loads += 1));
  beforeEach(() => {
    now = 1000;
    loads = 0;
    fresh = new SwrCache<number>(100, 2, () => now);
  });

  it(
    'are loaded once for all who ask together, and again when they are too old or the clock ' +
      'was set back',
    async () => {
      expect(await Promise.all([fresh.get('a', load), fresh.get('a', load)])).to.deep.equal([1, 1]);
      now += 100;
      expect(await fresh.get('a', load)).to.equal(2);
      now -= 500;
      expect(await fresh.get('a', load)).to.equal(3);
    },
  );

  it(
    'are loaded anew beside the answer in the second half of their time, once, so that nobody ' +
      'waits',
    async () => {
      await fresh.get('a', load);
      now += 49;
      expect([await fresh.get('a', load), loads]).to.deep.equal([1, 1]);
      now += 1;
      let read: (value: number) => void = () => undefined;
      const slow = (): Promise<number> => new Promise((resolve) => (read = resolve));
      expect([await fresh.get('a', slow), await fresh.get('a', load), loads]).to.deep.equal([
        1, 1, 1,
      ]);
      read(7);
      await Promise.resolve();
      expect(await fresh.get('a', load)).to.equal(7);
      now += 99;
      expect(await fresh.get('a', () => Promise.reject(new Error('away')))).to.equal(7);
      now += 1;
      expect(await fresh.get('a', load)).to.equal(2);
    },
  );

  it('are never an older answer once news have come, though a renewal was under way', async () => {
    await fresh.get('a', load);
    now += 60;
    let read: (value: number) => void = () => undefined;
    await fresh.get('a', () => new Promise((resolve) => (read = resolve)));
    fresh.invalidate('a');
    const after = await fresh.get('a', load);
    read(99);
    await Promise.resolve();
    expect([after, await fresh.get('a', load)]).to.deep.equal([2, 2]);
  });

  it('are not kept when the load failed', async () => {
    const failed = await fresh
      .get('a', () => Promise.reject(new Error('away')))
      .catch((error: unknown) => String(error));
    expect([failed, await fresh.get('a', load)]).to.deep.equal(['Error: away', 1]);
  });

  it(
    'are forgotten at news, also those that are being loaded: what was read before the news ' +
      'is kept for nobody',
    async () => {
      let read: (value: number) => void = () => undefined;
      const early = fresh.get('a', () => new Promise<number>((resolve) => (read = resolve)));
      fresh.invalidate('a');
      const late = await fresh.get('a', load);
      read(99);
      expect([await early, late, await fresh.get('a', load)]).to.deep.equal([99, 1, 1]);
    },
  );

  it('are bounded: the one put in first goes first', async () => {
    for (const key of ['a', 'b', 'c']) await fresh.get(key, load);
    expect(await fresh.get('c', load)).to.equal(3);
    expect(await fresh.get('a', load)).to.equal(4);
  });
});
