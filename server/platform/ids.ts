import { createHash, randomFillSync } from 'node:crypto';

/**
 * Random bytes, drawn from the system for many calls at once, which costs as much as for one. Each
 * byte is used once.
 */
const pool = Buffer.alloc(4096);
let used = pool.length;

/** Random bytes as base64url: unguessable and meaningless (ASVS 11.5.1). */
export function randomText(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('base64url', used - bytes, used);
}

/** A random id of 128 bits. */
export const randomId = (): string => randomText(16);

/** The SHA-256 of a text, in hex. */
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
