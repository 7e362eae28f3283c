import { z } from 'zod';

const network = z.enum(['x', 'facebook']);
const turn = z.coerce.number().int().min(0).max(1_000_000);
/** `account`: the id that `GET /athletes/:slug` lists; needed where an athlete has two on one network. */
const account = z.string().trim().min(1).max(64);
export const FollowBody = z.object({ network, account: account.optional(), turn: turn.optional(), csrf: z.string().optional() });
