import { createHash, randomFillSync } from 'node:crypto';

/** A random id of 128 bits, base64url: unguessable and meaningless (ASVS 11.5.1). */
export function randomId(): string {
  if (at + 16 > pool.length) {
    randomFillSync(pool);
    at = 0;
  }
  at += 16;
  return pool.toString('base64url', at - 16, at);
}

// Asked from the system for 256 ids at once: each byte is used once.
const pool = Buffer.alloc(4096);
let at = pool.length;

/** SHA-256, hex. */
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
