import { createAdapter } from '@socket.io/redis-streams-adapter';
import cookie from 'cookie';
import signature from 'cookie-signature';
import type { Server as HttpServer } from 'node:http';
import { Server } from 'socket.io';
import type { Context } from './context.js';
import { InputError, VillageError } from './errors.js';
import { readerOfSession, readerOfToken, type SessionClaim } from './fans/reader.js';
import { Connections, ENTRY_MS, type Connection } from './platform/connections.js';
import type { Reader } from './platform/http.js';
import { sha256 } from './platform/ids.js';
import { addressKey } from './platform/limits.js';
import { isStoreAway } from './platform/mongo.js';
import { addressOf } from './platform/server.js';
import { sessionCookie } from './platform/sessions.js';
import { claimsOf, setClaims } from './sockets/claims.js';
import { Footing } from './sockets/footing.js';
import { Seats } from './sockets/seats.js';
import { Tell } from './sockets/tell.js';
import type { ItemRecord } from './village/chat.model.js';
import { presentForRoom } from './village/present.js';
import { chatEvents, chatOf, chatRoom, type VillageSocket } from './village/socket.js';
import { SENT_WITH, type ClientEvents, type ServerEvents } from './wire.js';

const PATH = '/socket.io/';
const PULSE_MS = 5000;

const connectionOf = (socket: VillageSocket): Connection => socket.conn as unknown as Connection;

/** The sockets of this process: who may connect, what they may say, and what they are told. */
export function createSockets(
  context: Context,
  http: HttpServer,
): { io: Server<ClientEvents, ServerEvents>; close(): Promise<void> } {
  const {
    config,
    bus,
    athletes,
    chats,
    fans,
    tokens,
    sessions,
    limits,
    videos,
    words,
    log,
    metrics,
    redis,
  } = context;
  const origin = new URL(config.publicUrl).origin;
  const io = new Server<ClientEvents, ServerEvents>(http, {
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
    // `cors` does not cover the websocket transport: the origin is checked here (ASVS 4.4.2).
    // Programs send a token and no origin.
    allowRequest: (req, decide) => {
      const from = req.headers.origin;
      const fine = from === undefined ? req.headers.cookie === undefined : from === origin;
      if (!fine) {
        decide('origin', false);
        return;
      }
      limits.count('handshake', addressKey(addressOf(req))).then(
        () => {
          decide(null, true);
        },
        () => {
          decide('limit', false);
        },
      );
    },
  });
  const connections = new Connections(http, io.engine, PATH, (why) => {
    metrics.cuts.inc({ why });
  });
  // Nobody has business in the namespace that socket.io always has.
  io.use((_socket, next) => {
    next(new Error('Invalid namespace'));
  });
  const village = io.of('/village');
  const { name: cookieName } = sessionCookie(config.publicUrl);
  const socketsOf = (fan: string): VillageSocket[] =>
    [...seats.socketsOf(fan)].flatMap((id) => village.sockets.get(id) ?? []);
  const seats = new Seats(redis, bus, (id) => village.sockets.get(id)?.disconnect(true));
  const footing = new Footing(fans, sessions, log);
  const tell = new Tell(socketsOf, videos, athletes);

  const sessionOf = async (header: string | undefined): Promise<SessionClaim | null> => {
    const signed = cookie.parse(header ?? '')[cookieName];
    const id = signed?.startsWith('s:')
      ? signature.unsign(signed.slice(2), config.sessionSecret)
      : false;
    const data = id ? await sessions.read(id) : null;
    return id && data?.fan
      ? { session: sha256(id), fan: data.fan, version: data.version ?? 0 }
      : null;
  };
  const reader = async (socket: VillageSocket): Promise<Reader | null> => {
    const { token, fan, version, session } = claimsOf(socket);
    return token === null
      ? readerOfSession(fans, { fan, version, session: session ?? '' })
      : readerOfToken(fans, tokens, token);
  };

  /**
   * Finds out who asks for entry, by token or session. Throws `bad_token`, `not_signed_in`,
   * `rate_limited`.
   */
  const admit = async (socket: VillageSocket, cookies: string | undefined): Promise<void> => {
    const { token, lang } = socket.handshake.auth as { token?: unknown; lang?: unknown };
    const text = typeof token === 'string' ? token : null;
    const session = text === null ? await sessionOf(cookies) : null;
    const who =
      text === null
        ? session && (await readerOfSession(fans, session))
        : await readerOfToken(fans, tokens, text);
    if (!who) throw new VillageError(text === null ? 'not_signed_in' : 'bad_token');
    await limits.count('connect', who.id);
    setClaims(socket, {
      fan: who.id,
      session: session?.session ?? null,
      version: session?.version ?? 0,
      token: text,
      scopes: who.scopes,
      lang: lang === 'en' ? 'en' : 'fr',
    });
  };
  village.use((socket, next) => {
    const asked = connections.ask(connectionOf(socket));
    if (!asked) {
      next(new Error('twice'));
      return;
    }
    admit(socket, asked.cookie).then(
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
  });

  const refusal = (
    error: unknown,
    socket: VillageSocket,
  ): { error: { id: string; message: string } } => {
    const known =
      error instanceof VillageError
        ? error
        : new VillageError(isStoreAway(error) ? 'unavailable' : 'internal', { seconds: 2 });
    if (known.id === 'internal') log.error({ err: error }, 'a socket event failed');
    const params =
      known instanceof InputError ? { field: known.issues[0]?.path ?? '' } : known.params;
    return {
      error: {
        id: known.id,
        message: words.t(claimsOf(socket).lang, `errors.${known.id}.text`, params),
      },
    };
  };

  village.on('connection', (socket) => {
    const { fan } = claimsOf(socket);
    const connection = connectionOf(socket);
    metrics.sockets.inc();
    socket.once('disconnect', () => {
      metrics.sockets.dec();
      footing.remove(socket);
      seats.free(fan, socket.id);
      connections.left(connection);
    });
    connections.entered(connection);
    footing.add(socket);
    void seats.take(fan, socket.id);
    socket.use(([event, ...rest], next) => {
      const args: unknown[] = rest;
      const ack = args.at(-1);
      if (
        Object.hasOwn(SENT_WITH, event) &&
        args.length <= 2 &&
        !args.some((arg) => Buffer.isBuffer(arg))
      ) {
        next();
        return;
      }
      if (typeof ack === 'function')
        (ack as (answer: unknown) => void)(
          refusal(new VillageError('bad_input', { field: 'event' }), socket),
        );
    });
    chatEvents(socket, { chats, limits, reader, refusal });
  });

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

  const off = [
    bus.on('chat:items', ({ chat, event, items }) => {
      const shown = (items as ItemRecord[]).map(presentForRoom);
      village.local
        .to(chatRoom(chat))
        .emit(event as 'chat:said', { chat, items: shown, last: shown.at(-1)?.n ?? 0 });
    }),
    bus.on('points:moved', async ({ moves }) => {
      await Promise.all(moves.map((move) => tell.points(move)));
    }),
    bus.on('follows:progress', (news) => {
      tell.progress(news);
    }),
    bus.on('fans:signed_out', async ({ fan }) => {
      await footing.check(socketsOf(fan));
    }),
    bus.on('fans:token_ended', async ({ fan }) => {
      await footing.check(socketsOf(fan));
    }),
    bus.on('sockets:crowded', ({ seats: given }) => {
      seats.crowded(given);
    }),
  ];

  const pulse = async (chat: string): Promise<void> => {
    const { count, last } = await chats.pulse(chat);
    village.local.to(chatRoom(chat)).volatile.emit('chat:presence', { chat, count, last });
  };
  const tick = setInterval(() => {
    for (const chat of chats.presence.chats) {
      pulse(chat).catch((error: unknown) => {
        log.debug({ err: error, chat }, 'a room was not told how many are in it');
      });
    }
  }, PULSE_MS);

  return {
    io,
    close: async () => {
      clearInterval(tick);
      footing.stop();
      connections.stop();
      for (const end of off) end();
      await io.close();
    },
  };
}
