import { createAdapter } from '@socket.io/redis-streams-adapter';
import type { Server as HttpServer } from 'node:http';
import { Server } from 'socket.io';
import type { Context } from './context.js';
import { VillageError } from './errors.js';
import { Connections, ENTRY_MS, type Connection } from './platform/connections.js';
import type { Log } from './platform/logs.js';
import { isStoreAway } from './platform/mongo.js';
import { Admission } from './sockets/admission.js';
import { claimsOf } from './sockets/claims.js';
import { refusals, refuseUnknownEvents } from './sockets/refusal.js';
import { Revalidation } from './sockets/revalidation.js';
import { followRooms } from './sockets/rooms.js';
import { Seats } from './sockets/seats.js';
import { Tell } from './sockets/tell.js';
import type { ItemRecord } from './village/chat.model.js';
import { presentForRoom } from './village/present.js';
import { chatEvents, chatRoom, type VillageSocket } from './village/socket.js';
import type { ClientEvents, ServerEvents } from './wire.js';

const PATH = '/socket.io/';

const connectionOf = (socket: VillageSocket): Connection => socket.conn as unknown as Connection;

/** The socket.io server of a process, over websockets alone, fanned out through Redis streams. */
const createServer = (
  http: HttpServer,
  { redis }: Context,
  admission: Admission,
): Server<ClientEvents, ServerEvents> =>
  new Server(http, {
    path: PATH,
    transports: ['websocket'],
    serveClient: false,
    maxHttpBufferSize: 16_384,
    connectTimeout: ENTRY_MS,
    pingInterval: 20_000,
    pingTimeout: 20_000,
    cleanupEmptyChildNamespaces: true,
    perMessageDeflate: false,
    // `Connections` ends upgrades to elsewhere.
    destroyUpgrade: false,
    adapter: createAdapter(redis.blocking(), {
      streamName: `${redis.prefix}sockets`,
      maxLen: 10_000,
      sessionKeyPrefix: `${redis.prefix}sio:`,
    }),
    allowRequest: admission.handshake,
  });

/** Lets in who `admission` admits, each connection once. */
function admitOnce(
  socket: VillageSocket,
  next: (error?: Error) => void,
  { connections, admission, log }: { connections: Connections; admission: Admission; log: Log },
): void {
  const asked = connections.ask(connectionOf(socket));
  if (!asked) {
    next(new Error('twice'));
    return;
  }
  admission.admit(socket, asked.cookie).then(
    () => {
      next();
    },
    (error: unknown) => {
      const id = error instanceof VillageError ? error.id : 'unavailable';
      if (id === 'unavailable') {
        log[isStoreAway(error) ? 'debug' : 'error']({ err: error }, 'a socket was not let in');
        // A client takes an error as final and gives up; one whose connection ends tries again by
        // itself.
        connections.left(connectionOf(socket));
      }
      next(Object.assign(new Error(id), { data: { id } }));
    },
  );
}

/** The sockets of this process: who may connect, what they may say, and what they are told. */
export function createSockets(
  context: Context,
  http: HttpServer,
): { io: Server<ClientEvents, ServerEvents>; close(): Promise<void> } {
  const { bus, athletes, chats, fans, sessions, limits, videos, words, log, metrics, redis } =
    context;
  const admission = new Admission(context);
  const io = createServer(http, context, admission);
  const connections = new Connections(http, io.engine, PATH, (why) => {
    metrics.cuts.inc({ why });
  });
  // Nobody has business in the namespace that socket.io always has.
  io.use((_socket, next) => {
    next(new Error('Invalid namespace'));
  });
  const village = io.of('/village');
  const seats = new Seats(redis, bus, (id) => village.sockets.get(id)?.disconnect(true));
  const socketsOf = (fan: string): VillageSocket[] =>
    [...seats.socketsOf(fan)].flatMap((id) => village.sockets.get(id) ?? []);
  const revalidation = new Revalidation(fans, sessions, log);
  const tell = new Tell(socketsOf, videos, athletes);
  const refusal = refusals(words, log);

  village.use((socket, next) => {
    admitOnce(socket, next, { connections, admission, log });
  });
  village.on('connection', (socket) => {
    const { fan } = claimsOf(socket);
    const connection = connectionOf(socket);
    metrics.sockets.inc();
    socket.once('disconnect', () => {
      metrics.sockets.dec();
      revalidation.remove(socket);
      seats.free(fan, socket.id);
      connections.left(connection);
    });
    connections.entered(connection);
    revalidation.add(socket);
    void seats.take(fan, socket.id);
    refuseUnknownEvents(socket, refusal);
    chatEvents(socket, { chats, limits, reader: admission.reader, refusal });
  });
  const leaveRooms = followRooms(village, chats, log);

  const revalidate = async ({ fan }: { fan: string }): Promise<void> => {
    await revalidation.check(socketsOf(fan));
  };
  const off = [
    bus.on('chat:items', ({ chat, event, items }) => {
      const shown = (items as ItemRecord[]).map(presentForRoom);
      const last = shown.at(-1)?.n ?? 0;
      village.local.to(chatRoom(chat)).emit(event as 'chat:said', { chat, items: shown, last });
    }),
    bus.on('points:moved', async ({ moves }) => {
      await Promise.all(moves.map((move) => tell.points(move)));
    }),
    bus.on('follows:progress', (news) => {
      tell.progress(news);
    }),
    bus.on('fans:signed_out', revalidate),
    bus.on('fans:token_ended', revalidate),
    bus.on('sockets:crowded', ({ seats: given }) => {
      seats.crowded(given);
    }),
  ];

  return {
    io,
    close: async () => {
      leaveRooms();
      revalidation.stop();
      connections.stop();
      for (const end of off) end();
      await io.close();
    },
  };
}
