import {
  ApiPartialResponseError,
  ApiRequestError,
  ApiResponseError,
  TwitterApi,
  type ITwitterApiClientPlugin,
  type UserV2,
} from 'twitter-api-v2';
import type { Clock } from '../../platform/clock.js';
import { inPieces } from '../../platform/pieces.js';
import { tidyLine, tidyText } from '../../platform/text.js';
import type { NetworkSettings } from '../../config.js';
import {
  NetworkError,
  PROFILE_NAME,
  type AccountName,
  type AccountRef,
  type Adapter,
  type Answer,
  type AuthRequest,
  type AuthReturn,
  type AuthStart,
  type CheckPlan,
  type CheckRequest,
  type LinkedAccount,
  type Parsed,
  type Post,
  type PostsRequest,
  type Profile,
  type TokenSet,
} from '../network.js';
import { askInBatches, type Finding } from '../batches.js';
import { agentFor, CircuitBreaker, type OutcomeListener } from '../outward.js';
import { parseX } from './addresses.js';

/** Accounts in one request. */
const BATCH = 100;
/** Price of one user read, in millionths of a dollar (NETWORKS 4.1). */
const USER_READ = 10_000;
const PROFILE = [
  'description',
  'created_at',
  'public_metrics',
  'verified_type',
  'protected',
] as const;

/**
 * How the library speaks with this network's origins, which it hard-codes (NETWORKS 4.1). Its agent
 * closes each connection after its request, so that one serves all clients.
 */
function clientOptions({ pages, api }: NetworkSettings): {
  plugins: ITwitterApiClientPlugin[];
  httpAgent: ReturnType<typeof agentFor>;
} {
  const map = (url: string): string =>
    url.replace(/^https:\/\/x\.com\//, `${pages}/`).replace(/^https:\/\/api\.x\.com\//, `${api}/`);
  const plugin: ITwitterApiClientPlugin = {
    onBeforeRequest: ({ computedParams }) => {
      computedParams.url = new URL(map(computedParams.url.toString()));
    },
    onOAuth2RequestToken: ({ result }) => {
      result.url = map(result.url);
    },
  };
  return { plugins: [plugin], httpAgent: agentFor(api) };
}

/**
 * X, by its API v2, through twitter-api-v2. The library's hosts are constants, so a plugin rewrites
 * them to the configured origins.
 */
export class XAdapter implements Adapter {
  readonly id = 'x';
  readonly accountDeed = 'follow';
  readonly publicHandles = true;
  readonly scopes = ['tweet.read', 'users.read', 'follows.read', 'offline.access'] as const;
  private readonly breaker: CircuitBreaker;
  private readonly options: ReturnType<typeof clientOptions>;
  private appClient: { client: TwitterApi; until: number } | null = null;

  constructor(
    private readonly settings: NetworkSettings,
    private readonly clock: Clock,
    onOutcome: OutcomeListener,
  ) {
    this.options = clientOptions(settings);
    this.breaker = new CircuitBreaker('x', () => clock.now().getTime(), toNetworkError, onOutcome);
  }

  private login(): TwitterApi {
    return new TwitterApi(
      { clientId: this.settings.clientId, clientSecret: this.settings.clientSecret },
      this.options,
    );
  }

  private as(tokens: TokenSet): TwitterApi {
    return new TwitterApi(tokens.accessToken, this.options);
  }

  /** A client with the app's own token, for public profiles; it is an hour old at most. */
  private async app(): Promise<TwitterApi> {
    const now = this.clock.now().getTime();
    if (!this.appClient || this.appClient.until < now) {
      const keys = new TwitterApi(
        {
          appKey: this.settings.appKey ?? this.settings.clientId,
          appSecret: this.settings.appSecret ?? this.settings.clientSecret,
        },
        this.options,
      );
      this.appClient = {
        client: await this.breaker.execute(() => keys.appLogin()),
        until: now + 3_600_000,
      };
    }
    return this.appClient.client;
  }

  /** See `Adapter`. */
  beginAuth({ state, redirectUri }: AuthRequest): Promise<AuthStart> {
    const link = this.login().generateOAuth2AuthLink(redirectUri, {
      state,
      scope: [...this.scopes],
    });
    return Promise.resolve({ url: link.url, secret: { verifier: link.codeVerifier } });
  }

  /** See `Adapter`. */
  async completeAuth({ query, secret, redirectUri }: AuthReturn): Promise<LinkedAccount> {
    if (query['error']) throw new NetworkError('x', 'denied', query['error']);
    if (!query['code']) throw new NetworkError('x', 'bad_request', 'no code');
    const code = query['code'];
    const login = await this.breaker.execute(() =>
      this.login().loginWithOAuth2({ code, codeVerifier: secret['verifier'] ?? '', redirectUri }),
    );
    const { data } = await this.breaker.execute(() => login.client.v2.me());
    return { account: this.ref(data), tokens: tokenSet(login, this.clock), manages: [] };
  }

  /** See `Adapter`. */
  async refresh(tokens: TokenSet): Promise<TokenSet> {
    const { refreshToken } = tokens;
    if (!refreshToken) throw new NetworkError('x', 'auth_expired', 'no refresh token');
    try {
      return tokenSet(
        await this.breaker.execute(() => this.login().refreshOAuth2Token(refreshToken)),
        this.clock,
      );
    } catch (error) {
      // A refresh token that was refused is gone for good: the person has to sign in again.
      if (error instanceof NetworkError && error.code === 'bad_request')
        throw new NetworkError('x', 'auth_revoked', error.message);
      throw error;
    }
  }

  /** See `Adapter`. */
  async revoke(tokens: TokenSet): Promise<void> {
    await this.breaker
      .execute(async () => {
        await this.login().revokeOAuth2Token(
          tokens.refreshToken ?? tokens.accessToken,
          tokens.refreshToken ? 'refresh_token' : 'access_token',
        );
        return {};
      })
      .catch(() => undefined);
  }

  /** See `Adapter`. */
  parse(text: string): Parsed {
    return parseX(text, this.settings.pages);
  }

  /** See `Adapter`. */
  handleKey(handle: string): string {
    return handle.toLowerCase();
  }

  /** See `Adapter`. */
  async resolve(name: AccountName): Promise<Profile | null> {
    const client = await this.app();
    const found = await this.breaker.execute(() =>
      'id' in name
        ? client.v2.users([name.id], { 'user.fields': [...PROFILE] })
        : client.v2.usersByUsernames([name.handle], { 'user.fields': [...PROFILE] }),
    );
    const user = (found.data as UserV2[] | undefined)?.[0];
    return user ? this.profile(user) : null;
  }

  /** See `Adapter`. */
  async profiles(ids: string[]): Promise<Map<string, Profile | null>> {
    const client = await this.app();
    const known = new Map<string, Profile | null>();
    for (const part of inPieces(ids, BATCH)) {
      const { data, errors } = await this.breaker.execute(() =>
        client.v2.users(part, { 'user.fields': [...PROFILE] }),
      );
      // Accounts that are gone are named beside the others (NETWORKS 4.1); an account that is in
      // neither list was not answered for.
      for (const gone of errors ?? [])
        if (gone.parameter === 'ids' && gone.value && part.includes(gone.value))
          known.set(gone.value, null);
      for (const user of (data as UserV2[] | undefined) ?? [])
        known.set(user.id, this.profile(user));
    }
    return known;
  }

  private profile(user: UserV2): Profile {
    return {
      ...this.ref(user),
      name: tidyLine(user.name, PROFILE_NAME),
      about: tidyText(user.description ?? ''),
      createdAt: user.created_at ? new Date(user.created_at) : null,
      followers: user.public_metrics?.followers_count ?? null,
      badge: user.verified_type && user.verified_type !== 'none' ? user.verified_type : null,
      protected: user.protected ?? false,
    };
  }

  /** See `Adapter`. */
  planCheck(accounts: number): CheckPlan {
    return { calls: Math.ceil(accounts / BATCH), cost: accounts * USER_READ, by: 'accounts' };
  }

  /** See `Adapter`. */
  check(request: CheckRequest): Promise<Answer[]> {
    const client = this.as(request.tokens);
    const ask = async (ids: string[]): Promise<Finding[]> => {
      const reply = await this.breaker.execute(() =>
        client.v2.users(ids, { 'user.fields': ['connection_status'] }),
      );
      const users = new Map((reply.data as UserV2[] | undefined)?.map((user) => [user.id, user]));
      return ids.map((id) => findingOf(users.get(id)));
    };
    return askInBatches(request, { size: BATCH, clock: this.clock, ask });
  }

  /** See `Adapter`. */
  async fetchPosts({ account, limit, tokens }: PostsRequest): Promise<Post[]> {
    const client = tokens ? this.as(tokens) : await this.app();
    const page = await this.breaker.execute(() =>
      client.v2.userTimeline(account, {
        max_results: Math.min(100, Math.max(5, limit)),
        exclude: ['replies', 'retweets'],
        'tweet.fields': ['created_at'],
      }),
    );
    return page.tweets.slice(0, limit).map((tweet) => ({
      network: 'x',
      id: tweet.id,
      url: `${this.settings.pages}/i/status/${tweet.id}`,
      author: account,
      text: tidyText(tweet.text),
      createdAt: new Date(tweet.created_at ?? 0),
    }));
  }

  /** See `Adapter`. */
  accountUrl(id: string): string {
    return `${this.settings.pages}/i/user/${encodeURIComponent(id)}`;
  }

  private ref(user: Pick<UserV2, 'id' | 'username'>): AccountRef {
    return { network: 'x', id: user.id, handle: user.username, url: this.accountUrl(user.id) };
  }
}

/**
 * Reads the verdict from an account's `connection_status`, which is absent where there is no
 * connection: that is `no` only if the account itself was answered (NETWORKS 4.1).
 */
function findingOf(user: UserV2 | undefined): Finding {
  if (!user) return { verdict: 'unknown', reason: 'not_found' };
  const status = (user as { connection_status?: unknown }).connection_status;
  if (status === undefined) return { verdict: 'no', reason: null };
  if (!Array.isArray(status)) return { verdict: 'unknown', reason: 'error' };
  if (status.includes('following')) return { verdict: 'yes', reason: null };
  return status.includes('follow_request_sent')
    ? { verdict: 'unknown', reason: 'protected' }
    : { verdict: 'no', reason: null };
}

function tokenSet(
  login: { accessToken: string; refreshToken?: string; expiresIn: number; scope: string[] },
  clock: Clock,
): TokenSet {
  return {
    accessToken: login.accessToken,
    refreshToken: login.refreshToken ?? null,
    expiresAt: new Date(clock.now().getTime() + login.expiresIn * 1000),
    scopes: login.scope,
  };
}

function toNetworkError(error: unknown): NetworkError {
  if (error instanceof ApiResponseError) {
    const { code } = error;
    const retryAt = error.rateLimit?.reset ? new Date(error.rateLimit.reset * 1000) : null;
    if (code === 429) return new NetworkError('x', 'rate_limited', 'X asks to wait', retryAt);
    if (code === 401) return new NetworkError('x', 'auth_expired', 'X does not know this token');
    if (code === 403) return new NetworkError('x', 'forbidden_scope', 'X refuses this');
    if (code === 404) return new NetworkError('x', 'not_found', 'X does not know this');
    if (code >= 500) return new NetworkError('x', 'network_down', `X answered ${code}`);
    return new NetworkError('x', 'bad_request', `X answered ${code}`);
  }
  if (error instanceof ApiPartialResponseError)
    return new NetworkError('x', 'invalid_response', 'X broke off its answer');
  if (error instanceof ApiRequestError)
    return new NetworkError('x', 'network_down', 'X cannot be reached');
  return new NetworkError(
    'x',
    'invalid_response',
    error instanceof Error ? error.message : 'X answered something else',
  );
}
