import { io, type Socket } from 'socket.io-client';
import type { ClientEvents, ServerEvents } from '../../server/wire.js';
import { words } from './page.js';

/** A connection to the live part of the hub, by the events both sides know. */
export type VillageConnection = Socket<ServerEvents, ClientEvents>;
/** How long after the hub has ended a connection a page asks again, in ms. */
const AGAIN_MS = 2000;
let open: VillageConnection | null = null;

/**
 * The one connection of this page. Reconnects by itself, spread over a few seconds so that a
 * restart is no stampede. The hub ends one whose session was renewed, and a fan's oldest where
 * there are very many: a page that is being looked at asks once more, and never at once.
 */
export function connect(): VillageConnection {
  if (open) return open;
  const socket: VillageConnection = io('/village', {
    transports: ['websocket'],
    auth: { lang: words?.lang ?? 'fr' },
    reconnectionDelay: 500,
    reconnectionDelayMax: 5000,
    randomizationFactor: 0.8,
  });
  let sentAway = false;
  const again = (): void => {
    if (!sentAway || document.hidden) return;
    sentAway = false;
    setTimeout(() => socket.connect(), AGAIN_MS);
  };
  socket.on('disconnect', (reason) => {
    sentAway = reason === 'io server disconnect';
    again();
  });
  document.addEventListener('visibilitychange', again);
  return (open = socket);
}
