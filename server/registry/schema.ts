import { z } from 'zod';
import { NETWORKS } from '../networks/network.js';

const csrf = z.string().optional();
const reason = z.string().trim().min(3).max(500);
/** A claim: an account in any form, and the slug of the athlete whose it is said to be. */
export const Submit = z.object({
  account: z.string().trim().min(1).max(300),
  athlete: z.string().trim().min(1).max(120),
  csrf,
});
/** A moderator's decision on a case. */
export const Decide = z.object({ decision: z.enum(['grant', 'refuse', 'fake']), reason, csrf });
/** Why an account is revoked. */
export const Revoke = z.object({ reason, csrf });
/** Whether a fan owns an account; `fan` is an id of the hub, or `network:handle`. */
export const Owner = z.object({
  fan: z.string().trim().min(1).max(100),
  owns: z.enum(['yes', 'no']),
  csrf,
});
/** The account that is looked up. */
export const LookupQuery = z.object({ account: z.string().trim().min(1).max(300) });
/** The queues of cases, by the state in which those leave the account. */
export const QUEUES = ['candidate', 'verified', 'refused', 'revoked'] as const;
/** Which queue is asked for. */
export const Queue = z.object({ state: z.enum(QUEUES).default('candidate') });

const network = z.enum(NETWORKS);
const instant = z.iso.datetime();

/** A case with its account, as every door for moderators answers it. */
export const CaseAnswer = z.object({
  id: z.string(),
  network,
  handle: z.string(),
  url: z.string(),
  /** The id of the athlete whose it is claimed to be. */
  athlete: z.string(),
  state: z.enum(['candidate', 'verified', 'lapsed', 'revoked', 'refused']),
  epoch: z.number().int(),
  quorum: z.number().int(),
  /** How many moderators have granted it. */
  signatures: z.number().int(),
  reason: z.string().nullable(),
  former: z.array(z.object({ handle: z.string(), until: instant })),
  gone: z.boolean(),
  warning: z
    .object({ as: z.enum(['fake', 'revoked']), reason: z.string(), at: instant })
    .nullable(),
  owners: z.array(z.object({ fan: z.string(), by: z.enum(['network', 'moderator']) })),
  submittedAt: instant,
  decidedAt: instant.nullable(),
});
export type CaseAnswer = z.infer<typeof CaseAnswer>;

/** The moderators' queue, and how many cases are open in all. */
export const CasesAnswer = z.object({ items: z.array(CaseAnswer), open: z.number().int() });
export type CasesAnswer = z.infer<typeof CasesAnswer>;

/** What is known of an account that was looked up. */
export const LookupAnswer = z.object({
  result: z.enum([
    'listed',
    'lapsed',
    'revoked',
    'known_fake',
    'lookalike',
    'unknown',
    'not_an_account',
  ]),
  account: z.object({ network, handle: z.string(), url: z.string() }).optional(),
  athlete: z.object({ slug: z.string(), name: z.string() }).optional(),
  since: instant.optional(),
  why: z.string().optional(),
  /** Whom it passes for. */
  of: z
    .object({ name: z.string(), network: network.optional(), handle: z.string().optional() })
    .optional(),
  evidence: z.object({ decidedOn: instant.nullable(), by: z.number().int() }).optional(),
});
export type LookupAnswer = z.infer<typeof LookupAnswer>;
