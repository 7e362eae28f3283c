import { z } from 'zod';
import { isDiscipline } from './disciplines.js';

const one = z.string().trim();
/**
 * What the directory can be asked. Every value once (ASVS 15.3.7): a repeated parameter arrives as
 * a list and is refused.
 */
export const Search = z.object({
  q: one.max(100).optional(),
  discipline: one
    .refine((slug) => slug === '' || isDiscipline(slug), 'unknown_discipline')
    .optional(),
  noc: one
    .regex(/^([A-Za-z]{3})?$/)
    .transform((code) => code.toUpperCase())
    .optional(),
  games: one.regex(/^(\d{4}-(summer|winter))?$/).optional(),
  status: z.enum(['active', 'former', 'qualified', '']).optional(),
  network: z.enum(['x', 'facebook', '']).optional(),
  verified: z.enum(['1', '']).optional(),
});

export const ApiSearch = Search.extend({
  cursor: one.max(400).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});

export const PageSearch = Search.extend({
  page: z.coerce.number().int().min(1).max(10_000).default(1),
});
