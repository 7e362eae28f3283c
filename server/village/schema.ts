import { z } from 'zod';
import { signsOf, tidyText } from '../platform/text.js';

const slug = z.string().regex(/^[a-z0-9-]{1,80}$/);
const clientId = z.string().regex(/^[\w-]{8,64}$/);
/**
 * Signs of a message as readers count them, and its length in the store: an emoji of many parts is
 * one sign.
 */
const SIGNS = 280;
const UNITS = 1120;
/** What people type, as it may be shown (`tidyText`): something to see, and not too much of it. */
const text = z
  .string()
  .max(2000)
  .transform(tidyText)
  .pipe(
    z
      .string()
      .min(1)
      .check((typed) => {
        if (
          typed.value.length > UNITS ||
          (typed.value.length > SIGNS && signsOf(typed.value).length > SIGNS)
        )
          typed.issues.push({
            code: 'too_big',
            origin: 'string',
            maximum: SIGNS,
            inclusive: true,
            input: typed.value,
          });
      }),
  );

export const Join = z.strictObject({ chat: slug, after: z.number().int().min(0).optional() });
export const Leave = z.strictObject({ chat: slug });
/**
 * What a message is counted by, whatever else was sent: looking at its text is what costs, so that
 * comes after.
 */
export const Saying = z.looseObject({ clientId });
export const Say = z.strictObject({ chat: slug, text, clientId });
export const SayForm = z.object({ text, clientId, csrf: z.string().optional() });
/** What a host or organiser may make of a room. */
export const StateForm = z.object({
  state: z.enum(['live', 'paused', 'ended']),
  csrf: z.string().optional(),
});
export const Messages = z.object({
  after: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(100),
});
