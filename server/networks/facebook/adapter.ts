import { z } from 'zod';
import type { NetworkSettings } from '../../config.js';
import type { Clock } from '../../platform/clock.js';
import { inPieces } from '../../platform/pieces.js';
import { tidyLine, tidyText } from '../../platform/text.js';
import {
  NetworkError,
  PROFILE_NAME,
  type AccountName,
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
import { askInBatches, reasonOf, type Finding } from '../batches.js';
import type { OutcomeListener } from '../outward.js';
import { parseFacebook } from './addresses.js';
import { faultOf, Graph, type BatchAnswer } from './graph.js';
import { beginLogin, completeLogin } from './login.js';

/** Reads in one batch request (NETWORKS 7). */
const BATCH = 50;
/** Pages in one answer of `me/accounts`, and how many such answers are read at most. */
const MANAGED = 100;
const MANAGED_ANSWERS = 20;

const FIELDS = 'id,name,username,about,fan_count,link,verification_status';
const Page = z.object({
  id: z.string(),
  name: z.string().default(''),
  username: z.string().optional(),
  about: z.string().optional(),
  fan_count: z.number().optional(),
  link: z.string().optional(),
  verification_status: z.string().optional(),
});
const Managed = z.object({
  data: z.array(z.object({ id: z.string() })),
  paging: z
    .object({
      cursors: z.object({ after: z.string().optional() }).optional(),
      next: z.string().optional(),
    })
    .optional(),
});
const Likes = z.object({ data: z.array(z.object({ id: z.string() })) });
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
const Exchanged = z.object({ access_token: z.string(), expires_in: z.number().optional() });

/**
 * Facebook: sign-in through passport-facebook, likes of Pages and posts through Graph. Whether
 * somebody follows a Page it does not tell; whether they like it, it does.
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
  private readonly graph: Graph;

  constructor(
    private readonly settings: NetworkSettings,
    private readonly clock: Clock,
    onOutcome: OutcomeListener,
  ) {
    this.graph = new Graph(settings, () => clock.now().getTime(), onOutcome);
  }

  /** See `Adapter`. */
  async beginAuth({ state, redirectUri }: AuthRequest): Promise<AuthStart> {
    const url = await beginLogin(this.settings, { redirectUri, scopes: this.scopes, state });
    return { url, secret: {} };
  }

  /** See `Adapter`. */
  async completeAuth({ query, redirectUri }: AuthReturn): Promise<LinkedAccount> {
    if (query['error']) throw new NetworkError('facebook', 'denied', query['error']);
    if (!query['code'] && !query['error_code'])
      throw new NetworkError('facebook', 'bad_request', 'no code');
    const login = await completeLogin(this.settings, { redirectUri, scopes: this.scopes, query });
    const shortLived: TokenSet = {
      accessToken: login.accessToken,
      refreshToken: null,
      expiresAt: this.inSeconds(login.expiresIn),
      scopes: [...this.scopes],
    };
    // The login's token lives for two hours; sweeps need the one for sixty days.
    const tokens = await this.refresh(shortLived).catch(() => shortLived);
    return {
      account: { network: 'facebook', id: login.id, handle: '', url: '' },
      tokens,
      manages: await this.managedBy(tokens),
    };
  }

  /** The ids of the Pages that a person manages; none when they do not allow us to know. */
  private async managedBy(tokens: TokenSet): Promise<string[]> {
    const ids: string[] = [];
    let after: string | undefined;
    try {
      for (let read = 0; read < MANAGED_ANSWERS; read += 1) {
        const { data, paging } = await this.graph.get(Managed, 'me/accounts', {
          fields: 'id',
          limit: String(MANAGED),
          ...(after ? { after } : {}),
          ...this.graph.asPerson(tokens),
        });
        ids.push(...data.map(({ id }) => id));
        after = paging?.next === undefined ? undefined : paging.cursors?.after;
        if (!after) break;
      }
    } catch (error) {
      if (error instanceof NetworkError && error.code === 'forbidden_scope') return [];
      throw error;
    }
    return ids;
  }

  private inSeconds(seconds: number | null | undefined): Date | null {
    return seconds ? new Date(this.clock.now().getTime() + seconds * 1000) : null;
  }

  /** See `Adapter`. */
  async refresh(tokens: TokenSet): Promise<TokenSet> {
    const exchanged = await this.graph.get(Exchanged, 'oauth/access_token', {
      grant_type: 'fb_exchange_token',
      client_id: this.settings.clientId,
      client_secret: this.settings.clientSecret,
      fb_exchange_token: tokens.accessToken,
    });
    return {
      ...tokens,
      accessToken: exchanged.access_token,
      expiresAt: this.inSeconds(exchanged.expires_in),
    };
  }

  /** See `Adapter`. */
  async revoke(tokens: TokenSet): Promise<void> {
    await this.graph.delete('me/permissions', this.graph.asPerson(tokens)).catch(() => undefined);
  }

  /** See `Adapter`. */
  parse(text: string): Parsed {
    return parseFacebook(text, this.settings.pages);
  }

  /** See `Adapter`: neither case nor full stops tell two names of Facebook apart. */
  handleKey(handle: string): string {
    return handle.toLowerCase().replace(/\./g, '');
  }

  /** See `Adapter`. */
  async resolve(name: AccountName): Promise<Profile | null> {
    const key = encodeURIComponent('id' in name ? name.id : name.handle);
    try {
      return this.profile(await this.graph.get(Page, key, { fields: FIELDS, ...this.graph.asApp }));
    } catch (error) {
      if (error instanceof NetworkError && error.code === 'not_found') return null;
      throw error;
    }
  }

  /** See `Adapter`. */
  async profiles(ids: string[]): Promise<Map<string, Profile | null>> {
    const known = new Map<string, Profile | null>();
    for (const part of inPieces(ids, BATCH)) {
      const answers = await this.graph.batch(
        part.map((id) => `${encodeURIComponent(id)}?fields=${FIELDS}`),
        this.graph.asApp,
      );
      for (const [index, id] of part.entries()) {
        const profile = this.profileFrom(answers[index] ?? null);
        if (profile !== undefined) known.set(id, profile);
      }
    }
    return known;
  }

  /**
   * The profile in an answer; null for an account that is gone, undefined where nothing is said.
   */
  private profileFrom(answer: BatchAnswer | null): Profile | null | undefined {
    if (!answer) return undefined;
    if (answer.code !== 200)
      return faultOf(answer.json, answer.code).code === 'not_found' ? null : undefined;
    const page = Page.safeParse(answer.json);
    return page.success ? this.profile(page.data) : undefined;
  }

  private profile(page: z.output<typeof Page>): Profile {
    const { verification_status: badge = 'not_verified' } = page;
    return {
      network: 'facebook',
      id: page.id,
      handle: page.username ?? page.id,
      url: this.accountUrl(page.id),
      name: tidyLine(page.name, PROFILE_NAME),
      about: tidyText(page.about ?? ''),
      createdAt: null,
      followers: page.fan_count ?? null,
      badge: badge && badge !== 'not_verified' ? badge : null,
      protected: false,
    };
  }

  /** See `Adapter`. */
  planCheck(accounts: number): CheckPlan {
    return { calls: Math.ceil(accounts / BATCH), cost: 0, by: 'accounts' };
  }

  /** See `Adapter`. */
  check(request: CheckRequest): Promise<Answer[]> {
    return askInBatches(request, {
      size: BATCH,
      clock: this.clock,
      ask: (ids) => this.likes(request.tokens, ids),
    });
  }

  /**
   * Which of up to fifty Pages a person likes, in one request: a batch, or a plain read for one
   * Page.
   */
  private async likes(tokens: TokenSet, ids: string[]): Promise<Finding[]> {
    const person = this.graph.asPerson(tokens);
    const [first = ''] = ids;
    if (ids.length === 1) {
      const params = { target_id: first, fields: 'id', ...person };
      return [likeIn(await this.graph.get(Likes, 'me/likes', params), first)];
    }
    const answers = await this.graph.batch(
      ids.map((id) => `me/likes?target_id=${id}&fields=id`),
      person,
    );
    return ids.map((id, index) => {
      const answer = answers[index];
      if (!answer) return { verdict: 'unknown', reason: 'error' };
      if (answer.code !== 200)
        return { verdict: 'unknown', reason: reasonOf(faultOf(answer.json, answer.code)) };
      const likes = Likes.safeParse(answer.json);
      return likes.success ? likeIn(likes.data, id) : { verdict: 'unknown', reason: 'error' };
    });
  }

  /** See `Adapter`. */
  async fetchPosts({ account, limit }: PostsRequest): Promise<Post[]> {
    const { data } = await this.graph.get(Posts, `${encodeURIComponent(account)}/posts`, {
      fields: 'id,message,created_time,permalink_url',
      limit: String(Math.min(100, limit)),
      ...this.graph.asApp,
    });
    return data.slice(0, limit).map((post) => ({
      network: 'facebook',
      id: post.id,
      url: post.permalink_url ?? `${this.settings.pages}/${post.id}`,
      author: account,
      text: tidyText(post.message),
      createdAt: new Date(post.created_time),
    }));
  }

  /** See `Adapter`. */
  accountUrl(id: string): string {
    return `${this.settings.pages}/${encodeURIComponent(id)}`;
  }
}

/** Whether a Page is among these likes. */
const likeIn = (likes: z.output<typeof Likes>, id: string): Finding => ({
  verdict: likes.data.some((page) => page.id === id) ? 'yes' : 'no',
  reason: null,
});
