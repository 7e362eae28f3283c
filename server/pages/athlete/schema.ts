import { z } from 'zod';
import { AthleteAnswer } from '../../athletes/schema.js';
import { VideoAnswer } from '../../videos/schema.js';
import { ChatAnswer } from '../../village/schema.js';

const Medals = z.object({ gold: z.number(), silver: z.number(), bronze: z.number() });

/** A verified account of an athlete, and where the reader stands with it. */
const ReadAccount = AthleteAnswer.shape.accounts.element.extend({
  since: z.iso.datetime().nullable(),
  turn: z.number().optional().meta({ description: 'the last turn of its deed; fans only' }),
  followed: z.boolean().optional().meta({ description: 'fans only' }),
  earns: z.boolean().meta({ description: 'whether following it gives a point now' }),
});

/** `GET /api/v1/athletes/:slug`. */
export const AthletePageAnswer = AthleteAnswer.extend({
  country: z.string(),
  games: z.array(z.string()),
  medals: Medals,
  demo: z.boolean(),
  accounts: z.array(ReadAccount),
  pointsToEarn: z.number(),
  videos: z.array(VideoAnswer),
  nextChat: ChatAnswer.pick({ slug: true, title: true, state: true, startsAt: true }).nullable(),
});
/** The inferred answer. */
export type AthletePageAnswer = z.infer<typeof AthletePageAnswer>;
