import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { NetworkSettings } from '../../config.js';
import { NetworkError, type NetworkErrorCode, type TokenSet } from '../network.js';
import { CircuitBreaker, requestJson, type OutcomeListener } from '../outward.js';

/** The answer to one read of a batch. */
export interface BatchAnswer {
  code: number;
  json: unknown;
}
type Params = Record<string, string>;

const BatchReply = z.array(z.object({ code: z.number(), body: z.string() }).nullable());
const GraphFault = z.object({
  error: z.object({
    message: z.string().default(''),
    code: z.number(),
    error_subcode: z.number().optional(),
  }),
});

/** Facebook's Graph API. Every method throws NetworkErrors. */
export class Graph {
  private readonly breaker: CircuitBreaker;

  constructor(
    private readonly settings: NetworkSettings,
    now: () => number,
    onOutcome: OutcomeListener,
  ) {
    this.breaker = new CircuitBreaker('facebook', now, toNetworkError, onOutcome);
  }

  /** Reads a path. Throws `invalid_response` for an answer that does not fit the schema. */
  async get<S extends z.ZodType>(schema: S, path: string, params: Params): Promise<z.output<S>> {
    return fit(schema, await this.request(path, params, 'GET'));
  }

  /** Deletes what a path names. */
  async delete(path: string, params: Params): Promise<void> {
    await this.request(path, params, 'DELETE');
  }

  /**
   * Reads several paths in one request (NETWORKS 7). Answers in their order: null for a read that
   * was not answered, or not in JSON.
   */
  async batch(paths: string[], auth: Params): Promise<(BatchAnswer | null)[]> {
    const batch = JSON.stringify(paths.map((path) => ({ method: 'GET', relative_url: path })));
    const parts = fit(
      BatchReply,
      await this.request('', { batch, include_headers: 'false', ...auth }, 'POST'),
    );
    return paths.map((_path, index) => {
      const part = parts[index];
      if (!part) return null;
      try {
        return { code: part.code, json: JSON.parse(part.body) as unknown };
      } catch {
        return null;
      }
    });
  }

  /** What signs a request as the app's own. */
  get asApp(): Params {
    return { access_token: `${this.settings.clientId}|${this.settings.clientSecret}` };
  }

  /** What signs a request in a person's name: the token, and the proof that we know the secret. */
  asPerson({ accessToken }: TokenSet): Params {
    const proof = createHmac('sha256', this.settings.clientSecret).update(accessToken);
    return { access_token: accessToken, appsecret_proof: proof.digest('hex') };
  }

  private async request(
    path: string,
    params: Params,
    method: 'GET' | 'POST' | 'DELETE',
  ): Promise<unknown> {
    const url = new URL(`${this.settings.api}/${this.settings.version}/${path}`);
    const body = new URLSearchParams(params);
    if (method !== 'POST') url.search = body.toString();
    return this.breaker.execute(async () => {
      const reply = await requestJson(url, method === 'POST' ? { method, body } : { method });
      if (reply.status >= 400) throw faultOf(reply.json, reply.status);
      return reply.json as object;
    });
  }
}

/** An answer that has the shape it should have. */
function fit<S extends z.ZodType>(schema: S, json: unknown): z.output<S> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new NetworkError('facebook', 'invalid_response', 'Facebook answered something else');
}

const toNetworkError = (error: unknown): NetworkError =>
  new NetworkError(
    'facebook',
    error instanceof SyntaxError ? 'invalid_response' : 'network_down',
    'Facebook did not answer as it should',
  );

/** What an answer of 400 and above means. */
export function faultOf(json: unknown, status: number): NetworkError {
  const parsed = GraphFault.safeParse(json);
  if (!parsed.success)
    return new NetworkError(
      'facebook',
      status >= 500 ? 'network_down' : 'invalid_response',
      `Facebook answered ${status}`,
    );
  const { code, message, error_subcode: subcode } = parsed.data.error;
  const meaning = meaningOf(code, subcode, status);
  return new NetworkError(
    'facebook',
    meaning,
    meaning === 'rate_limited' ? 'Facebook asks to wait' : message,
  );
}

/** Graph's error codes (NETWORKS 4.3). Limits come as HTTP 400 or 403, not as 429. */
function meaningOf(code: number, subcode: number | undefined, status: number): NetworkErrorCode {
  if ([4, 17, 32, 613].includes(code)) return 'rate_limited';
  if (code === 190) return subcode === 458 || subcode === 460 ? 'auth_revoked' : 'auth_expired';
  if (code === 10 || (code >= 200 && code <= 299)) return 'forbidden_scope';
  if (code === 803 || (code === 100 && subcode === 33)) return 'not_found';
  return code === 1 || code === 2 || status >= 500 ? 'network_down' : 'bad_request';
}
