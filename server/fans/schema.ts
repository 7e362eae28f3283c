import { z } from 'zod';
import { tidyLine } from '../platform/text.js';
import { NETWORKS } from '../networks/network.js';
import { ROLES, SCOPES } from '../platform/rights.js';

const COUNTRY = /^[A-Z]{2}$/;

/** What is typed as a name is judged by `naming.ts`, which says more than a schema can. */
const name = z.string().max(4000);

/** The first page: what to be called, birth year, country, language, consent. */
export const FirstPage = z.object({
  name,
  birthYear: z
    .string()
    .regex(/^(19|20)\d\d$/, 'no_year')
    .transform(Number)
    .refine((year) => year >= 1900 && year <= new Date().getUTCFullYear(), 'no_year'),
  country: z.string().regex(COUNTRY, 'no_country'),
  language: z.enum(['fr', 'en']),
  consent: z.literal('yes', { error: 'no_consent' }),
  csrf: z.string().optional(),
});

export type FirstPage = z.output<typeof FirstPage>;

/** Another name, in the settings. */
export const NewName = z.object({ name, csrf: z.string().optional() });

/** A new personal token: what it is called, and what it may do. */
export const NewToken = z.object({
  name: z
    .string()
    .max(400)
    .transform((typed) => tidyLine(typed))
    .pipe(z.string().min(1).max(60)),
  scopes: z
    .union([z.enum(SCOPES).transform((scope) => [scope]), z.array(z.enum(SCOPES)).min(1)])
    .default([...SCOPES]),
  csrf: z.string().optional(),
});

/** How pages look, chosen by the reader. */
export const Taste = z.object({
  theme: z.enum(['auto', 'light', 'dark', 'contrast']).optional(),
  returnTo: z.string().max(500).optional(),
  csrf: z.string().optional(),
});

/**
 * What the room of fans says in `GET /api/v1/me`. The room that answers it adds what other rooms
 * know: points, medal, `seq`.
 */
export const FanAnswer = z.object({
  id: z.string(),
  handle: z.string(),
  country: z.string(),
  language: z.string(),
  roles: z.array(z.enum(ROLES)),
});
export type FanAnswer = z.infer<typeof FanAnswer>;

/**
 * A fan's own account on a network. `handle` is null where people have none there; `lost` says that
 * the network has dropped its permission.
 */
export const IdentityAnswer = z.object({
  network: z.enum(NETWORKS),
  handle: z.string().nullable(),
  linkedAt: z.iso.datetime(),
  lost: z.boolean(),
});
export type IdentityAnswer = z.infer<typeof IdentityAnswer>;
