import { z } from 'zod';
import { signsOf, tidyText } from '../platform/text.js';

const slug = z.string().regex(/^[a-z0-9-]{1,80}$/);
const clientId = z.string().regex(/^[\w-]{8,64}$/);
/**
 * Signs of a message as readers count them, and its length in the store: an emoji of many parts is
 * one sign.
 */
const SIGNS = 280;
const UNITS = 1120;
/** What people type, as it may be shown (`tidyText`): something to see, and not too much of it. */
const text = z
  .string()
  .max(2000)
  .transform(tidyText)
  .pipe(
    z
      .string()
      .min(1)
      .check((typed) => {
        if (
          typed.value.length > UNITS ||
          (typed.value.length > SIGNS && signsOf(typed.value).length > SIGNS)
        )
          typed.issues.push({
            code: 'too_big',
            origin: 'string',
            maximum: SIGNS,
            inclusive: true,
            input: typed.value,
          });
      }),
  );

/** `chat:join`: the room, and the last item that is known already. */
export const Join = z.strictObject({ chat: slug, after: z.number().int().min(0).optional() });
/** `chat:leave`. */
export const Leave = z.strictObject({ chat: slug });
/**
 * What a message is counted by, whatever else was sent: looking at its text is what costs, so that
 * comes after.
 */
export const Saying = z.looseObject({ clientId });
/** `chat:say`: a message, with an id of the sender's own by which a repeat is known. */
export const Say = z.strictObject({ chat: slug, text, clientId });
/** The same by form. */
export const SayForm = z.object({ text, clientId, csrf: z.string().optional() });
/** What a host or organiser may make of a room. */
export const StateForm = z.object({
  state: z.enum(['live', 'paused', 'ended']),
  csrf: z.string().optional(),
});
/** `GET /api/v1/chats/:slug/messages`: items after a number, or the newest. */
export const Messages = z.object({
  after: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(100),
});

/** A chat in JSON. */
export const ChatAnswer = z.object({
  slug: z.string(),
  title: z.string(),
  about: z.string(),
  state: z.enum(['soon', 'live', 'paused', 'ended']),
  startsAt: z.iso.datetime(),
  endsAt: z.iso.datetime(),
  host: z.string().meta({ description: 'the id of the athlete' }),
  fromVillage: z.boolean(),
});
/** The inferred answer. */
export type ChatAnswer = z.infer<typeof ChatAnswer>;

/** `GET /api/v1/chats`: live ones first, then those to come, then the newest that are over. */
export const ChatsAnswer = z.object({ items: z.array(ChatAnswer) });
/** The inferred answer. */
export type ChatsAnswer = z.infer<typeof ChatsAnswer>;

/** An item of a chat; one that this reader may not see is only its number. */
const ChatItemAnswer = z.object({
  n: z.number(),
  kind: z.enum(['said', 'state']).optional(),
  id: z.string().optional(),
  by: z
    .object({ name: z.string(), role: z.enum(['fan', 'host', 'moderator', 'athlete']) })
    .optional(),
  mine: z.boolean().optional(),
  text: z.string().optional(),
  lang: z.string().optional(),
  at: z.iso.datetime().optional(),
  clientId: z.string().optional(),
});
/** `GET /api/v1/chats/:slug/messages`. */
export const MessagesAnswer = z.object({ items: z.array(ChatItemAnswer), last: z.number() });
/** The inferred answer. */
export type MessagesAnswer = z.infer<typeof MessagesAnswer>;

/** `POST /api/v1/chats/:slug/messages`: the item as it was stored, and the last number there is. */
export const SaidAnswer = z.object({ item: ChatItemAnswer, last: z.number() });
/** The inferred answer. */
export type SaidAnswer = z.infer<typeof SaidAnswer>;
