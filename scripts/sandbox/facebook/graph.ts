import type { Express, Request, Response } from 'express';
import { OAuthFault, type OAuth } from '../oauth.js';
import { site } from '../site.js';
import type { World } from '../world.js';
import { fault, good, type Answer } from './answer.js';
import { GraphCalls } from './calls.js';
import type { Params } from './objects.js';

const DAY_SECONDS = 86_400;
const LONG_SECONDS = 60 * DAY_SECONDS;
/** Calls that Graph takes in a window. */
const LIMIT = 20_000;
const MOST_PARTS = 50;

const paramsOf = (req: Request): Params =>
  Object.fromEntries(
    [...Object.entries(req.query), ...Object.entries((req.body ?? {}) as object)].filter(
      (pair): pair is [string, string] => typeof pair[1] === 'string',
    ),
  );
const send = (res: Response, { status, body }: Answer): void => {
  res.status(status).json(body);
};

/** Graph: paths, parameters, shapes, errors and usage headers of NETWORKS 4.3 and 7. */
export function graph(world: World, oauth: OAuth, pagesOrigin: () => string): Express {
  const app = site('facebook', world);
  const calls = new GraphCalls(world, oauth, pagesOrigin);

  const token = (req: Request, res: Response): void => {
    send(res, tokenOf(oauth, calls.appToken, paramsOf(req)));
  };
  app.get('/:version/oauth/access_token', token);
  app.post('/:version/oauth/access_token', token);

  app.post('/:version', (req, res) => {
    const { batch = '[]', ...shared } = paramsOf(req);
    const parts = JSON.parse(batch) as { method: string; relative_url: string }[];
    const refusal = countCalls(world, res, parts.length) ?? calls.caller(shared).refusal;
    if (refusal) send(res, refusal);
    else if (parts.length === 0 || parts.length > MOST_PARTS) send(res, tooManyParts());
    else
      res.json(
        parts.map((part) => {
          const { pathname, searchParams } = new URL(part.relative_url, 'http://graph');
          const params = { ...shared, ...Object.fromEntries(searchParams) };
          const { status, body } = calls.answer(part.method, pathname, params);
          return { code: status, body: JSON.stringify(body) };
        }),
      );
  });
  app.all('/:version/*path', (req, res) => {
    const path = ([] as string[]).concat(req.params['path']).join('/');
    send(res, countCalls(world, res, 1) ?? calls.answer(req.method, path, paramsOf(req)));
  });
  app.use((_req, res) => {
    send(res, fault(404, 'Unknown path components', 2500));
  });
  return app;
}

const tooManyParts = (): Answer =>
  fault(400, '(#100) Too many requests in batch message. Maximum batch size is 50', 100, {
    type: 'GraphBatchException',
  });

/** Counts calls against the app's limit and states the usage; answers a refusal, or null. */
function countCalls(world: World, res: Response, calls: number): Answer | null {
  let rate = world.traffic.count('facebook', 'app', 'app', LIMIT);
  for (let more = 1; more < calls; more += 1)
    rate = world.traffic.count('facebook', 'app', 'app', LIMIT);
  const percent = Math.round(((rate.limit - rate.remaining) / Math.max(1, rate.limit)) * 100);
  const usage = { call_count: percent, total_time: percent, total_cputime: percent };
  res.set('X-App-Usage', JSON.stringify(usage));
  return rate.refused ? fault(400, '(#4) Application request limit reached', 4) : null;
}

/** Issues a token: of the app, a long one for a short one, or one for a code. */
function tokenOf(oauth: OAuth, appToken: string, params: Params): Answer {
  const { id, secret } = oauth.client;
  if (params['client_id'] !== id || params['client_secret'] !== secret)
    return fault(400, 'Error validating client secret.', 1);
  if (params['grant_type'] === 'client_credentials')
    return good({ access_token: appToken, token_type: 'bearer' });
  if (params['grant_type'] === 'fb_exchange_token') {
    const { grant } = oauth.find(params['fb_exchange_token'] ?? '');
    if (!grant) return fault(400, 'Invalid OAuth access token.', 190);
    const { access } = oauth.issue(grant.person, grant.scopes, grant.family, LONG_SECONDS);
    return good({ access_token: access, token_type: 'bearer', expires_in: LONG_SECONDS });
  }
  try {
    const code = params['code'] ?? '';
    const { access } = oauth.exchange(code, params['redirect_uri'] ?? '', null);
    return good({ access_token: access, token_type: 'bearer', expires_in: 7200 });
  } catch (error) {
    if (!(error instanceof OAuthFault)) throw error;
    const isUsed = error.message.includes('used');
    return fault(400, isUsed ? 'This authorization code has been used.' : error.message, 100);
  }
}
