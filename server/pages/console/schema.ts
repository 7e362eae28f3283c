import { z } from 'zod';

/** Jobs that one page shows. */
export const JOBS_SHOWN = 100;

/** `GET /api/v1/jobs`: those that were given up. */
export const EndedJobs = z.object({
  state: z.literal('ended').default('ended'),
  limit: z.coerce.number().int().min(1).max(1000).default(JOBS_SHOWN),
});

/** A job that was given up, and why. */
const EndedJobAnswer = z.object({
  id: z.string(),
  kind: z.string(),
  name: z.string(),
  attempts: z.number(),
  failedAt: z.iso.datetime(),
  reason: z.string(),
});
/** `GET /api/v1/jobs`. */
export const EndedJobsAnswer = z.object({ items: z.array(EndedJobAnswer), total: z.number() });
/** The inferred answer. */
export type EndedJobsAnswer = z.infer<typeof EndedJobsAnswer>;

/** `POST /api/v1/jobs/:id/start`: the job that was started again. */
export const StartedJobAnswer = z.object({ job: z.string() });
/** The inferred answer. */
export type StartedJobAnswer = z.infer<typeof StartedJobAnswer>;
