import { cardOf } from '../athletes/present.js';
import type { AthleteRecord } from '../athletes/service.js';
import type { Language, Words } from '../platform/i18n.js';
import { randomId } from '../platform/ids.js';
import type { ChatItem } from '../wire.js';
import type { ChatRecord, ItemRecord } from './chat.model.js';
import { TURNS } from './policy.js';
import type { ChatAnswer } from './schema.js';

/**
 * An item as this viewer may see it: a removed one is only its number. `mine` is told to its author
 * alone. `called` says what fans are called now, where that was read; a host goes by the athlete's
 * name.
 */
export function presentItem(
  item: ItemRecord,
  viewer: string | null,
  called?: ReadonlyMap<string, string>,
): ChatItem {
  if (item.removed) return { n: item.n };
  const shown: ChatItem = {
    n: item.n,
    kind: item.kind,
    id: item._id,
    by: {
      name: (item.by.role === 'host' ? undefined : called?.get(item.fan)) ?? item.by.name,
      role: item.by.role,
    },
    text: item.text,
    lang: item.lang,
    at: new Date(item.at).toISOString(),
  };
  return viewer !== null && viewer === item.fan
    ? { ...shown, mine: true, clientId: item.clientId }
    : shown;
}

/**
 * An item as a whole room may see it, encoded once for everybody: the client knows its own by the
 * id in its acknowledgement.
 */
export const presentForRoom = (item: ItemRecord): ChatItem => ({
  ...presentItem(item, null),
  clientId: item.clientId,
});

/** A chat in JSON. */
export const presentChat = (language: Language, chat: ChatRecord): ChatAnswer => ({
  slug: chat._id,
  title: chat.title[language],
  about: chat.about[language],
  state: chat.state,
  startsAt: chat.startsAt.toISOString(),
  endsAt: chat.endsAt.toISOString(),
  host: chat.host,
  fromVillage: chat.fromVillage,
});

const hostCard = (words: Words, language: Language, host: AthleteRecord | undefined) =>
  host ? cardOf(words, language, host) : null;

/** All chats: live (or paused), to come, over. */
export function presentChatList(
  words: Words,
  language: Language,
  chats: ChatRecord[],
  hosts: Map<string, AthleteRecord>,
) {
  const views = chats.map((chat) => ({
    ...presentChat(language, chat),
    athlete: hostCard(words, language, hosts.get(chat.host)),
  }));
  return {
    live: views.filter(({ state }) => state === 'live' || state === 'paused'),
    soon: views.filter(({ state }) => state === 'soon'),
    over: views.filter(({ state }) => state === 'ended'),
  };
}

/** The words that the room's browser module says by itself. */
function roomWords(words: Words, language: Language): Record<string, string> {
  const t = (key: string): string => words.t(language, `village.${key}`);
  return {
    you: t('you'),
    count: words.t(language, 'village.count_other', { n: '#' }),
    host: t('role.host'),
    moderator: t('role.moderator'),
    removed: t('removed'),
    away: t('away'),
    back: t('back'),
    failed: t('failed'),
    fresh: t('fresh'),
    ended: t('state.ended'),
    live: t('state.live'),
    paused: t('state.paused'),
  };
}

/** What the page of a room shows. */
export interface RoomView {
  chat: ChatRecord;
  host: AthleteRecord | undefined;
  items: ChatItem[];
  /** The last number there is. */
  last: number;
  /** What a reader typed that could not be taken, and why. */
  typed: string;
  wrong: string | null;
  signedIn: boolean;
  /** Whether the reader may start, pause and end the chat. */
  mayLead: boolean;
}

/** The page of a room, with what its browser module begins from. */
export function presentRoom(words: Words, language: Language, view: RoomView) {
  const { chat, items, last, typed, wrong, signedIn } = view;
  const live = chat.state === 'live';
  return {
    chat: { ...presentChat(language, chat), live },
    athlete: hostCard(words, language, view.host),
    items,
    last,
    typed,
    wrong,
    clientId: randomId(),
    signedIn,
    turns: view.mayLead ? TURNS[chat.state] : [],
    client: {
      ...{ chat: chat._id, last, live, signedIn, lang: language },
      timeZone: words.timezone,
      words: roomWords(words, language),
    },
  };
}
