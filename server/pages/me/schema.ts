import { z } from 'zod';

/** `GET /api/v1/me`: who the reader is here. */
export const MeAnswer = z.object({
  id: z.string(),
  handle: z.string(),
  country: z.string(),
  language: z.string(),
  roles: z.array(z.string()),
  points: z.number(),
  medal: z.string().nullable(),
  identities: z.array(
    z.object({
      network: z.string(),
      handle: z.string().nullable(),
      linkedAt: z.iso.datetime(),
      lost: z.boolean().meta({ description: 'the network dropped the permission' }),
    }),
  ),
  seq: z.number().meta({ description: 'entries in the statement' }),
});
/** The inferred answer. */
export type MeAnswer = z.infer<typeof MeAnswer>;
