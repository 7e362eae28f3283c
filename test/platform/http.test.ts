import { expect } from 'chai';
import express, { type Request } from 'express';
import { byteRange } from '../../server/platform/http.js';

describe('byte ranges', () => {
  const rangeOf = (range: string | undefined) => {
    const request = Object.create(express.request) as Request;
    return byteRange(Object.assign(request, { headers: { range } }), 100);
  };
  for (const [header, range] of [
    ['bytes=0-9', { start: 0, end: 9 }],
    ['bytes=90-', { start: 90, end: 99 }],
    ['bytes=-10', { start: 90, end: 99 }],
    ['bytes=50-500', { start: 50, end: 99 }],
    ['bytes=-500', { start: 0, end: 99 }],
    [undefined, null],
    ['bytes=0-1,5-6', null],
  ] as const)
    it(`${String(header)} of 100 bytes`, () => {
      expect(rangeOf(header)).to.deep.equal(range);
    });
  for (const header of ['bytes=100-', 'bytes=9-5', 'bytes=-0', 'bytes=a-b', 'items=0-1', 'bytes=-'])
    it(`refuses ${header}`, () => {
      expect(() => rangeOf(header)).to.throw('bad_range');
    });
});
