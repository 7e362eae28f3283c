import { randomBytes } from 'node:crypto';

/** Makes a random text of so many bytes, fit for an address. */
export const secret = (bytes = 24): string => randomBytes(bytes).toString('base64url');
