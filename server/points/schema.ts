import { z } from 'zod';
import { MEDALS } from './medals.js';

/** `?around=me&cursor=&limit=` of `/api/v1/boards/:board`. */
export const BoardQuery = z.object({
  around: z.literal('me').optional(),
  cursor: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});
/** `?page=` of the page of a board. */
export const BoardPageQuery = z.object({
  page: z.coerce.number().int().min(1).max(100_000).default(1),
});
/** `?cursor=&limit=` of a statement. */
export const StatementQuery = z.object({
  cursor: z
    .string()
    .regex(/^\d{1,9}$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});
/** A season to be added. No key looks like that of a calendar year (`2026`, `2026-2`). */
export const NewSeason = z.object({
  key: z.string().regex(/^(?!\d{4}(-\d+)?$)[a-z0-9][a-z0-9-]{0,31}$/),
  from: z.iso.date(),
  to: z.iso.date(),
});

const Medal = z.enum(MEDALS);
const count = z.int().min(0);

/** A line of the statement: what moved, when and why. */
const StatementLine = z.object({
  seq: z.int().min(1),
  deed: z.string(),
  turn: z.int().min(1),
  delta: z.union([z.literal(1), z.literal(-1)]),
  points: count,
  athlete: z.string().nullable().meta({ description: 'null for somebody who is no longer shown' }),
  disciplines: z.array(z.string()),
  cause: z.string(),
  card: z.string(),
  askedAt: z.iso.datetime(),
  at: z.iso.datetime(),
  hash: z.string(),
});
/** What `/api/v1/me/ledger` answers, newest first. */
export const StatementAnswer = z.object({
  items: z.array(StatementLine),
  nextCursor: z.string().nullable(),
});
export type StatementAnswer = z.infer<typeof StatementAnswer>;

/** What `/api/v1/me/medals` answers: the hub first, then disciplines by points. */
export const MedalsAnswer = z.object({
  items: z.array(
    z.object({
      scope: z.string(),
      medal: Medal.nullable(),
      points: count,
      next: z.object({ medal: Medal, at: count, missing: count }).nullable(),
      thresholds: z.array(count).length(3),
    }),
  ),
});
export type MedalsAnswer = z.infer<typeof MedalsAnswer>;

/** What `/api/v1/boards/:board` answers. */
export const BoardAnswer = z.object({
  items: z.array(
    z.object({
      rank: z.int().min(1),
      fan: z.string().meta({ description: 'how the fan is called' }),
      country: z.string(),
      points: count,
      me: z.literal(true).optional(),
    }),
  ),
  me: z
    .object({ rank: z.int().min(1), points: count, tied: z.boolean(), above: count.nullable() })
    .nullable(),
  nextCursor: z.string().nullable(),
  total: count,
  counting: z
    .literal(true)
    .optional()
    .meta({ description: 'the board is being counted: ask again in a moment' }),
});
export type BoardAnswer = z.infer<typeof BoardAnswer>;
