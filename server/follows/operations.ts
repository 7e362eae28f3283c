import { z } from 'zod';
import { Problem, SlugPath, type Operation, type Operations } from '../platform/openapi.js';
import {
  CheckAnswer,
  FollowAnswer,
  FollowBody,
  LetGo,
  NetworkPath,
  TakingAnswer,
  TakingLimits,
  TakingLimitsAnswer,
  TakingListAnswer,
} from './schema.js';

/** A refused follow: which account was meant, or where to stop following. */
const FollowProblem = Problem.extend({
  accounts: z
    .array(z.object({ id: z.string(), network: z.string(), handle: z.string(), url: z.string() }))
    .optional(),
}).meta({
  id: 'FollowProblem',
  description:
    '`which_account` lists the accounts that may be meant;' +
    ' `still_following` has where to stop in `open`',
});

const follow = (summary: string): Operation => ({
  summary,
  path: SlugPath,
  body: FollowBody.omit({ csrf: true }),
  answer: FollowAnswer,
  problem: FollowProblem,
});

/** What the API says of following, and of taking points back. */
export const followsOperations: Operations = {
  '/athletes/{slug}/follow': { post: follow('I follow'), delete: follow('I follow no more') },
  '/follows/check': {
    post: { summary: 'Ask every linked network again', answer: CheckAnswer, status: 202 },
  },
  '/networks/taking': {
    get: { summary: 'Where taking back is stopped, and what waits', answer: TakingListAnswer },
  },
  '/networks/taking/limits': {
    post: {
      summary: 'How much an hour may take',
      body: TakingLimits.omit({ csrf: true }),
      answer: TakingLimitsAnswer,
    },
  },
  '/networks/{network}/taking': {
    post: {
      summary: 'Let taking go on',
      path: NetworkPath,
      body: z.object({ ...LetGo.omit({ csrf: true }).shape, at: z.iso.datetime() }),
      answer: TakingAnswer,
    },
  },
};
