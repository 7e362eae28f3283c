/**
 * Runs a live room: shows items in the order of their numbers, fetches what is missing between
 * them, and sends what the reader types exactly once, whatever the connection does.
 */
import type { ChatItem } from '../../server/wire.js';
import { connect } from '../live/connection.js';
import { readJson, say } from '../live/page.js';

interface Room {
  chat: string;
  last: number;
  live: boolean;
  signedIn: boolean;
  lang: string;
  timeZone: string;
  words: Record<string, string>;
}
/** How often a visitor's page asks what is new, in ms. */
const READ_MS = 5000;
const room = readJson<Room>('room');
const list = document.querySelector<HTMLElement>('[data-log]');
const form = document.querySelector<HTMLFormElement>('[data-composer]');
const away = document.querySelector<HTMLElement>('[data-away]');
const fresh = document.querySelector<HTMLButtonElement>('[data-fresh]');

if (room && list) {
  const { chat, words } = room;
  let last = room.last;
  let fetching = false;
  const mine = new Map<string, HTMLElement>();
  const own = new Set<string>();
  const held = new Map<number, ChatItem>();

  const atEnd = (): boolean =>
    window.innerHeight + window.scrollY >= document.body.scrollHeight - 240;
  const toEnd = (): void => {
    window.scrollTo({ top: document.body.scrollHeight });
    if (fresh) fresh.hidden = true;
  };

  const draw = (item: ChatItem): HTMLElement => {
    const line = document.createElement('li');
    line.dataset['n'] = String(item.n);
    if (!item.kind || item.kind === 'state') {
      line.className = 'gone';
      line.textContent = item.kind ? (words[item.text ?? ''] ?? '') : (words['removed'] ?? '');
      return line;
    }
    const host = item.by?.role === 'host';
    const isMine = item.mine === true || (item.clientId !== undefined && own.has(item.clientId));
    line.className = host
      ? `answer${(item.text?.length ?? 0) > 180 ? ' long' : ''}`
      : isMine
        ? 'mine'
        : '';
    const who = document.createElement('p');
    who.className = 'who';
    const name = document.createElement('span');
    name.textContent = isMine && !host ? (words['you'] ?? '') : (item.by?.name ?? '');
    who.append(name);
    if (item.by?.role === 'moderator') {
      const tag = document.createElement('span');
      tag.className = 'tag ink';
      tag.textContent = words['moderator'] ?? '';
      who.append(tag);
    }
    if (item.at) {
      const time = document.createElement('time');
      time.dateTime = item.at;
      time.textContent = new Date(item.at).toLocaleTimeString(
        room.lang === 'en' ? 'en-GB' : 'fr-FR',
        {
          hour: '2-digit',
          minute: '2-digit',
          timeZone: room.timeZone,
        },
      );
      who.append(time);
    }
    const text = document.createElement('p');
    text.className = 'said';
    text.textContent = item.text ?? '';
    line.append(who, text);
    return line;
  };

  const show = (item: ChatItem): void => {
    const follow = atEnd();
    document.querySelector('[data-empty]')?.remove();
    if (item.clientId) {
      mine.get(item.clientId)?.remove();
      mine.delete(item.clientId);
    }
    list.append(draw(item));
    if (follow) toEnd();
    else if (fresh) fresh.hidden = false;
    if (item.kind === 'state') location.reload();
  };

  /** Shows the items that follow the last one shown; later ones wait until the gap is fetched. */
  const take = (items: ChatItem[]): void => {
    for (const item of items) if (item.n > last) held.set(item.n, item);
    for (let next = held.get(last + 1); next; next = held.get(last + 1)) {
      held.delete(next.n);
      last = next.n;
      show(next);
    }
    if (held.size > 0) void fill();
  };

  const fill = async (): Promise<void> => {
    if (fetching) return;
    fetching = true;
    try {
      // While the hub cannot be reached the notice says so, and the next look asks again.
      const response = await fetch(`/api/v1/chats/${chat}/messages?after=${last}`).catch(
        () => null,
      );
      if (response?.ok) take(((await response.json()) as { items: ChatItem[] }).items);
    } finally {
      fetching = false;
    }
  };

  const notice = (text: string | null): void => {
    if (away) {
      away.hidden = text === null;
      away.textContent = text ?? '';
    }
  };
  const count = (n: number): void => {
    const part = document.querySelector('[data-count]');
    if (part) part.textContent = n > 0 ? (words['count'] ?? '').replace('#', String(n)) : '';
  };

  // Visitors read along without a connection of their own: the page asks what is new.
  const socket = room.signedIn ? connect() : null;
  if (!socket)
    setInterval(() => {
      if (!document.hidden) void fill();
    }, READ_MS);
  let before = false;
  socket?.on('connect', () => {
    socket.emit('chat:join', { chat, after: last }, (answer) => {
      if ('error' in answer) {
        notice(answer.error.message);
        return;
      }
      take(answer.data.items);
      if (answer.data.last > last) void fill();
      count(answer.data.count);
      if (before) say(words['back'] ?? '');
      before = true;
      notice(null);
    });
  });
  socket?.on('disconnect', () => {
    notice(words['away'] ?? '');
  });
  // Where no websocket opens, the page asks at each attempt; it also asks when the hub tells of a
  // number that it has not seen.
  socket?.on('connect_error', () => {
    notice(words['away'] ?? '');
    void fill();
  });
  socket?.on('chat:said', (news) => {
    take(news.items);
  });
  socket?.on('chat:state', (news) => {
    take(news.items);
  });
  socket?.on('chat:presence', (news) => {
    count(news.count);
    if (news.last > last) void fill();
  });

  const send = (clientId: string, text: string, line: HTMLElement): void => {
    const failed = (): void => {
      line.classList.add('unsent');
      const again = document.createElement('button');
      again.className = 'link';
      again.textContent = words['failed'] ?? '';
      again.addEventListener('click', () => {
        again.remove();
        send(clientId, text, line);
      });
      line.append(again);
    };
    socket
      ?.timeout(8000)
      .emit(
        'chat:say',
        { chat, text, clientId },
        (
          error: Error | null,
          answer?: { data: { item: ChatItem } } | { error: { message: string } },
        ) => {
          if (error || !answer) {
            failed();
            return;
          }
          if ('error' in answer) {
            say(answer.error.message);
            failed();
            return;
          }
          take([answer.data.item]);
          if (answer.data.item.n > last) void fill();
        },
      );
  };

  form?.addEventListener('submit', (event) => {
    event.preventDefault();
    const field = form.elements.namedItem('text') as HTMLTextAreaElement;
    const text = field.value.trim();
    if (text === '') return;
    const clientId = crypto.randomUUID();
    own.add(clientId);
    const line = draw({
      n: 0,
      kind: 'said',
      text,
      clientId,
      mine: true,
      at: new Date().toISOString(),
    });
    line.classList.add('unsent');
    mine.set(clientId, line);
    list.append(line);
    toEnd();
    field.value = '';
    field.focus();
    send(clientId, text, line);
  });
  form?.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  fresh?.addEventListener('click', toEnd);
  toEnd();
}
