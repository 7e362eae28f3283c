import { expect } from 'chai';
import fc from 'fast-check';
import { makeDeed, readDeed, type DeedKind } from '../../server/points/service.js';

describe('the key of a deed', () => {
  it('reads as what it was made of, whatever the id of the network is', () => {
    const id = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        'did:plc:z72i7',
        'at://did:plc:z72i7/app.bsky.feed.post/3k',
        ':',
        '',
        '@a@b:8',
      ),
    );
    fc.assert(
      fc.property(
        fc.constantFrom<DeedKind>('follow', 'like'),
        fc.stringMatching(/^[^:]{1,12}$/),
        id,
        (kind, network, id) => {
          const deed = { kind, network, id };
          expect(readDeed(makeDeed(deed))).to.deep.equal(deed);
        },
      ),
    );
  });

  it(
    'is kind, network and id in this very order: a key that was written is never read ' +
      'otherwise',
    () => {
      expect(makeDeed({ kind: 'follow', network: 'bluesky', id: 'did:plc:abc' })).to.equal(
        'follow:bluesky:did:plc:abc',
      );
      expect(readDeed('like:facebook:42')).to.deep.equal({
        kind: 'like',
        network: 'facebook',
        id: '42',
      });
    },
  );

  it('is refused where it could not be read back, or is none', () => {
    for (const network of ['', 'a:b'])
      expect(() => makeDeed({ kind: 'follow', network, id: '1' })).to.throw();
    for (const key of ['', 'follow', 'follow:x', 'follow::1', 'share:x:1', ':x:1'])
      expect(() => readDeed(key), key).to.throw();
  });
});
