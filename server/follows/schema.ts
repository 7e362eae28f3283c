import { z } from 'zod';
import { NETWORKS } from '../networks/network.js';

const network = z.enum(NETWORKS);
const turn = z.coerce.number().int().min(0).max(1_000_000);
const csrf = z.string().optional();

/** Following and undoing: which account of the athlete, and the turn of its deed last seen. */
export const FollowBody = z.object({
  network,
  /** The id that `GET /athletes/:slug` lists; needed where an athlete has two on one network. */
  account: z.string().trim().min(1).max(64).optional(),
  turn: turn.optional(),
  csrf,
});

/** What came of following or undoing. */
export const FollowAnswer = z.object({
  verdict: z.enum(['yes', 'no', 'unknown', 'unsupported']),
  awarded: z.union([z.literal(0), z.literal(1)]),
  /** The turn that the deed stands at. */
  turn: z.number().int(),
  points: z.number().int(),
  medal: z.string().nullable(),
  /** Videos that the point opened. */
  unlocked: z.array(z.object({ slug: z.string(), title: z.string() })),
  /** Where to follow, when the network says no. */
  open: z.string().optional(),
  /** The job that checks again, when the network gave no answer. */
  job: z.string().optional(),
  /** From when a point that a limit holds back will be given. */
  waitsUntil: z.iso.datetime().optional(),
});
export type FollowAnswer = z.infer<typeof FollowAnswer>;

/** The jobs that check a fan's linked networks again; `jobs` lists all where there are several. */
export const CheckAnswer = z.object({ job: z.string(), jobs: z.array(z.string()).optional() });
export type CheckAnswer = z.infer<typeof CheckAnswer>;

/** The network of a path. */
export const NetworkPath = z.object({ network });

/** Letting taking back go on: by the stop and for the deeds that were seen, for a reason. */
export const LetGo = z.object({
  /** When the stop was made that was seen. */
  at: z.iso.datetime().transform((text) => new Date(text)),
  deeds: z.coerce.number().int().min(0).max(1_000_000_000),
  reason: z.string().trim().min(3).max(500),
  csrf,
});

/**
 * How much of a network's held deeds an hour may take back: a share from 0 to 1, and a number that
 * is always allowed.
 */
export const TakingLimits = z.object({
  share: z.coerce.number().min(0).max(1),
  least: z.coerce.number().int().min(0).max(1_000_000),
  csrf,
});

/** The limits that hold. */
export const TakingLimitsAnswer = z.object({ share: z.number(), least: z.number().int() });
export type TakingLimitsAnswer = z.infer<typeof TakingLimitsAnswer>;

/** Whether taking back is stopped on a network, who last let it go on, and what waits. */
export const TakingAnswer = z.object({
  network,
  stopped: z
    .object({
      at: z.iso.datetime(),
      /** Deeds taken back in the hour before, and those that would have been too many. */
      taken: z.number().int(),
      wanted: z.number().int(),
      /** Deeds held on the network (0: not counted), and how many an hour may take back. */
      held: z.number().int(),
      limit: z.number().int(),
    })
    .nullable(),
  released: z
    .object({
      at: z.iso.datetime(),
      by: z.string(),
      reason: z.string(),
      deeds: z.number().int(),
    })
    .nullable(),
  /** Deeds that a second no would take back, and the ones that most fans would lose. */
  waiting: z.object({
    deeds: z.number().int(),
    fans: z.number().int(),
    most: z.array(
      z.object({
        deed: z.string(),
        fans: z.number().int(),
        athlete: z.string().nullable(),
        handle: z.string().nullable(),
      }),
    ),
  }),
});
export type TakingAnswer = z.infer<typeof TakingAnswer>;

/** All networks, and the limits that hold. */
export const TakingListAnswer = z.object({
  items: z.array(TakingAnswer),
  limits: TakingLimitsAnswer,
});
export type TakingListAnswer = z.infer<typeof TakingListAnswer>;
