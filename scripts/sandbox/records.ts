/** What the sandbox networks keep about people, and the words they share. */

/** The networks that the sandbox imitates. */
export type Network = 'x' | 'facebook';
/** All of them. */
export const NETWORKS: readonly Network[] = ['x', 'facebook'];

/** An invented person; who has a Page on Facebook is somebody whom fans follow. */
export interface Person {
  /** Identifies the person here for good; also the handle on every network until it is changed. */
  handle: string;
  /** Handles taken since, by network. */
  renamed?: Partial<Record<Network, string>>;
  name: string;
  about: string;
  since: string;
  ids: { x: string; facebook: string };
  page: string | null;
}

/** Something an account published. */
export interface Post {
  id: string;
  network: Network;
  author: string;
  text: string;
  at: string;
}

/** What a token stands for: who granted what to the hub, and until when. */
export interface Grant {
  person: string;
  scopes: string[];
  /** Tokens that descend from one consent; they end together. */
  family: string;
  kind: 'access' | 'refresh' | 'app';
  /** Milliseconds since 1970. */
  expires: number;
  live: boolean;
}

/** What a push reports; `about` is the account it concerns. */
export type WorldNews = { network: Network; about: string } & (
  | { kind: 'post'; post: Post; author: Person }
  | { kind: 'follow' | 'unfollow' | 'like'; person: Person; target: string }
);

/** The handle that a person bears on a network now. */
export const handleOn = (network: Network, person: Person): string =>
  person.renamed?.[network] ?? person.handle;
