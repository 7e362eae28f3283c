import { io, type Socket } from 'socket.io-client';
import { figures, type Figures } from './load.js';
import { cpu } from './table.js';

/** What a chat came to. */
export interface ChatFigures extends Figures {
  deliveries: number;
  lost: number;
  doubled: number;
  /** Seconds of the processor that the server used from the first word to the last. */
  used: number;
}
interface Room {
  connect(n: number): Socket;
  enter(socket: Socket): Promise<void>;
  say(socket: Socket, text: string): void;
  hear(socket: Socket, told: (text: string) => void): void;
}

/**
 * Says so many messages a second to so many sockets in one room: how long each takes to arrive, and
 * whether each socket hears each once. `connected` is awaited before the first word; `pid` is the
 * server.
 */
export async function chat(
  room: Room,
  {
    sockets,
    perSecond,
    seconds,
    pid,
    connected = () => Promise.resolve(),
  }: {
    sockets: number;
    perSecond: number;
    seconds: number;
    pid: number;
    connected?: () => Promise<void>;
  },
): Promise<ChatFigures> {
  const all: Socket[] = [];
  for (let from = 0; from < sockets; from += 50) {
    const part = Array.from({ length: Math.min(50, sockets - from) }, (_x, n) =>
      room.connect(from + n),
    );
    await Promise.all(
      part.map(async (socket) => {
        if (!socket.connected)
          await new Promise<void>((resolve, reject) => {
            socket.once('connect', resolve);
            socket.once('connect_error', reject);
          });
        await room.enter(socket);
      }),
    );
    all.push(...part);
  }
  const times: number[] = [];
  const seen = new Map<string, number>();
  for (const [index, socket] of all.entries()) {
    room.hear(socket, (text) => {
      const [mark, sent] = text.split('|');
      if (mark !== 'bench') return;
      times.push(performance.now() - Number(sent));
      const key = `${index}|${text}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    });
  }
  await connected();
  const before = cpu(pid);
  const begun = performance.now();
  let said = 0;
  while (said < perSecond * seconds) {
    const due = Math.floor(((performance.now() - begun) / 1000) * perSecond);
    for (; said < due && said < perSecond * seconds; said += 1)
      room.say(all[said % all.length] as Socket, `bench|${performance.now().toFixed(3)}|${said}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  for (let wait = 0; wait < 100 && times.length < said * sockets; wait += 1)
    await new Promise((resolve) => setTimeout(resolve, 100));
  const took = (performance.now() - begun) / 1000;
  const used = Math.max(0.01, cpu(pid) - before);
  for (const socket of all) socket.disconnect();
  const doubled = [...seen.values()].filter((count) => count > 1).length;
  return {
    ...figures(times, 0, took),
    deliveries: times.length,
    lost: said * sockets - seen.size,
    doubled,
    used,
  };
}

/** A room of socket.io alone. */
export const bareRoom = (url: string): Room => ({
  connect: () => io(url, { transports: ['websocket'], forceNew: true, reconnection: false }),
  enter: () => Promise.resolve(),
  say: (socket, text) => {
    socket.emit('say', text);
  },
  hear: (socket, told) => {
    socket.on('said', told);
  },
});

/** A chat of the village. */
export const villageRoom = (url: string, slug: string, tokens: string[]): Room => ({
  connect: (n) =>
    io(`${url}/village`, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      auth: { token: tokens[n % tokens.length] },
    }),
  enter: async (socket) => {
    await socket.timeout(20_000).emitWithAck('chat:join', { chat: slug });
  },
  say: (socket, text) => {
    socket.emit(
      'chat:say',
      { chat: slug, text, clientId: `bench-${Math.random().toString(36).slice(2)}-${Date.now()}` },
      () => undefined,
    );
  },
  hear: (socket, told) => {
    socket.on('chat:said', ({ items }: { items: { text: string }[] }) => {
      for (const item of items) told(item.text);
    });
  },
});
