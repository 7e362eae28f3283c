/**
 * What consecutive entries of one fan moved, the last of them being `seq`; with the fan's medals by
 * scope before and after.
 */
export interface Award {
  fan: string;
  seq: number;
  items: { deed: string; athlete: string; delta: number }[];
  points: number;
  medals: { before: Record<string, string>; after: Record<string, string> };
  /**
   * Whether other deeds, which locks ask about along with these, were held at `seq`. What is absent
   * was not looked up.
   */
  related?: Record<string, boolean>;
}

/**
 * Every topic of the bus: a closed list. News may be lost, so each listener also catches up from
 * the truth (DESIGN 3).
 */
export interface News {
  /** Athletes changed up to this revision of the directory. */
  'athletes:changed': { revision: number };
  /** A fan's standing, roles, identities or session version changed. */
  'fans:changed': { fan: string };
  /** A moderator decided about an account, or its epoch rose. */
  'registry:changed': { network: string; account: string };
  /** A card was signed. */
  'cards:changed': { network: string };
  /** Points of these fans moved: told to their open pages. */
  'points:moved': { moves: Award[] };
  /** A long check of a fan's follows on a network went on. */
  'follows:progress': {
    fan: string;
    network: string;
    done: number;
    total: number;
    awarded: number;
  };
  /** A job of this kind was added. */
  'jobs:added': { kind: string };
  /** Items were added to a chat. */
  'chat:items': { chat: string; event: string; items: unknown[] };
  /** A video was published or changed. */
  'videos:changed': { slug: string };
  /** The sessions of a fan ended: their sockets are closed. */
  'fans:signed_out': { fan: string; session: string | null };
  /** A personal token ended, named by its hash. */
  'fans:token_ended': { fan: string; token: string };
  /** A fan has more sockets than allowed: these, each `process:socket`, go. */
  'sockets:crowded': { fan: string; seats: string[] };
}

/** The name of a piece of news. */
export type Topic = keyof News;
