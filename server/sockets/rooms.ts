import type { Namespace } from 'socket.io';
import type { Log } from '../platform/logs.js';
import type { Chats } from '../village/service.js';
import { chatOf, chatRoom } from '../village/socket.js';
import type { ClientEvents, ServerEvents } from '../wire.js';
import { claimsOf } from './claims.js';

/** How often a room is told how many are in it, in ms. */
const PULSE_MS = 5000;

/**
 * Keeps count of who is in which chat, as sockets join and leave rooms, and tells rooms of it every
 * few seconds. Answers what ends that.
 */
export function followRooms(
  village: Namespace<ClientEvents, ServerEvents>,
  chats: Chats,
  log: Log,
): () => void {
  const fanOf = (id: string): string | undefined => {
    const socket = village.sockets.get(id);
    return socket && claimsOf(socket).fan;
  };
  village.adapter.on('join-room', (room: string, id: string) => {
    const [chat, fan] = [chatOf(room), fanOf(id)];
    if (chat !== null && fan !== undefined) chats.presence.entered(chat, fan);
  });
  village.adapter.on('leave-room', (room: string, id: string) => {
    const [chat, fan] = [chatOf(room), fanOf(id)];
    if (chat !== null && fan !== undefined) chats.presence.left(chat, fan);
  });
  village.adapter.on('delete-room', (room: string) => {
    const chat = chatOf(room);
    if (chat !== null) void chats.emptied(chat);
  });

  const tellPresence = async (chat: string): Promise<void> => {
    const { count, last } = await chats.pulse(chat);
    village.local.to(chatRoom(chat)).volatile.emit('chat:presence', { chat, count, last });
  };
  const timer = setInterval(() => {
    for (const chat of chats.presence.chats) {
      tellPresence(chat).catch((error: unknown) => {
        log.debug({ err: error, chat }, 'a room was not told how many are in it');
      });
    }
  }, PULSE_MS);
  return () => {
    clearInterval(timer);
  };
}
