import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { NetworkSettings } from '../../config.js';
import type { Clock } from '../../platform/clock.js';
import { tidyLine, tidyText } from '../../platform/text.js';
import {
  NetworkError,
  PROFILE_NAME,
  type Adapter,
  type Answer,
  type CheckPlan,
  type LinkedAccount,
  type Post,
  type Profile,
  type TokenSet,
} from '../network.js';
import { askInBatches, reasonOf, type Said } from '../batches.js';
import { requestJson, CircuitBreaker, type OutcomeListener } from '../outward.js';
import { parseFacebook } from './addresses.js';
import { begin, complete } from './login.js';

/** Parts of one batch request (NETWORKS 7). */
const BATCH = 50;
const Page = z.object({
  id: z.string(),
  name: z.string().default(''),
  username: z.string().optional(),
  about: z.string().optional(),
  fan_count: z.number().optional(),
  link: z.string().optional(),
  verification_status: z.string().optional(),
});
const FIELDS = 'id,name,username,about,fan_count,link,verification_status';
const Managed = z.object({
  data: z.array(z.object({ id: z.string() })),
  paging: z
    .object({
      cursors: z.object({ after: z.string().optional() }).optional(),
      next: z.string().optional(),
    })
    .optional(),
});
/** Pages a request of `me/accounts`, and how many of those are read at most. */
const MANAGED = 100;
const MANAGED_PAGES = 20;
const Likes = z.object({ data: z.array(z.object({ id: z.string() })) });
const BatchReply = z.array(z.object({ code: z.number(), body: z.string() }).nullable());
const Posts = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      message: z.string().default(''),
      created_time: z.string(),
      permalink_url: z.string().optional(),
    }),
  ),
});
const GraphFault = z.object({
  error: z.object({
    message: z.string().default(''),
    code: z.number(),
    error_subcode: z.number().optional(),
  }),
});
const Exchanged = z.object({ access_token: z.string(), expires_in: z.number().optional() });

/**
 * Facebook: login through passport-facebook, Page likes and posts through Graph. A follow of a Page
 * cannot be told, a like can.
 */
export class FacebookAdapter implements Adapter {
  readonly id = 'facebook';
  readonly accountDeed = 'like';
  readonly publicHandles = false;
  /**
   * `pages_show_list` tells which Pages a person manages: nobody earns for their own account
   * (DESIGN 6), and a person's id is never a Page's.
   */
  readonly scopes = ['public_profile', 'user_likes', 'pages_show_list'] as const;
  private readonly road: CircuitBreaker;

  constructor(
    private readonly settings: NetworkSettings,
    private readonly clock: Clock,
    onOutcome: OutcomeListener,
  ) {
    this.road = new CircuitBreaker(
      'facebook',
      () => clock.now().getTime(),
      asNetworkError,
      onOutcome,
    );
  }

  async beginAuth({
    state,
    redirectUri,
  }: {
    state: string;
    redirectUri: string;
  }): Promise<{ url: string; secret: Record<string, string> }> {
    return { url: await begin(this.settings, redirectUri, this.scopes, state), secret: {} };
  }

  async completeAuth({
    query,
    redirectUri,
  }: {
    query: Record<string, string>;
    secret: Record<string, string>;
    redirectUri: string;
  }): Promise<LinkedAccount> {
    if (query['error']) throw new NetworkError('facebook', 'denied', query['error']);
    if (!query['code'] && !query['error_code'])
      throw new NetworkError('facebook', 'bad_request', 'no code');
    const login = await complete(this.settings, redirectUri, this.scopes, query);
    const short: TokenSet = {
      accessToken: login.accessToken,
      refreshToken: null,
      expiresAt: this.inSeconds(login.expiresIn),
      scopes: [...this.scopes],
    };
    // The login's token lives two hours; the sweep needs the sixty-day one.
    const tokens = await this.refresh(short).catch(() => short);
    return {
      account: { network: 'facebook', id: login.id, handle: '', url: '' },
      tokens,
      manages: await this.managed(tokens),
    };
  }

  /** Ids of the Pages this person manages; none when they did not allow us to know. */
  private async managed(tokens: TokenSet): Promise<string[]> {
    const ids: string[] = [];
    let after: string | undefined;
    try {
      for (let page = 0; page < MANAGED_PAGES; page += 1) {
        const { data, paging } = Managed.parse(
          await this.get('me/accounts', {
            fields: 'id',
            limit: String(MANAGED),
            ...(after ? { after } : {}),
            ...this.signed(tokens),
          }),
        );
        ids.push(...data.map((one) => one.id));
        after = paging?.next === undefined ? undefined : paging.cursors?.after;
        if (!after) break;
      }
    } catch (error) {
      if (error instanceof NetworkError && error.code === 'forbidden_scope') return [];
      throw error instanceof NetworkError
        ? error
        : new NetworkError(
            'facebook',
            'invalid_response',
            'Facebook did not say which Pages somebody manages',
          );
    }
    return ids;
  }

  private inSeconds(seconds: number | null | undefined): Date | null {
    return seconds ? new Date(this.clock.now().getTime() + seconds * 1000) : null;
  }

  async refresh(tokens: TokenSet): Promise<TokenSet> {
    const got = Exchanged.parse(
      await this.get('oauth/access_token', {
        grant_type: 'fb_exchange_token',
        client_id: this.settings.clientId,
        client_secret: this.settings.clientSecret,
        fb_exchange_token: tokens.accessToken,
      }),
    );
    return { ...tokens, accessToken: got.access_token, expiresAt: this.inSeconds(got.expires_in) };
  }

  async revoke(tokens: TokenSet): Promise<void> {
    await this.ask('me/permissions', this.signed(tokens), 'DELETE').catch(() => undefined);
  }

  parse(text: string): ReturnType<Adapter['parse']> {
    return parseFacebook(text, this.settings.pages);
  }

  /** Neither case nor full stops tell two names of Facebook apart. */
  handleKey(handle: string): string {
    return handle.toLowerCase().replace(/\./g, '');
  }

  async resolve(parsed: { handle: string } | { id: string }): Promise<Profile | null> {
    const key = 'id' in parsed ? parsed.id : parsed.handle;
    try {
      return this.profile(
        Page.parse(
          await this.get(encodeURIComponent(key), { fields: FIELDS, access_token: this.appToken }),
        ),
      );
    } catch (error) {
      if (error instanceof NetworkError && error.code === 'not_found') return null;
      throw error;
    }
  }

  async profiles(ids: string[]): Promise<Map<string, Profile | null>> {
    const known = new Map<string, Profile | null>();
    for (let from = 0; from < ids.length; from += BATCH) {
      const part = ids.slice(from, from + BATCH);
      const answers = await this.batch(
        part.map((id) => `${encodeURIComponent(id)}?fields=${FIELDS}`),
        { access_token: this.appToken },
      );
      for (const [at, id] of part.entries()) {
        const answer = answers[at];
        if (!answer) continue;
        const page = Page.safeParse(answer.json);
        if (answer.code === 200 && page.success) known.set(id, this.profile(page.data));
        else if (answer.code !== 200 && faultOf(answer.json, answer.code).code === 'not_found')
          known.set(id, null);
      }
    }
    return known;
  }

  private profile(page: z.output<typeof Page>): Profile {
    return {
      network: 'facebook',
      id: page.id,
      handle: page.username ?? page.id,
      url: this.accountUrl(page.id),
      name: tidyLine(page.name, PROFILE_NAME),
      about: tidyText(page.about ?? ''),
      createdAt: null,
      followers: page.fan_count ?? null,
      badge:
        page.verification_status && page.verification_status !== 'not_verified'
          ? page.verification_status
          : null,
      protected: false,
    };
  }

  planCheck(accounts: number): CheckPlan {
    return { calls: Math.ceil(accounts / BATCH), cost: 0, by: 'accounts' };
  }

  async check({
    tokens,
    accounts,
    hear,
  }: {
    tokens: TokenSet;
    person: string;
    accounts: string[];
    hear?: (answers: Answer[]) => void;
  }): Promise<Answer[]> {
    return askInBatches(accounts, BATCH, this.clock, (ids) => this.likes(tokens, ids), hear);
  }

  /** One request for up to fifty Pages: Graph's batch (or the plain call for one). */
  private async likes(tokens: TokenSet, ids: string[]): Promise<Said[]> {
    const one = (id: string, json: unknown): Said => {
      const parsed = Likes.safeParse(json);
      if (!parsed.success) return { verdict: 'unknown', reason: 'error' };
      return {
        verdict: parsed.data.data.some((page) => page.id === id) ? 'yes' : 'no',
        reason: null,
      };
    };
    if (ids.length === 1) {
      const [id] = ids as [string];
      return [
        one(
          id,
          await this.get('me/likes', { target_id: id, fields: 'id', ...this.signed(tokens) }),
        ),
      ];
    }
    const answers = await this.batch(
      ids.map((id) => `me/likes?target_id=${id}&fields=id`),
      this.signed(tokens),
    );
    return ids.map((id, at) => {
      const answer = answers[at];
      if (!answer) return { verdict: 'unknown', reason: 'error' };
      return answer.code === 200
        ? one(id, answer.json)
        : { verdict: 'unknown', reason: reasonOf(faultOf(answer.json, answer.code)) };
    });
  }

  /**
   * Several reads in one request (NETWORKS 7), answered in their order; null for a part that did
   * not come or is no JSON.
   */
  private async batch(
    reads: string[],
    auth: Record<string, string>,
  ): Promise<({ code: number; json: unknown } | null)[]> {
    const batch = JSON.stringify(reads.map((path) => ({ method: 'GET', relative_url: path })));
    const parts = BatchReply.parse(
      await this.ask('', { batch, include_headers: 'false', ...auth }, 'POST'),
    );
    return reads.map((_path, at) => {
      const part = parts[at];
      if (!part) return null;
      try {
        return { code: part.code, json: JSON.parse(part.body) as unknown };
      } catch {
        return null;
      }
    });
  }

  async fetchPosts({ account, limit }: { account: string; limit: number }): Promise<Post[]> {
    const { data } = Posts.parse(
      await this.get(`${encodeURIComponent(account)}/posts`, {
        fields: 'id,message,created_time,permalink_url',
        limit: String(Math.min(100, limit)),
        access_token: this.appToken,
      }),
    );
    return data.slice(0, limit).map((post) => ({
      network: 'facebook',
      id: post.id,
      url: post.permalink_url ?? `${this.settings.pages}/${post.id}`,
      author: account,
      text: tidyText(post.message),
      createdAt: new Date(post.created_time),
    }));
  }

  accountUrl(id: string): string {
    return `${this.settings.pages}/${encodeURIComponent(id)}`;
  }

  private get appToken(): string {
    return `${this.settings.clientId}|${this.settings.clientSecret}`;
  }

  private signed(tokens: TokenSet): Record<string, string> {
    return {
      access_token: tokens.accessToken,
      appsecret_proof: createHmac('sha256', this.settings.clientSecret)
        .update(tokens.accessToken)
        .digest('hex'),
    };
  }

  private get(path: string, params: Record<string, string>): Promise<unknown> {
    return this.ask(path, params, 'GET');
  }

  private async ask(
    path: string,
    params: Record<string, string>,
    method: 'GET' | 'POST' | 'DELETE',
  ): Promise<unknown> {
    const url = new URL(`${this.settings.api}/${this.settings.version}/${path}`);
    const body = new URLSearchParams(params);
    if (method !== 'POST') url.search = body.toString();
    return this.road.execute(async () => {
      const reply = await requestJson(url, method === 'POST' ? { method, body } : { method });
      if (reply.status >= 400) throw faultOf(reply.json, reply.status);
      return reply.json as object;
    });
  }
}

const asNetworkError = (error: unknown): NetworkError =>
  new NetworkError(
    'facebook',
    error instanceof SyntaxError ? 'invalid_response' : 'network_down',
    'Facebook did not answer as it should',
  );

/** Graph's error codes (NETWORKS 4.3): limits come as HTTP 400 or 403, not 429. */
function faultOf(json: unknown, status: number): NetworkError {
  const parsed = GraphFault.safeParse(json);
  if (!parsed.success)
    return new NetworkError(
      'facebook',
      status >= 500 ? 'network_down' : 'invalid_response',
      `Facebook answered ${status}`,
    );
  const { code, message, error_subcode: sub } = parsed.data.error;
  if ([4, 17, 32, 613].includes(code))
    return new NetworkError('facebook', 'rate_limited', 'Facebook asks to wait');
  if (code === 190)
    return new NetworkError(
      'facebook',
      sub === 458 || sub === 460 ? 'auth_revoked' : 'auth_expired',
      message,
    );
  if (code === 10 || (code >= 200 && code <= 299))
    return new NetworkError('facebook', 'forbidden_scope', message);
  if (code === 803 || (code === 100 && sub === 33))
    return new NetworkError('facebook', 'not_found', message);
  if (code === 1 || code === 2 || status >= 500)
    return new NetworkError('facebook', 'network_down', message);
  return new NetworkError('facebook', 'bad_request', message);
}
