import { z } from 'zod';
import { SlugPath, type Operations } from '../platform/openapi.js';
import { AthleteAnswer } from './athlete/schema.js';
import { EndedJobs, EndedJobsAnswer, StartedJobAnswer } from './console/schema.js';
import { MeAnswer } from './me/schema.js';

/** What the API says of an athlete's page, of the reader, and of the console. */
export const pagesOperations: Operations = {
  '/athletes/{slug}': {
    get: { summary: 'An athlete', path: SlugPath, answer: AthleteAnswer },
  },
  '/me': { get: { summary: 'Who I am here', answer: MeAnswer } },
  '/jobs': {
    get: {
      summary: 'Jobs that were given up, newest first',
      query: EndedJobs,
      answer: EndedJobsAnswer,
    },
  },
  '/jobs/{id}/start': {
    post: {
      summary: 'Start a job again that was given up',
      path: z.object({ id: z.string() }),
      answer: StartedJobAnswer,
      status: 202,
    },
  },
};
