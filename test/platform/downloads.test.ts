import { expect } from 'chai';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { Downloads } from '../../server/platform/downloads.js';
import { refused } from '../support/refused.js';

/** A reader who takes everything, or who takes one chunk and then nothing more. */
function reader(greedy: boolean): Writable & { bytes: number } {
  const to = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, taken) {
      (this as unknown as { bytes: number }).bytes += chunk.length;
      if (greedy) taken();
    },
  });
  return Object.assign(to, { bytes: 0 });
}
/** Chunks of 1,000 bytes, and how many were asked for. */
function source(chunks: number): AsyncIterable<Uint8Array> & { read: number } {
  return {
    read: 0,
    async *[Symbol.asyncIterator]() {
      for (; this.read < chunks; this.read += 1) yield await Promise.resolve(new Uint8Array(1000));
    },
  };
}

describe('large answers', () => {
  const limits = { fan: 2, address: 3, all: 4, idleMs: 60_000 };

  it('go to who takes them whole, and free their place', async () => {
    const downloads = new Downloads(limits);
    const to = reader(true);
    const download = downloads.begin({ fan: 'ann' });
    expect(downloads.open).to.equal(1);
    await download.send(source(50), to);
    expect([to.bytes, downloads.open]).to.deep.equal([50_000, 0]);
  });

  it('are read no further than they are taken', async () => {
    const downloads = new Downloads(limits);
    const from = source(1000);
    const to = reader(false);
    const sending = downloads.begin({ fan: 'ann' }).send(from, to);
    // Whatever would be read ahead has been read when this many turns of the event loop have
    // passed.
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(from.read).to.be.at.most(2);
    to.destroy();
    await sending;
    expect(downloads.open).to.equal(0);
  });

  it('end where nobody takes anything, without a fault', async () => {
    const downloads = new Downloads({ ...limits, idleMs: 20 });
    const to = reader(false);
    const closed = once(to, 'close').catch(() => undefined);
    to.on('error', () => undefined);
    await downloads.begin({ fan: 'ann' }).send(source(1000), to);
    await closed;
    expect([to.destroyed, downloads.open]).to.deep.equal([true, 0]);
  });

  it(
    'are so many a fan and an address: the oldest ends for the newest, and another reader’s ' +
      'goes on',
    async () => {
      const downloads = new Downloads(limits);
      const start = (to: Parameters<Downloads['begin']>[0]) => {
        const stream = reader(false);
        stream.on('error', () => undefined);
        return { stream, sending: downloads.begin(to).send(source(1000), stream) };
      };
      const [first, second] = [start({ fan: 'ann' }), start({ fan: 'ann' })];
      const other = start({ fan: 'ben' });
      const third = start({ fan: 'ann' });
      await first.sending;
      expect([
        first.stream.destroyed,
        second.stream.destroyed,
        third.stream.destroyed,
        other.stream.destroyed,
      ]).to.deep.equal([true, false, false, false]);
      expect(downloads.open).to.equal(3);
      start({ address: 'ann' });
      expect(downloads.open, 'an address of the same letters is somebody else').to.equal(4);
      expect(await refused(() => downloads.begin({ fan: 'cid' }))).to.equal('busy');
      // Whoever has too many gets a place all the same: an old one of theirs goes.
      start({ fan: 'ann' });
      await second.sending;
      expect([second.stream.destroyed, downloads.open]).to.deep.equal([true, 4]);
      other.stream.destroy();
      await other.sending;
      start({ fan: 'cid' });
      expect(downloads.open).to.equal(4);
    },
  );

  it('leave their reader to another answer when the source fails before its first chunk', async () => {
    const downloads = new Downloads(limits);
    const away = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('away')) }),
    };
    const to = reader(true);
    const failure = await downloads
      .begin({ fan: 'ann' })
      .send(away, to)
      .catch((error: unknown) => error);
    expect([String(failure), downloads.open, to.destroyed, to.writable]).to.deep.equal([
      'Error: away',
      0,
      false,
      true,
    ]);
  });

  it(
    'end with whoever was answered otherwise, or ended, while the first chunk was read; the ' +
      'place is free again',
    async () => {
      for (const how of ['answered', 'ended'] as const) {
        const downloads = new Downloads({ ...limits, fan: 1 });
        let come: (chunk: IteratorResult<Uint8Array>) => void = () => undefined;
        let told = false;
        const slow = {
          [Symbol.asyncIterator]: () => ({
            next: () =>
              new Promise<IteratorResult<Uint8Array>>((resolve) => {
                come = resolve;
              }),
            return: () => {
              told = true;
              return Promise.resolve({ done: true as const, value: undefined });
            },
          }),
        };
        const to = reader(true);
        const sending = downloads.begin({ fan: 'ann' }).send(slow, to);
        if (how === 'answered') to.end();
        else downloads.begin({ fan: 'ann' });
        come({ done: false, value: new Uint8Array(1000) });
        await sending;
        expect([to.bytes, told, downloads.open], how).to.deep.equal([
          0,
          true,
          how === 'answered' ? 0 : 1,
        ]);
        if (how === 'ended') expect(to.destroyed).to.equal(true);
      }
    },
  );

  it('tell a source that fails', async () => {
    const downloads = new Downloads(limits);
    const broken = (async function* () {
      yield await Promise.resolve(new Uint8Array(1));
      throw new Error('no such chunk');
    })();
    const to = reader(true);
    to.on('error', () => undefined);
    const failure = await downloads
      .begin({ fan: 'ann' })
      .send(broken, to)
      .catch((error: unknown) => error);
    expect([String(failure), downloads.open]).to.deep.equal(['Error: no such chunk', 0]);
  });
});
