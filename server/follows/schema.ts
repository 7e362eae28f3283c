import { z } from 'zod';

const network = z.enum(['x', 'facebook']);
const turn = z.coerce.number().int().min(0).max(1_000_000);
export const FollowBody = z.object({ network, turn: turn.optional(), csrf: z.string().optional() });
