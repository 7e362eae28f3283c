import { createAdapter } from '@socket.io/redis-streams-adapter';
import cookie from 'cookie';
import signature from 'cookie-signature';
import type { Server as HttpServer } from 'node:http';
import { Server } from 'socket.io';
import type { Context } from './context.js';
import { InputError, VillageError } from './errors.js';
import type { News } from './events.js';
import { readerOfSession, readerOfToken } from './fans/reader.js';
import type { Reader } from './platform/http.js';
import { LANGUAGES } from './platform/i18n.js';
import { sha256 } from './platform/ids.js';
import { addressKey } from './platform/limits.js';
import { isStoreAway } from './platform/mongo.js';
import { sessionCookie } from './platform/sessions.js';
import { presentForRoom } from './village/present.js';
import { chatEvents, chatRoom, type VillageSocket } from './village/socket.js';
import { CLIENT_EVENTS, type ClientEvents, type ServerEvents } from './wire.js';
import type { ItemRecord } from './village/chat.model.js';

const PRESENCE_MS = 5000;
/** Bytes that a client may leave unread before it is cut (RELIABILITY F14), and how often that is looked at. */
const UNSENT_LIMIT = 1_048_576;
const LOOK_MS = 1000;
/** How long a connection that we have closed may take to say goodbye. */
const GOODBYE_MS = 5000;

/** What engine.io keeps a connection: packets wait here while the websocket is still sending earlier ones. */
interface Connection {
  transport: { socket: { bufferedAmount: number; terminate(): void } };
  writeBuffer: { data?: string | Buffer }[];
  once(event: 'close', hear: () => void): void;
}
const sizeOf = (packets: Connection['writeBuffer']): number => packets.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);

interface Claims {
  session: string | null;
  fan: string | null;
  version: number;
  token: string | null;
  lang: 'fr' | 'en';
}
const claimsOf = (socket: VillageSocket): Claims => (socket.data as { claims: Claims }).claims;

/** The sockets of this process: who may connect, what they may say, and what they are told. */
export function createSockets(context: Context, http: HttpServer): { io: Server<ClientEvents, ServerEvents>; close(): Promise<void> } {
  const { config, bus, athletes, chats, fans, tokens, sessions, limits, videos, words, log, metrics, redis } = context;
  const origin = new URL(config.publicUrl).origin;
  const io = new Server<ClientEvents, ServerEvents>(http, {
    path: '/socket.io',
    transports: ['websocket'],
    serveClient: false,
    maxHttpBufferSize: 16_384,
    connectTimeout: 10_000,
    pingInterval: 20_000,
    pingTimeout: 20_000,
    cleanupEmptyChildNamespaces: true,
    perMessageDeflate: false,
    adapter: createAdapter(redis.blocking(), { streamName: `${redis.prefix}sockets`, maxLen: 10_000, sessionKeyPrefix: `${redis.prefix}sio:` }),
    // `cors` does not cover the websocket transport: the origin is checked here (ASVS 4.4.2). Programs send a token and no origin.
    allowRequest: (req, decide) => {
      const from = req.headers.origin;
      const fine = from === undefined ? req.headers.cookie === undefined : from === origin;
      if (!fine) {
        decide('origin', false);
        return;
      }
      limits.count('handshake', addressKey(req.socket.remoteAddress)).then(
        () => {
          decide(null, true);
        },
        () => {
          decide('limit', false);
        },
      );
    },
  });
  const village = io.of('/village');
  const { name: cookieName } = sessionCookie(config.publicUrl);

  const sessionOf = async (header: string | undefined): Promise<{ id: string; fan: string; version: number } | null> => {
    const signed = cookie.parse(header ?? '')[cookieName];
    const id = signed?.startsWith('s:') ? signature.unsign(signed.slice(2), config.sessionSecret) : false;
    const data = id ? await sessions.read(id) : null;
    return id && data?.fan ? { id: sha256(id), fan: data.fan, version: data.version } : null;
  };
  const reader = async (socket: VillageSocket): Promise<Reader | null> => {
    const claims = claimsOf(socket);
    return claims.token ? readerOfToken(fans, tokens, claims.token) : readerOfSession(fans, { fan: claims.fan ?? '', version: claims.version });
  };

  village.use((socket, next) => {
    void (async () => {
      const { token, lang } = socket.handshake.auth as { token?: unknown; lang?: unknown };
      const session = typeof token === 'string' ? null : await sessionOf(socket.handshake.headers.cookie);
      (socket.data as { claims: Claims }).claims = {
        session: session?.id ?? null,
        fan: session?.fan ?? null,
        version: session?.version ?? 0,
        token: typeof token === 'string' ? token : null,
        lang: lang === 'en' ? 'en' : 'fr',
      };
      const who = await reader(socket);
      if (!who) throw new VillageError(typeof token === 'string' ? 'bad_token' : 'not_signed_in');
      await socket.join(`fan:${who.id}`);
    })().then(
      () => {
        next();
      },
      (error: unknown) => {
        next(
          Object.assign(new Error(error instanceof VillageError ? error.id : 'unavailable'), {
            data: { id: error instanceof VillageError ? error.id : 'unavailable' },
          }),
        );
      },
    );
  });

  const refusal = (error: unknown, socket: VillageSocket): { error: { id: string; message: string } } => {
    const known = error instanceof VillageError ? error : new VillageError(isStoreAway(error) ? 'unavailable' : 'internal', { seconds: 2 });
    if (known.id === 'internal') log.error({ err: error }, 'a socket event failed');
    const params = known instanceof InputError ? { field: known.issues[0]?.path ?? '' } : known.params;
    return { error: { id: known.id, message: words.t(claimsOf(socket).lang, `errors.${known.id}.text`, params) } };
  };

  village.on('connection', (socket) => {
    metrics.sockets.inc();
    socket.once('disconnect', () => {
      metrics.sockets.dec();
    });
    // The first request is kept a socket's whole life unless dropped.
    (socket.conn as unknown as { request: { _query?: unknown } | null }).request = { _query: {} };
    socket.use(([event, ...rest], next) => {
      const args: unknown[] = rest;
      const known = (CLIENT_EVENTS as readonly string[]).includes(event);
      const ack = args.at(-1);
      if (known && args.length <= 2 && !args.some((arg) => Buffer.isBuffer(arg))) {
        next();
        return;
      }
      if (typeof ack === 'function') (ack as (answer: unknown) => void)(refusal(new VillageError('bad_input', { field: 'event' }), socket));
    });
    chatEvents(socket, { chats, limits, reader, refusal });
  });

  /** Who was hidden meanwhile is told to nobody; nor is anybody while that cannot be known. */
  const withoutHidden = async (items: News['points:moved']['moves'][number]['items']) => {
    const hidden = await athletes.hidden().catch(() => null);
    return items.map((one) => ({ ...one, athlete: hidden === null || hidden.has(one.athlete) ? null : one.athlete }));
  };

  /** A fan may have a page open in each language: titles of what was unlocked are told in the page's own. */
  const tellFan = async ({ fan, seq, items, points, medal }: News['points:moved']['moves'][number]): Promise<void> => {
    const sockets = village.adapter.rooms.get(`fan:${fan}`);
    if (!sockets || sockets.size === 0) return;
    const told = await withoutHidden(items);
    const deeds = items.filter((one) => one.delta > 0).map((one) => one.deed);
    for (const lang of LANGUAGES) {
      const theirs = [...sockets].map((id) => village.sockets.get(id)).filter((socket) => socket !== undefined && claimsOf(socket).lang === lang);
      if (theirs.length === 0) continue;
      const unlocked = await videos.openedBy(fan, deeds, lang).catch(() => []);
      for (const socket of theirs) socket?.emit('points:awarded', { items: told, points, unlocked, seq, ...(medal ? { medal } : {}) });
    }
  };

  const off = [
    bus.on('chat:items', ({ chat, event, items }) => {
      const shown = (items as ItemRecord[]).map(presentForRoom);
      village.local.to(chatRoom(chat)).emit(event as 'chat:said', { chat, items: shown, last: shown.at(-1)?.n ?? 0 });
    }),
    bus.on('points:moved', async ({ moves }) => {
      await Promise.all(moves.map(tellFan));
    }),
    bus.on('follows:progress', ({ fan, ...progress }) => {
      village.local.to(`fan:${fan}`).emit('follows:progress', progress);
    }),
    bus.on('fans:signed_out', async ({ fan, session }) => {
      for (const socket of await village.local.in(`fan:${fan}`).fetchSockets()) {
        if (session === null || (socket.data as { claims: Claims }).claims.session === session) socket.disconnect(true);
      }
    }),
  ];

  const open = new Set<Connection>();
  io.engine.on('connection', (conn: Connection) => {
    const { socket } = conn.transport;
    open.add(conn);
    conn.once('close', () => {
      open.delete(conn);
      setTimeout(() => {
        socket.terminate();
      }, GOODBYE_MS).unref();
    });
  });
  const cut = setInterval(() => {
    for (const { transport, writeBuffer } of open) if (transport.socket.bufferedAmount + sizeOf(writeBuffer) > UNSENT_LIMIT) transport.socket.terminate();
  }, LOOK_MS);
  const tick = setInterval(() => {
    for (const room of village.adapter.rooms.keys()) {
      if (!room.startsWith('chat:')) continue;
      const chat = room.slice('chat:'.length);
      void (async () => {
        const here = village.adapter.rooms.get(room)?.size ?? 0;
        const [count, last] = await Promise.all([chats.tellHere(chat, here).then(() => chats.count(chat, here)), chats.last(chat)]);
        village.local.to(room).volatile.emit('chat:presence', { chat, count, last });
      })().catch(() => undefined);
    }
  }, PRESENCE_MS);

  village.adapter.on('delete-room', (room: string) => {
    if (room.startsWith('chat:')) void chats.tellHere(room.slice('chat:'.length), 0);
  });

  return {
    io,
    close: async () => {
      clearInterval(tick);
      clearInterval(cut);
      for (const end of off) end();
      await io.close();
    },
  };
}
