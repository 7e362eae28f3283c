import { z } from 'zod';
import { AthleteAccountAnswer, AthleteFactsAnswer } from '../../athletes/schema.js';
import { VideoAnswer } from '../../videos/schema.js';
import { ChatAnswer } from '../../village/schema.js';

/** `GET /api/v1/athletes/:slug`: what the directory says, and what other rooms add. */
export const AthleteAnswer = AthleteFactsAnswer.extend({
  accounts: z.array(AthleteAccountAnswer),
  pointsToEarn: z.number(),
  videos: z.array(VideoAnswer),
  nextChat: ChatAnswer.pick({ slug: true, title: true, state: true, startsAt: true }).nullable(),
});
/** The inferred answer. */
export type AthleteAnswer = z.infer<typeof AthleteAnswer>;
