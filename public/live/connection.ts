import { io, type Socket } from 'socket.io-client';
import type { ClientEvents, ServerEvents } from '../../server/wire.js';
import { words } from './page.js';

export type VillageConnection = Socket<ServerEvents, ClientEvents>;
let open: VillageConnection | null = null;

/** The one connection of this page. Reconnects by itself, spread over a few seconds so that a restart is no stampede. */
export function connect(): VillageConnection {
  open ??= io('/village', {
    transports: ['websocket'],
    auth: { lang: words?.lang ?? 'fr' },
    reconnectionDelay: 500,
    reconnectionDelayMax: 5000,
    randomizationFactor: 0.8,
  });
  return open;
}
