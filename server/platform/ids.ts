import { createHash, randomFillSync } from 'node:crypto';

/** Random bytes as base64url: unguessable and meaningless (ASVS 11.5.1). */
export function randomText(bytes: number): string {
  if (at + bytes > pool.length) {
    randomFillSync(pool);
    at = 0;
  }
  at += bytes;
  return pool.toString('base64url', at - bytes, at);
}

// Asked from the system for hundreds at once, which costs as much as for one: each byte is used
// once.
const pool = Buffer.alloc(4096);
let at = pool.length;

/** A random id of 128 bits. */
export const randomId = (): string => randomText(16);

/** SHA-256, hex. */
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
