/**
 * One interface for every network (NETWORKS 3, trimmed to what is used). Networks know no fan and
 * no point.
 */
export type NetworkId = 'x' | 'facebook';
export const NETWORKS: readonly NetworkId[] = ['x', 'facebook'];
export const isNetwork = (text: unknown): text is NetworkId => text === 'x' || text === 'facebook';

/** A network's answer about a deed. `unknown` is never shown or used as `no`. */
export type Verdict = 'yes' | 'no' | 'unknown' | 'unsupported';
export type Reason =
  | 'protected'
  | 'missing_scope'
  | 'rate_limited'
  | 'not_found'
  | 'page_limit'
  | 'token_revoked'
  | 'network_down'
  | 'error';

/**
 * An account by the network's own stable id; the handle may change hands, and is '' where people
 * have none (Facebook).
 */
export interface AccountRef {
  network: NetworkId;
  id: string;
  handle: string;
  url: string;
}
/** Signs of a profile's name that are kept. */
export const PROFILE_NAME = 100;
export interface Profile extends AccountRef {
  name: string;
  about: string;
  createdAt: Date | null;
  followers: number | null;
  badge: string | null;
  protected: boolean;
}
export interface TokenSet {
  accessToken: string;
  refreshToken: string | null;
  expiresAt: Date | null;
  scopes: string[];
}
/**
 * Who signed in. Without the name that the network has for them: it may be their real one, and
 * nothing here needs it.
 */
export interface LinkedAccount {
  account: AccountRef;
  tokens: TokenSet;
  /**
   * Ids of further accounts there that this person speaks for (the Pages a person of Facebook
   * manages).
   */
  manages: string[];
}
/**
 * What was answered about one account, and when it was asked (the instant before the request left).
 */
export interface Answer {
  account: string;
  verdict: Verdict;
  askedAt: Date;
  reason: Reason | null;
}
export interface Post {
  network: NetworkId;
  id: string;
  url: string;
  author: string;
  text: string;
  createdAt: Date;
}
/**
 * How an asking will be made: HTTP requests apart from retries, and their price in millionths of a
 * dollar.
 */
export interface CheckPlan {
  calls: number;
  cost: number;
  by: 'accounts' | 'list';
}

/**
 * What an address or handle means, without asking anybody: an account by handle or id, something on
 * this network that is no account (`none`), or nothing of this network (null).
 */
export type Parsed = { handle: string } | { id: string } | 'none' | null;

export type NetworkErrorCode =
  | 'denied'
  | 'auth_expired'
  | 'auth_revoked'
  | 'forbidden_scope'
  | 'rate_limited'
  | 'not_found'
  | 'bad_request'
  | 'network_down'
  | 'invalid_response';

export class NetworkError extends Error {
  constructor(
    readonly network: NetworkId,
    readonly code: NetworkErrorCode,
    message: string,
    readonly retryAt: Date | null = null,
  ) {
    super(message);
    this.name = 'NetworkError';
  }
}

export interface Adapter {
  readonly id: NetworkId;
  /**
   * The deed that following an athlete's account here is: a follow, or a like of a Page where
   * follows cannot be told.
   */
  readonly accountDeed: 'follow' | 'like';
  /**
   * Whether people there go by a public handle. Where not, their name is their own and is not asked
   * for.
   */
  readonly publicHandles: boolean;
  /** Scopes that are asked for, no more (ASVS 10.2.3). */
  readonly scopes: readonly string[];
  /** The address to send the browser to, and what must be kept on the server for `completeAuth`. */
  beginAuth(input: {
    state: string;
    redirectUri: string;
  }): Promise<{ url: string; secret: Record<string, string> }>;
  /** Who signed in. Throws NetworkError `denied`, `auth_expired`, `network_down`. */
  completeAuth(input: {
    query: Record<string, string>;
    secret: Record<string, string>;
    redirectUri: string;
  }): Promise<LinkedAccount>;
  /**
   * New tokens for old; the caller stores them before using them, one refresh at a time a person.
   */
  refresh(tokens: TokenSet): Promise<TokenSet>;
  revoke(tokens: TokenSet): Promise<void>;
  parse(text: string): Parsed;
  /** What all spellings of one handle share on this network. */
  handleKey(handle: string): string;
  /** The public profile behind a parsed account, or null when there is none. */
  resolve(parsed: { handle: string } | { id: string }): Promise<Profile | null>;
  /**
   * The profiles behind these ids as they are now, as many a call as the network allows; null for
   * one it does not know any more. Throws NetworkError.
   */
  profiles(ids: string[]): Promise<Map<string, Profile | null>>;
  /** The fewest calls that can answer for so many accounts. */
  planCheck(accounts: number): CheckPlan;
  /**
   * Asks whether the person behind the tokens follows (or likes) these accounts; `hear` gets each
   * batch as it comes. Never makes more calls than planned, retries apart; never throws for an
   * answer that did not come: that is `unknown` with a reason.
   */
  check(input: {
    tokens: TokenSet;
    person: string;
    accounts: string[];
    hear?: (answers: Answer[]) => void;
  }): Promise<Answer[]>;
  /** The newest posts of an account. */
  fetchPosts(input: { account: string; limit: number; tokens?: TokenSet }): Promise<Post[]>;
  /**
   * Where a person follows this account: by its id, because a handle may be somebody else's
   * tomorrow.
   */
  accountUrl(id: string): string;
}
