import { z } from 'zod';
import { NETWORKS } from '../networks/network.js';
import { isDiscipline } from './disciplines.js';

const text = z.string().trim();
/**
 * What the directory can be asked. Every value once (ASVS 15.3.7): a repeated parameter arrives as
 * a list and is refused.
 */
export const Search = z.object({
  q: text.max(100).optional(),
  discipline: text
    .refine((slug) => slug === '' || isDiscipline(slug), 'unknown_discipline')
    .optional(),
  noc: text
    .regex(/^([A-Za-z]{3})?$/)
    .transform((code) => code.toUpperCase())
    .optional(),
  games: text.regex(/^(\d{4}-(summer|winter))?$/).optional(),
  status: z.enum(['active', 'former', 'qualified', '']).optional(),
  network: z.enum([...NETWORKS, '']).optional(),
  verified: z.enum(['1', '']).optional(),
});
export type Search = z.output<typeof Search>;

/** The query of `GET /api/v1/athletes`, which goes on by a cursor. */
export const ApiSearch = Search.extend({
  cursor: text.max(400).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});

/** The query of the directory's page, which has numbered pages. */
export const PageSearch = Search.extend({
  page: z.coerce.number().int().min(1).max(10_000).default(1),
});
export type PageSearch = z.output<typeof PageSearch>;

/** A verified account. `id` is the network's own: what the follow doors call `account`. */
export const AccountAnswer = z.object({
  id: z.string(),
  network: z.enum(NETWORKS),
  handle: z.string(),
  url: z.string(),
  since: z.iso.datetime(),
});
export type AccountAnswer = z.infer<typeof AccountAnswer>;

/** A person in the answer of `GET /api/v1/athletes`. */
export const AthleteItemAnswer = z.object({
  slug: z.string(),
  name: z.string(),
  noc: z.string().nullable(),
  disciplines: z.array(z.string()),
  status: z.enum(['active', 'former', 'qualified']),
  accounts: z.array(AccountAnswer),
});
export type AthleteItemAnswer = z.infer<typeof AthleteItemAnswer>;

/**
 * The answer of `GET /api/v1/athletes`. `partial` says that search is being prepared, and only
 * exact words and beginnings of names were found.
 */
export const AthletesAnswer = z.object({
  items: z.array(AthleteItemAnswer),
  nextCursor: z.string().nullable(),
  total: z.number().int(),
  partial: z.literal(true).optional(),
});
export type AthletesAnswer = z.infer<typeof AthletesAnswer>;

/**
 * A verified account on an athlete's own page. `turn` and `followed` are there for a signed-in fan
 * only; `earns` says whether a follow is worth a point.
 */
export const AthleteAccountAnswer = AccountAnswer.extend({
  since: z.iso.datetime().nullable(),
  turn: z.number().int().optional(),
  followed: z.boolean().optional(),
  earns: z.boolean(),
});
export type AthleteAccountAnswer = z.infer<typeof AthleteAccountAnswer>;

/**
 * What the directory says of a person in `GET /api/v1/athletes/:slug`. The room that answers it
 * adds what other rooms know: accounts, points to earn, videos, the next chat.
 */
export const AthleteFactsAnswer = z.object({
  slug: z.string(),
  name: z.string(),
  noc: z.string().nullable(),
  country: z.string(),
  disciplines: z.array(z.string()),
  status: z.enum(['active', 'former', 'qualified']),
  games: z.array(z.string()),
  medals: z.object({
    gold: z.number().int(),
    silver: z.number().int(),
    bronze: z.number().int(),
  }),
  demo: z.boolean(),
});
export type AthleteFactsAnswer = z.infer<typeof AthleteFactsAnswer>;
