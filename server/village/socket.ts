import type { Socket } from 'socket.io';
import type { z } from 'zod';
import { VillageError } from '../errors.js';
import { parse, type Reader } from '../platform/http.js';
import type { Limits } from '../platform/limits.js';
import { allowed, SENT_WITH, type Ack, type ClientEvents, type ServerEvents } from '../wire.js';
import { Join, Leave, Say, Saying } from './schema.js';
import type { Chats } from './service.js';

/** A socket of the namespace `/village`. */
export type VillageSocket = Socket<ClientEvents, ServerEvents>;
/** What the events of a chat need. */
export interface ChatSocketParts {
  chats: Chats;
  limits: Limits;
  /** Who this socket is now: asked at every event, so that a banned fan stops at once. */
  reader: (socket: VillageSocket) => Promise<Reader | null>;
  /** Turns any error into what an acknowledgement may tell. */
  refusal: (error: unknown, socket: VillageSocket) => { error: { id: string; message: string } };
}

const ROOM = 'chat:';
/** Names the room of a chat for socket.io's adapter. */
export const chatRoom = (slug: string): string => `${ROOM}${slug}`;
/** The chat that a room is of, or null for a room of another kind. */
export const chatOf = (room: string): string | null =>
  room.startsWith(ROOM) ? room.slice(ROOM.length) : null;

/** Answers the events of a chat: each parses, allows, asks the service and acknowledges. */
export function chatEvents(
  socket: VillageSocket,
  { chats, limits, reader, refusal }: ChatSocketParts,
): void {
  const on = <S extends z.ZodType, T>(
    event: keyof ClientEvents,
    schema: S,
    act: (input: z.output<S>, who: Reader) => Promise<T>,
  ): void => {
    const take = async (input: unknown): Promise<T> => {
      const who = await reader(socket);
      if (!who) throw new VillageError('not_signed_in');
      if (!allowed(SENT_WITH[event], who.scopes))
        throw new VillageError('missing_scope', { scope: SENT_WITH[event][0] });
      return act(parse(schema, input), who);
    };
    const hear = (input: unknown, ack?: Ack<T>): void => {
      const answer = typeof ack === 'function' ? ack : () => undefined;
      take(input).then(
        (data) => {
          answer({ data });
        },
        (error: unknown) => {
          answer(refusal(error, socket));
        },
      );
    };
    socket.on(event, hear as never);
  };

  on('chat:join', Join, async ({ chat, after }, who) => {
    await limits.count('join', who.id);
    const found = await chats.require(chat);
    // First into the room, then history: what is said meanwhile arrives twice at worst, and is
    // known by its number.
    await socket.join(chatRoom(chat));
    if (socket.disconnected) await socket.leave(chatRoom(chat));
    const { items, last } = await chats.items(chat, who.id, after, 200);
    return { chat, state: found.state, items, last, count: await chats.presence.count(chat) };
  });
  on('chat:leave', Leave, async ({ chat }) => {
    await socket.leave(chatRoom(chat));
    return { chat };
  });
  on('chat:say', Saying.extend({ chat: Leave.shape.chat }), async (said, who) => {
    await limits.countNew('say', who.id, `${said.chat}:${said.clientId}`);
    const { chat, text, clientId } = parse(Say, said);
    return chats.say(who, chat, text, clientId);
  });
}
