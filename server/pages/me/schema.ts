import { z } from 'zod';
import { FanAnswer, IdentityAnswer } from '../../fans/schema.js';

/** `GET /api/v1/me`: who the reader is here, and how they stand. */
export const MeAnswer = FanAnswer.extend({
  points: z.number(),
  medal: z.string().nullable(),
  identities: z.array(IdentityAnswer),
  seq: z.number().meta({ description: 'entries in the statement' }),
});
/** The inferred answer. */
export type MeAnswer = z.infer<typeof MeAnswer>;
