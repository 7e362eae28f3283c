import { createHash, randomBytes } from 'node:crypto';

/** A random id of 128 bits, base64url: unguessable and meaningless (ASVS 11.5.1). */
export const randomId = (): string => randomBytes(16).toString('base64url');

/** SHA-256, hex. */
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
