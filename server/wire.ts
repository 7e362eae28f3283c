/*
 * Every socket event of the namespace `/village`, in both directions: a closed list (DESIGN 7).
 * Browsers import this file too, so it imports nothing.
 */

/** How the server acknowledges an event: with data, or with an error in the reader's words. */
export type Ack<T> = (answer: { data: T } | { error: { id: string; message: string } }) => void;

/**
 * Whatever changes what a chat shows, numbered last + 1. An item that this reader may not see comes
 * as `{n}`.
 */
export interface ChatItem {
  n: number;
  kind?: 'said' | 'state';
  id?: string;
  by?: { name: string; role: 'fan' | 'host' | 'moderator' | 'athlete' };
  mine?: boolean;
  text?: string;
  lang?: string;
  at?: string;
  clientId?: string;
}
/** What a socket that joined a room begins from. */
export interface ChatJoined {
  chat: string;
  state: string;
  items: ChatItem[];
  last: number;
  count: number;
}

/** What clients send. */
export interface ClientEvents {
  'chat:join': (input: { chat: string; after?: number }, ack: Ack<ChatJoined>) => void;
  'chat:leave': (input: { chat: string }, ack: Ack<{ chat: string }>) => void;
  'chat:say': (
    input: { chat: string; text: string; clientId: string },
    ack: Ack<{ item: ChatItem; last: number }>,
  ) => void;
}

/** What the server sends. */
export interface ServerEvents {
  'chat:said': (news: { chat: string; items: ChatItem[]; last: number }) => void;
  'chat:state': (news: { chat: string; items: ChatItem[]; last: number }) => void;
  'chat:presence': (news: { chat: string; count: number; last: number }) => void;
  'points:awarded': (news: {
    /** `athlete` is null for one who is no longer shown. */
    items: { deed: string; athlete: string | null; delta: number }[];
    points: number;
    medal?: string;
    unlocked: { slug: string; title: string }[];
    seq: number;
  }) => void;
  'follows:progress': (news: {
    network: string;
    done: number;
    total: number;
    awarded: number;
  }) => void;
}

/** The scopes of which a token must have one to send an event. */
export const SENT_WITH = {
  'chat:join': ['read', 'chat'],
  'chat:leave': ['read', 'chat'],
  'chat:say': ['chat'],
} as const satisfies Record<keyof ClientEvents, readonly string[]>;

/** The scopes of which a token must have one to hear an event. */
export const HEARD_WITH = {
  'chat:said': ['read', 'chat'],
  'chat:state': ['read', 'chat'],
  'chat:presence': ['read', 'chat'],
  'points:awarded': ['read'],
  'follows:progress': ['read'],
} as const satisfies Record<keyof ServerEvents, readonly string[]>;

/** Whether a token's scopes are enough; null, which sessions have, always is. */
export const allowed = (needed: readonly string[], scopes: readonly string[] | null): boolean =>
  scopes === null || needed.some((scope) => scopes.includes(scope));
