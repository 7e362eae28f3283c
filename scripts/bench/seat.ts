import { io, type Socket } from 'socket.io-client';

/** As the pages connect (public/live/connection.ts): spread over some seconds. */
export const MANNERS = {
  transports: ['websocket'],
  forceNew: true,
  reconnectionDelay: 500,
  reconnectionDelayMax: 5000,
  randomizationFactor: 0.8,
};

interface Item {
  n: number;
  text?: string;
}
/** What a reader of a room has before their eyes. */
export interface Seat {
  socket: Socket;
  /** The number of the last item shown: all before it are shown too. */
  last: number;
  shown: Item[];
  joined: boolean;
}
type Joined = { data: { items: Item[]; last: number } } | { error: unknown };

/**
 * A reader whose client behaves like the page (public/village/main.ts): joins behind the last item
 * it has, shows in order, fetches gaps.
 */
export function seat(url: string, slug: string, token: string): Seat {
  const socket = io(`${url}/village`, { ...MANNERS, auth: { token } });
  const reader: Seat = { socket, last: 0, shown: [], joined: false };
  const held = new Map<number, Item>();
  let fetching = false;
  const fill = async (): Promise<void> => {
    if (fetching) return;
    fetching = true;
    const answer = await fetch(`${url}/api/v1/chats/${slug}/messages?after=${reader.last}`).catch(
      () => null,
    );
    fetching = false;
    if (answer?.ok) take(((await answer.json()) as { items: Item[] }).items);
  };
  const take = (items: Item[]): void => {
    for (const item of items) if (item.n > reader.last) held.set(item.n, item);
    for (let next = held.get(reader.last + 1); next; next = held.get(reader.last + 1)) {
      held.delete(next.n);
      reader.last = next.n;
      reader.shown.push(next);
    }
    if (held.size > 0) void fill();
  };
  socket.on('connect', () => {
    socket.emit('chat:join', { chat: slug, after: reader.last }, (answer: Joined) => {
      if ('error' in answer) return;
      take(answer.data.items);
      reader.joined = true;
    });
  });
  socket.on('chat:said', ({ items }: { items: Item[] }) => {
    take(items);
  });
  socket.on('chat:presence', ({ last }: { last: number }) => {
    if (last > reader.last) void fill();
  });
  socket.on('disconnect', () => {
    reader.joined = false;
  });
  return reader;
}
