import { z } from 'zod';

const network = z.enum(['x', 'facebook']);
const turn = z.coerce.number().int().min(0).max(1_000_000);
/**
 * `account`: the id that `GET /athletes/:slug` lists; needed where an athlete has two on one
 * network.
 */
const account = z.string().trim().min(1).max(64);
export const FollowBody = z.object({
  network,
  account: account.optional(),
  turn: turn.optional(),
  csrf: z.string().optional(),
});

/** The network of a path. */
export const NetworkPath = z.object({ network });
/**
 * Letting taking go on: by the stop that was seen (`at`), for the deeds that were seen, for a
 * reason.
 */
export const LetGo = z.object({
  at: z.iso.datetime().transform((text) => new Date(text)),
  deeds: z.coerce.number().int().min(0).max(1_000_000_000),
  reason: z.string().trim().min(3).max(500),
  csrf: z.string().optional(),
});
/**
 * How much of a network's held deeds an hour may take: a share from 0 to 1, and a number that is
 * always allowed.
 */
export const TakingLimits = z.object({
  share: z.coerce.number().min(0).max(1),
  least: z.coerce.number().int().min(0).max(1_000_000),
  csrf: z.string().optional(),
});
