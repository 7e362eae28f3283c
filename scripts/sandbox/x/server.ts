import type { Express, Request, Response } from 'express';
import { consentPage, signedIn } from '../pages.js';
import { OAuthFault, type Grant, type OAuth } from '../oauth.js';
import { people, remember, site } from '../site.js';
import { handleOn, type Person, type Post, type World } from '../world.js';
import { problem } from './problem.js';
import { streams } from './streams.js';

const LIMITS: Record<string, [app: number, user: number]> = {
  '/2/users': [300, 900],
  '/2/users/:id': [300, 900],
  '/2/users/by': [300, 900],
  '/2/users/by/username/:username': [300, 900],
  '/2/users/me': [75, 75],
  '/2/users/:id/following': [300, 300],
  '/2/users/:id/followers': [300, 300],
  '/2/users/:id/liked_tweets': [75, 75],
  '/2/tweets/:id/liking_users': [75, 75],
  '/2/users/:id/tweets': [10_000, 900],
  '/2/tweets': [300, 900],
  '/2/tweets/:id': [300, 900],
};
const one = (value: unknown): string => (typeof value === 'string' ? value : '');
const list = (value: unknown): string[] => one(value).split(',').filter(Boolean);

interface Caller {
  grant: Grant;
  token: string;
}

/** X, API v2: paths, parameters, shapes, errors and limits of NETWORKS 4.1 and 7. */
export function xSandbox(world: World, oauth: OAuth): Express {
  const app = site('x', world);

  app.get('/i/oauth2/authorize', (req, res) => {
    const {
      client_id: client,
      redirect_uri: redirectUri,
      state,
      scope,
      code_challenge: challenge,
      code_challenge_method: method,
      response_type: type,
    } = req.query;
    // The library sends the method in lower case; X takes any.
    const wrong =
      type !== 'code' ||
      one(client) !== oauth.client.id ||
      !oauth.checkRedirect(one(redirectUri)) ||
      !one(challenge) ||
      one(method).toLowerCase() !== 's256' ||
      !one(state);
    if (wrong) {
      res
        .status(400)
        .send('Something went wrong. You weren\u2019t able to give access to the App.');
      return;
    }
    res.send(
      consentPage('x', world, signedIn(req, 'x', world), 'Village', one(scope).split(' '), {
        redirect_uri: one(redirectUri),
        state: one(state),
        scope: one(scope),
        code_challenge: one(challenge),
      }),
    );
  });
  app.post('/i/oauth2/authorize', (req, res) => {
    const given = req.body as Record<string, string>;
    const person = world.person(one(given['person']));
    if (!oauth.checkRedirect(one(given['redirect_uri'])) || !person) {
      res.status(400).send('Something went wrong.');
      return;
    }
    const back = new URL(one(given['redirect_uri']));
    back.searchParams.set('state', one(given['state']));
    if (given['answer'] === 'allow') {
      remember(res, 'x', person.handle);
      back.searchParams.set(
        'code',
        oauth.code(person, {
          redirectUri: one(given['redirect_uri']),
          scopes: one(given['scope']).split(' '),
          challenge: one(given['code_challenge']),
        }),
      );
    } else back.searchParams.set('error', 'access_denied');
    res.redirect(302, back.toString());
  });

  const client = (req: Request): boolean => {
    const basic = /^Basic (.+)$/i.exec(req.get('authorization') ?? '')?.[1];
    const [id, key] = basic
      ? Buffer.from(basic, 'base64').toString().split(':').map(decodeURIComponent)
      : [
          one((req.body as Record<string, unknown>)['client_id']),
          one((req.body as Record<string, unknown>)['client_secret']),
        ];
    return id === oauth.client.id && key === oauth.client.secret;
  };
  app.post('/2/oauth2/token', (req, res) => {
    const body = req.body as Record<string, unknown>;
    if (!client(req)) {
      res.status(401).json({
        error: 'unauthorized_client',
        error_description: 'Missing valid authorization header',
      });
      return;
    }
    try {
      const got =
        body['grant_type'] === 'refresh_token'
          ? oauth.refresh(one(body['refresh_token']))
          : oauth.exchange(
              one(body['code']),
              one(body['redirect_uri']),
              one(body['code_verifier']),
            );
      res.json({
        token_type: 'bearer',
        expires_in: 7200,
        access_token: got.access,
        scope: got.grant.scopes.join(' '),
        ...(got.grant.scopes.includes('offline.access') ? { refresh_token: got.refresh } : {}),
      });
    } catch (error) {
      if (!(error instanceof OAuthFault)) throw error;
      res.status(400).json({ error: error.error, error_description: error.message });
    }
  });
  app.post('/2/oauth2/revoke', (req, res) => {
    if (!client(req)) {
      res.status(401).json({ error: 'unauthorized_client' });
      return;
    }
    const grant = oauth.grants.get(one((req.body as Record<string, unknown>)['token']));
    if (grant) oauth.end(grant.family);
    res.json({ revoked: true });
  });
  app.post('/oauth2/token', (req, res) => {
    if (!client(req)) {
      res.status(403).json({
        errors: [
          {
            code: 99,
            message: 'Unable to verify your credentials',
            label: 'authenticity_token_error',
          },
        ],
      });
      return;
    }
    res.json({ token_type: 'bearer', access_token: oauth.app() });
  });

  const call = (
    route: string,
    kind: 'any' | 'user',
    scope: string | null,
    act: (req: Request, res: Response, caller: Caller) => void,
  ): void => {
    app.get(route, (req, res) => {
      const token = /^Bearer (.+)$/i.exec(req.get('authorization') ?? '')?.[1] ?? '';
      const { grant } = oauth.find(token);
      if (!grant) {
        problem(res, 401, 'Unauthorized');
        return;
      }
      if (
        (kind === 'user' && grant.kind === 'app') ||
        (scope && grant.kind !== 'app' && !grant.scopes.includes(scope))
      ) {
        problem(res, 403, 'Forbidden');
        return;
      }
      const [forApp, forUser] = LIMITS[route] ?? [300, 900];
      const rate = world.rate('x', route, token, grant.kind === 'app' ? forApp : forUser);
      res.set({
        'x-rate-limit-limit': String(rate.limit),
        'x-rate-limit-remaining': String(rate.remaining),
        'x-rate-limit-reset': String(rate.reset),
      });
      if (rate.refused) {
        problem(res, 429, 'Too Many Requests');
        return;
      }
      act(req, res, { grant, token });
    });
  };

  const userOf = (person: Person, req: Request, caller: Caller): Record<string, unknown> => {
    const fields = list(req.query['user.fields']);
    const me = world.person(caller.grant.person);
    const status =
      me && fields.includes('connection_status')
        ? [
            ...(world.related('x', me.ids.x, person.ids.x) ? ['following'] : []),
            ...(world.related('x', person.ids.x, me.ids.x) ? ['followed_by'] : []),
          ]
        : [];
    return {
      id: person.ids.x,
      name: person.name,
      username: handleOn('x', person),
      ...(fields.includes('description') ? { description: person.about } : {}),
      ...(fields.includes('created_at') ? { created_at: person.since } : {}),
      ...(fields.includes('protected') ? { protected: false } : {}),
      ...(fields.includes('verified') ? { verified: person.page !== null } : {}),
      ...(fields.includes('verified_type') ? { verified_type: person.page ? 'blue' : 'none' } : {}),
      ...(fields.includes('public_metrics')
        ? {
            public_metrics: {
              followers_count: world.followers('x', person.ids.x).length,
              following_count: world.relations('x', person.ids.x).length,
              tweet_count: 0,
              listed_count: 0,
            },
          }
        : {}),
      // Absent when there is no connection.
      ...(status.length > 0 ? { connection_status: status } : {}),
    };
  };
  const missing = (resource: string, parameter: string, value: string): object => ({
    resource_type: resource,
    parameter,
    value,
    resource_id: value,
    title: 'Not Found Error',
    detail: `Could not find ${resource} with ${parameter}: [${value}].`,
    type: 'https://api.x.com/2/problems/resource-not-found',
  });
  const users = (
    res: Response,
    req: Request,
    caller: Caller,
    parameter: 'ids' | 'usernames',
    values: string[],
  ): void => {
    if (values.length === 0 || values.length > 100) {
      res.status(400).json({
        errors: [
          {
            parameters: { [parameter]: values },
            message: `The number of values in the \`${parameter}\` query parameter list [${values.length}] is not between 1 and 100`,
          },
        ],
        title: 'Invalid Request',
        detail: 'One or more parameters to your request was invalid.',
        type: 'https://api.x.com/2/problems/invalid-request',
      });
      return;
    }
    const found = values.map((value) => ({
      value,
      person: parameter === 'ids' ? world.byX(value) : world.byHandle('x', value),
    }));
    const data = found
      .filter((each) => each.person)
      .map((each) => userOf(each.person as Person, req, caller));
    const errors = found
      .filter((each) => !each.person)
      .map((each) => missing('user', parameter, each.value));
    res.json({ ...(data.length > 0 ? { data } : {}), ...(errors.length > 0 ? { errors } : {}) });
  };
  const single = (
    res: Response,
    req: Request,
    caller: Caller,
    parameter: string,
    value: string,
    person: Person | null,
  ): void => {
    res.json(
      person
        ? { data: userOf(person, req, caller) }
        : { errors: [missing('user', parameter, value)] },
    );
  };

  call('/2/users/me', 'user', 'users.read', (req, res, caller) => {
    const me = world.person(caller.grant.person);
    if (me) res.json({ data: userOf(me, req, caller) });
    else problem(res, 401, 'Unauthorized');
  });
  call('/2/users', 'any', 'users.read', (req, res, caller) => {
    users(res, req, caller, 'ids', list(req.query['ids']));
  });
  call('/2/users/by', 'any', 'users.read', (req, res, caller) => {
    users(res, req, caller, 'usernames', list(req.query['usernames']));
  });
  call('/2/users/by/username/:username', 'any', 'users.read', (req, res, caller) => {
    const name = one(req.params['username']);
    single(res, req, caller, 'username', name, world.byHandle('x', name));
  });
  call('/2/users/:id', 'any', 'users.read', (req, res, caller) => {
    const id = one(req.params['id']);
    single(res, req, caller, 'id', id, world.byX(id));
  });

  /** Pages of ids, cut by an opaque token that is the place to go on from. */
  const paged = (
    req: Request,
    all: string[],
    most: number,
  ): { part: string[]; meta: Record<string, unknown> } => {
    const size = Math.min(most, Math.max(1, Number(one(req.query['max_results']) || 100)));
    const from = Number(
      Buffer.from(one(req.query['pagination_token']), 'base64url').toString() || 0,
    );
    const part = all.slice(from, from + size);
    return {
      part,
      meta: {
        result_count: part.length,
        ...(from + size < all.length
          ? { next_token: Buffer.from(String(from + size)).toString('base64url') }
          : {}),
      },
    };
  };
  for (const way of ['following', 'followers'] as const) {
    call(`/2/users/:id/${way}`, 'any', 'follows.read', (req, res, caller) => {
      const id = one(req.params['id']);
      const { part, meta } = paged(
        req,
        way === 'following' ? world.relations('x', id) : world.followers('x', id),
        1000,
      );
      res.json({
        ...(part.length > 0
          ? {
              data: part
                .map((each) => world.byX(each))
                .filter((each) => each !== null)
                .map((each) => userOf(each, req, caller)),
            }
          : {}),
        meta,
      });
    });
  }
  const tweetOf = (post: Post): object => ({
    id: post.id,
    text: post.text,
    author_id: post.author,
    created_at: post.at,
    edit_history_tweet_ids: [post.id],
    public_metrics: {
      retweet_count: 0,
      reply_count: 0,
      like_count: world.likers('x', post.id).length,
      quote_count: 0,
      bookmark_count: 0,
      impression_count: 0,
    },
  });
  const tweets = (): Post[] => world.posts.filter((post) => post.network === 'x');
  call('/2/users/:id/liked_tweets', 'user', 'like.read', (req, res) => {
    const { part, meta } = paged(req, world.likedPosts('x', one(req.params['id'])), 100);
    res.json({
      ...(part.length > 0
        ? {
            data: part
              .map((id) => tweets().find((post) => post.id === id))
              .filter((post) => post !== undefined)
              .map(tweetOf),
          }
        : {}),
      meta,
    });
  });
  call('/2/tweets/:id/liking_users', 'any', 'like.read', (req, res, caller) => {
    const { part, meta } = paged(req, world.likers('x', one(req.params['id'])), 100);
    res.json({
      ...(part.length > 0
        ? {
            data: part
              .map((id) => world.byX(id))
              .filter((each) => each !== null)
              .map((each) => userOf(each, req, caller)),
          }
        : {}),
      meta,
    });
  });
  call('/2/users/:id/tweets', 'any', 'tweet.read', (req, res) => {
    const id = one(req.params['id']);
    if (!world.byX(id)) {
      res.json({ errors: [missing('user', 'id', id)] });
      return;
    }
    const since = one(req.query['since_id']);
    const all = tweets()
      .filter((post) => post.author === id && (!since || BigInt(post.id) > BigInt(since)))
      .reverse();
    const { part, meta } = paged(
      req,
      all.map((post) => post.id),
      100,
    );
    const data = part
      .map((each) => all.find((post) => post.id === each))
      .filter((post) => post !== undefined);
    res.json({
      ...(data.length > 0 ? { data: data.map(tweetOf) } : {}),
      meta: {
        ...meta,
        ...(data.length > 0 ? { newest_id: data[0]?.id, oldest_id: data.at(-1)?.id } : {}),
      },
    });
  });
  call('/2/tweets', 'any', 'tweet.read', (req, res) => {
    const found = list(req.query['ids']).map((id) => ({
      id,
      post: tweets().find((post) => post.id === id),
    }));
    const data = found.filter((each) => each.post).map((each) => tweetOf(each.post as Post));
    const errors = found
      .filter((each) => !each.post)
      .map((each) => missing('tweet', 'ids', each.id));
    res.json({ ...(data.length > 0 ? { data } : {}), ...(errors.length > 0 ? { errors } : {}) });
  });
  streams(app, world, oauth, tweetOf);
  call('/2/tweets/:id', 'any', 'tweet.read', (req, res) => {
    const id = one(req.params['id']);
    const post = tweets().find((each) => each.id === id);
    res.json(post ? { data: tweetOf(post) } : { errors: [missing('tweet', 'id', id)] });
  });

  app.use('/2', (_req, res) => {
    problem(res, 404, 'Not Found');
  });
  people(app, 'x', world);
  return app;
}
