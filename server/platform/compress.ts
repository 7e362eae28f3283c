import type { Request, Response } from 'express';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

/** Bytes below which a page is not compressed: what fits into one packet arrives no sooner. */
const LEAST_BYTES = 1400;
const BROTLI = {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: 1,
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
  },
};
const GZIP = { level: 1 };

/**
 * Sends a page, compressed if the reader's browser accepts that. Brotli at its fastest makes our
 * pages 77 % smaller (30 KB to 6.7) in 0.07 ms, gzip at its fastest takes 0.14 ms; brotli at
 * quality 4 makes them 80 % smaller in 0.27 ms, which is half of what a page costs. Work that short
 * would lose more in the thread pool than it gains. Beside text from the address, a compressed page
 * must hold no secret that stays the same (BREACH): form tokens change every time.
 */
export function sendPage(req: Request, res: Response, html: string): void {
  const body = Buffer.from(html);
  if (body.length < LEAST_BYTES) {
    res.send(body);
    return;
  }
  res.vary('Accept-Encoding');
  // Asked about one by one: browsers name gzip first without preferring it.
  const accepted =
    req.headers['accept-encoding'] === undefined
      ? false
      : req.acceptsEncodings('br') || req.acceptsEncodings('gzip');
  if (accepted === 'br') res.set('Content-Encoding', 'br').send(brotliCompressSync(body, BROTLI));
  else if (accepted === 'gzip') res.set('Content-Encoding', 'gzip').send(gzipSync(body, GZIP));
  else res.send(body);
}
