/** Every socket event of the namespace `/village`, both directions: a closed list (DESIGN 7). */
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
export interface ChatJoined {
  chat: string;
  state: string;
  items: ChatItem[];
  last: number;
  count: number;
}

export interface ClientEvents {
  'chat:join': (input: { chat: string; after?: number }, ack: Ack<ChatJoined>) => void;
  'chat:leave': (input: { chat: string }, ack: Ack<{ chat: string }>) => void;
  'chat:say': (
    input: { chat: string; text: string; clientId: string },
    ack: Ack<{ item: ChatItem; last: number }>,
  ) => void;
}

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

/**
 * Every event of a client, and the scopes of which a token must have one to send it. A room is read
 * by whoever reads or speaks.
 */
export const SENT_WITH = {
  'chat:join': ['read', 'chat'],
  'chat:leave': ['read', 'chat'],
  'chat:say': ['chat'],
} as const satisfies Record<keyof ClientEvents, readonly string[]>;

/** Every event of the server, and the scopes of which a token must have one to hear it. */
export const HEARD_WITH = {
  'chat:said': ['read', 'chat'],
  'chat:state': ['read', 'chat'],
  'chat:presence': ['read', 'chat'],
  'points:awarded': ['read'],
  'follows:progress': ['read'],
} as const satisfies Record<keyof ServerEvents, readonly string[]>;

/** Whether these scopes are enough; null, a session's, always are. */
export const allowed = (needed: readonly string[], scopes: readonly string[] | null): boolean =>
  scopes === null || needed.some((scope) => scopes.includes(scope));
