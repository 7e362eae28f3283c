import { z } from 'zod';

const slug = z.string().regex(/^[a-z0-9-]{1,80}$/);
const clientId = z.string().regex(/^[\w-]{8,64}$/);
/** What people type: control characters go, at least one visible sign, at most 280 code units. */

const text = z
  .string()
  .max(2000)
  .transform((typed) => typed.replace(/[\u0000-\u0008\u000b-\u001f\u007f\u2028-\u202e\u2066-\u2069]/g, '').trim())
  .pipe(z.string().min(1).max(280));

export const Join = z.strictObject({ chat: slug, after: z.number().int().min(0).optional() });
export const Leave = z.strictObject({ chat: slug });
export const Say = z.strictObject({ chat: slug, text, clientId });
export const SayForm = z.object({ text, clientId, csrf: z.string().optional() });
/** What a host or organiser may make of a room. */
export const StateForm = z.object({ state: z.enum(['live', 'paused', 'ended']), csrf: z.string().optional() });
export const Messages = z.object({ after: z.coerce.number().int().min(0).optional(), limit: z.coerce.number().int().min(1).max(200).default(100) });
