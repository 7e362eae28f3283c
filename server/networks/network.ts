/**
 * What a network is to the hub (NETWORKS 3, trimmed to what is used). Networks know no fan and no
 * point: they sign people in, find accounts, and answer whether somebody follows them.
 *
 * To add one, see "A network" in `server/README.md`. An adapter sends every request through a
 * `CircuitBreaker` and within the limits of `outward.ts`, tidies every text that comes back
 * (`platform/text.ts`), and turns every error into a `NetworkError`.
 */

/** The networks that the hub speaks with, in the order in which they are shown. */
export const NETWORKS = ['x', 'facebook'] as const;
/** The id of a network. */
export type NetworkId = (typeof NETWORKS)[number];
/** Whether a text is the id of a network. */
export const isNetwork = (text: unknown): text is NetworkId =>
  NETWORKS.some((network) => network === text);

/**
 * A network's answer about a deed. `unknown` is never shown or used as `no`; `unsupported` says
 * that the network cannot tell at all.
 */
export type Verdict = 'yes' | 'no' | 'unknown' | 'unsupported';

/** Why a verdict is `unknown`. */
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
 * An account by the network's own id, which never changes. The handle may pass to somebody else,
 * and is '' on networks where people have none (Facebook).
 */
export interface AccountRef {
  network: NetworkId;
  id: string;
  handle: string;
  url: string;
}

/** How many characters of a profile's name are kept. */
export const PROFILE_NAME = 100;

/** What an account shows of itself to everybody; null where the network does not say. */
export interface Profile extends AccountRef {
  name: string;
  about: string;
  createdAt: Date | null;
  followers: number | null;
  /** The network's own mark of verification, by the network's word for it. */
  badge: string | null;
  /** Whether only those whom its owner lets in may see what it posts. */
  protected: boolean;
}

/** What lets the hub ask in the name of a person, until `expiresAt` (null: not known). */
export interface TokenSet {
  accessToken: string;
  refreshToken: string | null;
  expiresAt: Date | null;
  scopes: string[];
}

/**
 * Who signed in. The name that the network has for them is left out: it may be their real one, and
 * nothing here needs it.
 */
export interface LinkedAccount {
  account: AccountRef;
  tokens: TokenSet;
  /** Ids of other accounts that this person speaks for, such as the Facebook Pages they manage. */
  manages: string[];
}

/** What a network answered about one account. */
export interface Answer {
  account: string;
  verdict: Verdict;
  /** The instant before the request left: what changed after it is not in the answer. */
  askedAt: Date;
  /** Null unless the verdict is `unknown`. */
  reason: Reason | null;
}

/** Something that an account published. */
export interface Post {
  network: NetworkId;
  id: string;
  url: string;
  author: string;
  text: string;
  createdAt: Date;
}

/**
 * What a check will take: HTTP requests, retries apart, and their price in millionths of a dollar.
 */
export interface CheckPlan {
  calls: number;
  cost: number;
  by: 'accounts' | 'list';
}

/**
 * What an address or a handle means, as far as it can be told without asking the network: an
 * account by handle or by id; `none` for something there that is no account; null for nothing of
 * this network.
 */
export type Parsed = AccountName | 'none' | null;
/** An account by what an address says of it. */
export type AccountName = { handle: string } | { id: string };

/** What may go wrong between a network and the hub. */
export type NetworkErrorCode =
  /** The person said no. */
  | 'denied'
  /** The token is too old, or not known; a new sign-in or a refresh helps. */
  | 'auth_expired'
  /** The person took the permission back; only a new sign-in helps. */
  | 'auth_revoked'
  /** The token does not allow this. */
  | 'forbidden_scope'
  /** Too much was asked; the network wants us to wait. */
  | 'rate_limited'
  | 'not_found'
  | 'bad_request'
  /** No answer came, or the network says that it is broken. */
  | 'network_down'
  /** An answer came that nobody understands. */
  | 'invalid_response';

/** The only kind of error that an adapter throws. */
export class NetworkError extends Error {
  /** @param retryAt when the network will answer again, if it says so */
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

/** Where somebody begins to sign in. `state` is ours, made and checked by the hub's sign-in. */
export interface AuthRequest {
  state: string;
  redirectUri: string;
}
/** The address to send the browser to, and what the hub keeps for `completeAuth`. */
export interface AuthStart {
  url: string;
  /** Stays on the server, in the session. */
  secret: Record<string, string>;
}
/** What the browser brought back from the network, and what was kept since. */
export interface AuthReturn {
  query: Record<string, string>;
  secret: Record<string, string>;
  redirectUri: string;
}

/** The question whether a person follows (or likes) some accounts. */
export interface CheckRequest {
  tokens: TokenSet;
  /** The person's own id on the network. */
  person: string;
  accounts: string[];
  /** Is given each batch of answers as it comes, before all are there. */
  onAnswers?: (answers: Answer[]) => void;
}

/** The wish for an account's newest posts: in a person's name where there are tokens. */
export interface PostsRequest {
  account: string;
  limit: number;
  tokens?: TokenSet;
}

/**
 * A network, as every room sees it. Every method throws nothing but NetworkErrors; those that do
 * not return a promise ask nobody.
 */
export interface Adapter {
  readonly id: NetworkId;
  /**
   * The deed by which somebody follows an athlete's account here: a follow, or a like of a Page
   * where the network does not tell who follows.
   */
  readonly accountDeed: 'follow' | 'like';
  /**
   * Whether people go by a public handle. Where they do not, their name is their own, and is not
   * asked for.
   */
  readonly publicHandles: boolean;
  /** The scopes that people are asked for, and no more (ASVS 10.2.3). */
  readonly scopes: readonly string[];

  /** Begins a sign-in. */
  beginAuth(request: AuthRequest): Promise<AuthStart>;
  /** Ends a sign-in: says who it was. Throws `denied`, `auth_expired`, `network_down`. */
  completeAuth(request: AuthReturn): Promise<LinkedAccount>;
  /**
   * Exchanges tokens for new ones. The caller stores these before using them, and refreshes for one
   * person once at a time. Throws `auth_revoked` when only a new sign-in helps.
   */
  refresh(tokens: TokenSet): Promise<TokenSet>;
  /** Gives tokens back, so that they are worth nothing. Never throws: they may be dead already. */
  revoke(tokens: TokenSet): Promise<void>;

  /** What a pasted text means. Knows every form of address that the network ever used. */
  parse(text: string): Parsed;
  /** The form that all spellings of a handle share on this network. */
  handleKey(handle: string): string;
  /**
   * The address under which a person can follow an account: by id, because handles change hands.
   */
  accountUrl(id: string): string;

  /** The public profile of an account, or null when there is none. */
  resolve(name: AccountName): Promise<Profile | null>;
  /**
   * The profiles of these accounts as they are now, as many in a request as the network allows:
   * null for an account that is gone, nothing for one that was not answered for.
   */
  profiles(ids: string[]): Promise<Map<string, Profile | null>>;

  /** The fewest requests that can answer for so many accounts. */
  planCheck(accounts: number): CheckPlan;
  /**
   * Asks whether a person follows (or likes) accounts, and answers for each, in their order. Sends
   * no more requests than planned, retries apart. Never throws because an answer did not come: that
   * is `unknown` with a reason.
   */
  check(request: CheckRequest): Promise<Answer[]>;

  /** The newest posts of an account, the latest first. */
  fetchPosts(request: PostsRequest): Promise<Post[]>;
}
