import { z } from 'zod';

const csrf = z.string().optional();
const reason = z.string().trim().min(3).max(500);
export const Submit = z.object({
  account: z.string().trim().min(1).max(300),
  athlete: z.string().trim().min(1).max(120),
  csrf,
});
export const Decide = z.object({ decision: z.enum(['grant', 'refuse', 'fake']), reason, csrf });
export const Revoke = z.object({ reason, csrf });
/** `fan`: an id of the hub, or `network:handle`. */
export const Owner = z.object({
  fan: z.string().trim().min(1).max(100),
  owns: z.enum(['yes', 'no']),
  csrf,
});
export const LookupQuery = z.object({ account: z.string().trim().min(1).max(300) });
export const Queue = z.object({
  state: z.enum(['candidate', 'verified', 'refused', 'revoked']).default('candidate'),
});
