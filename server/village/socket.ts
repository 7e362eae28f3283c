import type { Socket } from 'socket.io';
import type { z } from 'zod';
import { InputError, VillageError } from '../errors.js';
import { fieldIssues, type Reader } from '../platform/http.js';
import type { Limits } from '../platform/limits.js';
import type { Ack, ClientEvents, ServerEvents } from '../wire.js';
import { Join, Leave, Say } from './schema.js';
import type { Chats } from './service.js';

export type VillageSocket = Socket<ClientEvents, ServerEvents>;
export interface ChatSocketParts {
  chats: Chats;
  limits: Limits;
  /** Who this socket is now: asked at every event, so that a banned fan stops at once. */
  reader: (socket: VillageSocket) => Promise<Reader | null>;
  /** Turns any error into what an acknowledgement may tell. */
  refusal: (error: unknown, socket: VillageSocket) => { error: { id: string; message: string } };
}

export const chatRoom = (slug: string): string => `chat:${slug}`;

/** The events of a chat. Each one parses, allows, asks the door and answers, whatever was sent. */
export function chatEvents(socket: VillageSocket, { chats, limits, reader, refusal }: ChatSocketParts): void {
  const on =
    <S extends z.ZodType, T>(schema: S, act: (input: z.output<S>, who: Reader) => Promise<T>) =>
    (input: unknown, ack?: Ack<T>): void => {
      const answer = typeof ack === 'function' ? ack : () => undefined;
      void (async () => {
        const who = await reader(socket);
        if (!who) throw new VillageError('not_signed_in');
        const parsed = schema.safeParse(input);
        if (!parsed.success) throw new InputError(fieldIssues(parsed.error));
        return act(parsed.data, who);
      })().then(
        (data) => {
          answer({ data });
        },
        (error: unknown) => {
          answer(refusal(error, socket));
        },
      );
    };

  socket.on(
    'chat:join',
    on(Join, async ({ chat, after }, who) => {
      await limits.count('join', who.id);
      const found = await chats.require(chat);
      // In the room before history is read: what is said meanwhile arrives twice at worst, and is known by its number.
      await socket.join(chatRoom(chat));
      if (socket.disconnected) await socket.leave(chatRoom(chat));
      const { items, last } = await chats.items(chat, who.id, after, 200);
      return { chat, state: found.state, items, last, count: await chats.count(chat, socket.nsp.adapter.rooms.get(chatRoom(chat))?.size ?? 0) };
    }),
  );
  socket.on(
    'chat:leave',
    on(Leave, async ({ chat }) => {
      await socket.leave(chatRoom(chat));
      return { chat };
    }),
  );
  socket.on(
    'chat:say',
    on(Say, async ({ chat, text, clientId }, who) => {
      if (who.scopes && !who.scopes.includes('chat')) throw new VillageError('missing_scope', { scope: 'chat' });
      await limits.count('say', who.id);
      return chats.say(who, chat, text, clientId);
    }),
  );
}
