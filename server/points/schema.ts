import { z } from 'zod';

export const BoardQuery = z.object({
  around: z.literal('me').optional(),
  cursor: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});
export const BoardPageQuery = z.object({
  page: z.coerce.number().int().min(1).max(100_000).default(1),
});
export const StatementQuery = z.object({
  cursor: z
    .string()
    .regex(/^\d{1,9}$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});
