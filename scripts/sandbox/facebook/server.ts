import { createHmac } from 'node:crypto';
import type { Express, Request, Response } from 'express';
import { consentPage, signedIn } from '../pages.js';
import { OAuthFault, type Grant, type OAuth } from '../oauth.js';
import { people, remember, site } from '../site.js';
import { handleOn, secret, type Person, type Post, type World } from '../world.js';

const one = (value: unknown): string => (typeof value === 'string' ? value : '');
const DAY = 86_400;
interface Answer {
  status: number;
  body: unknown;
}
const fault = (
  status: number,
  message: string,
  type: string,
  code: number,
  sub?: number,
): Answer => ({
  status,
  body: {
    error: {
      message,
      type,
      code,
      ...(sub ? { error_subcode: sub } : {}),
      fbtrace_id: `A${secret(8)}`,
    },
  },
});
const good = (body: unknown): Answer => ({ status: 200, body });

/** The pages of Facebook: the login dialog, and Pages with their button. */
export function facebookPages(world: World, oauth: OAuth): Express {
  const app = site('facebook', world);
  app.get('/:version/dialog/oauth', (req, res) => {
    const { client_id: client, redirect_uri: redirectUri, state, scope } = req.query;
    if (one(client) !== oauth.client.id || !oauth.checkRedirect(one(redirectUri))) {
      res
        .status(400)
        .send('URL blocked: this redirect failed because the redirect URI is not white-listed.');
      return;
    }
    res.send(
      consentPage(
        'facebook',
        world,
        signedIn(req, 'facebook', world),
        'Village',
        one(scope).split(',').filter(Boolean),
        {
          redirect_uri: one(redirectUri),
          state: one(state),
          scope: one(scope),
        },
      ),
    );
  });
  app.post('/:version/dialog/oauth', (req, res) => {
    const given = req.body as Record<string, string>;
    const person = world.person(one(given['person']));
    if (!oauth.checkRedirect(one(given['redirect_uri'])) || !person) {
      res.status(400).send('URL blocked.');
      return;
    }
    const back = new URL(one(given['redirect_uri']));
    if (given['answer'] === 'allow') {
      remember(res, 'facebook', person.handle);
      back.searchParams.set(
        'code',
        oauth.code(person, {
          redirectUri: one(given['redirect_uri']),
          scopes: one(given['scope']).split(',').filter(Boolean),
          challenge: null,
        }),
      );
    } else {
      back.searchParams.set('error', 'access_denied');
      back.searchParams.set('error_code', '200');
      back.searchParams.set('error_reason', 'user_denied');
      back.searchParams.set('error_description', 'Permissions error');
    }
    back.searchParams.set('state', one(given['state']));
    res.redirect(302, back.toString());
  });
  people(app, 'facebook', world);
  return app;
}

/** Graph: paths, parameters, shapes, errors and usage headers of NETWORKS 4.3 and 7. */
export function graph(world: World, oauth: OAuth, pagesOrigin: () => string): Express {
  const app = site('facebook', world);
  const subscriptions: {
    object: string;
    callback_url: string;
    fields: { name: string; version: string }[];
    active: boolean;
  }[] = [];
  const appToken = `${oauth.client.id}|${oauth.client.secret}`;

  /** Who calls: the app, a person, or a refusal. A proof of another token is refused. */
  const caller = (
    params: Record<string, string>,
  ): { grant: Grant | null; person: Person | null; refusal: Answer | null } => {
    const token = params['access_token'] ?? '';
    if (token === appToken) return { grant: null, person: null, refusal: null };
    const { grant, expired } = oauth.find(token);
    if (!grant)
      return {
        grant: null,
        person: null,
        refusal: expired
          ? fault(
              400,
              'Error validating access token: Session has expired.',
              'OAuthException',
              190,
              463,
            )
          : fault(
              400,
              'Invalid OAuth access token - Cannot parse access token',
              'OAuthException',
              190,
            ),
      };
    const proof = params['appsecret_proof'];
    if (
      proof !== undefined &&
      proof !== createHmac('sha256', oauth.client.secret).update(token).digest('hex')
    )
      return {
        grant: null,
        person: null,
        refusal: fault(
          400,
          'Invalid appsecret_proof provided in the API argument',
          'GraphMethodException',
          100,
        ),
      };
    return { grant, person: world.person(grant.person), refusal: null };
  };

  const project = (
    full: Record<string, unknown>,
    fields: string | undefined,
    always: string[],
  ): Record<string, unknown> => {
    const wanted = fields ? fields.replace(/\{[^}]*\}/g, '').split(',') : always;
    return Object.fromEntries(
      Object.entries(full).filter(([name]) => name === 'id' || wanted.includes(name)),
    );
  };
  const pageOf = (person: Person, fields?: string): Record<string, unknown> =>
    project(
      {
        id: person.page,
        name: person.name,
        username: handleOn('facebook', person),
        about: person.about,
        fan_count: world.followers('facebook', person.page ?? '').length,
        link: `${pagesOrigin()}/${handleOn('facebook', person)}`,
        verification_status: 'blue_verified',
      },
      fields,
      ['id', 'name'],
    );
  const postOf = (post: Post, fields?: string): Record<string, unknown> =>
    project(
      {
        id: post.id,
        message: post.text,
        created_time: post.at.replace(/\.\d+Z$/, '+0000'),
        permalink_url: `${pagesOrigin()}/${post.id}`,
      },
      fields,
      ['id', 'message', 'created_time'],
    );

  const paged = (
    items: Record<string, unknown>[],
    params: Record<string, string>,
    path: string,
  ): unknown => {
    const size = Math.min(100, Math.max(1, Number(params['limit'] ?? 25)));
    const from = Number(Buffer.from(params['after'] ?? '', 'base64url').toString() || 0);
    const part = items.slice(from, from + size);
    const after = Buffer.from(String(from + part.length)).toString('base64url');
    return {
      data: part,
      ...(part.length > 0
        ? {
            paging: {
              cursors: { before: Buffer.from(String(from)).toString('base64url'), after },
              ...(from + size < items.length
                ? { next: `${path}?limit=${size}&after=${after}` }
                : {}),
            },
          }
        : {}),
    };
  };

  /** One call of Graph, from its own request or from a part of a batch. */
  const answer = (method: string, path: string, params: Record<string, string>): Answer => {
    const { grant, person, refusal } = caller(params);
    if (refusal) return refusal;
    const [first = '', second = '', third = ''] = path.split('/').filter(Boolean);
    if (first === 'me') {
      if (!person || !grant)
        return fault(
          400,
          'An active access token must be used to query information about the current user.',
          'OAuthException',
          2500,
        );
      if (second === '')
        return good(
          project(
            {
              id: person.ids.facebook,
              name: person.name,
              picture: { data: { url: `${pagesOrigin()}/picture`, is_silhouette: true } },
            },
            params['fields'],
            ['id', 'name'],
          ),
        );
      if (second === 'permissions' && method === 'DELETE') {
        oauth.endPerson(person.handle);
        return good({ success: true });
      }
      if (second === 'permissions')
        return good({
          data: grant.scopes.map((permission) => ({ permission, status: 'granted' })),
        });
      if (second === 'accounts')
        return good({
          // Without this permission Graph answers with an empty list, not with an error.
          data:
            person.page && grant.scopes.includes('pages_show_list')
              ? [
                  {
                    id: person.page,
                    name: person.name,
                    access_token: params['access_token'],
                    tasks: ['MODERATE', 'CREATE_CONTENT', 'MANAGE'],
                  },
                ]
              : [],
        });
      if (second === 'likes') {
        if (!grant.scopes.includes('user_likes'))
          return fault(403, '(#200) Missing permission user_likes', 'OAuthException', 200);
        const target = third || params['target_id'];
        const liked = world
          .relations('facebook', person.ids.facebook)
          .filter((id) => !target || id === target)
          .map((id) => world.byPage(id))
          .filter((each) => each !== null);
        const items = liked.map((each) => ({
          ...pageOf(each, params['fields']?.replace('created_time', '')),
          ...(params['fields']?.includes('created_time') === false
            ? {}
            : {
                created_time: world
                  .now()
                  .toISOString()
                  .replace(/\.\d+Z$/, '+0000'),
              }),
        }));
        return good(paged(items, params, '/me/likes'));
      }
      return fault(400, `(#2500) Unknown path components: /${second}`, 'OAuthException', 2500);
    }
    if (first === 'debug_token') {
      const found = oauth.find(params['input_token'] ?? '').grant;
      return good({
        data: {
          app_id: oauth.client.id,
          type: 'USER',
          application: 'Village',
          is_valid: found !== null,
          ...(found
            ? {
                scopes: found.scopes,
                user_id: world.person(found.person)?.ids.facebook,
                expires_at: Math.floor(found.expires / 1000),
              }
            : { error: { code: 190, message: 'The access token could not be decrypted' } }),
        },
      });
    }
    if (first === oauth.client.id && second === 'subscriptions') {
      if (params['access_token'] !== appToken)
        return fault(
          400,
          'This method must be called with an app access_token.',
          'OAuthException',
          15,
        );
      if (method === 'GET') return good({ data: subscriptions });
      const object = params['object'] ?? '';
      const at = subscriptions.findIndex((each) => each.object === object);
      if (at >= 0) subscriptions.splice(at, 1);
      if (method === 'POST')
        subscriptions.push({
          object,
          callback_url: params['callback_url'] ?? '',
          fields: (params['fields'] ?? '').split(',').map((name) => ({ name, version: 'v24.0' })),
          active: true,
        });
      return good({ success: true });
    }
    const page = world.byPage(first);
    if (!page)
      return fault(
        404,
        `(#803) Some of the aliases you requested do not exist: ${first}`,
        'OAuthException',
        803,
      );
    if (second === '') return good(pageOf(page, params['fields']));
    if (second === 'posts' || second === 'feed')
      return good(
        paged(
          world.posts
            .filter((post) => post.network === 'facebook' && post.author === page.page)
            .reverse()
            .map((post) => postOf(post, params['fields'])),
          params,
          `/${first}/${second}`,
        ),
      );
    return fault(
      400,
      `(#100) Tried accessing nonexisting field (${second})`,
      'OAuthException',
      100,
    );
  };

  const paramsOf = (req: Request): Record<string, string> =>
    Object.fromEntries(
      [...Object.entries(req.query), ...Object.entries((req.body ?? {}) as object)].filter(
        (pair): pair is [string, string] => typeof pair[1] === 'string',
      ),
    );
  const limited = (res: Response, calls = 1): boolean => {
    let rate = world.rate('facebook', 'app', 'app', 20_000);
    for (let more = 1; more < calls; more += 1) rate = world.rate('facebook', 'app', 'app', 20_000);
    const percent = Math.round(((rate.limit - rate.remaining) / Math.max(1, rate.limit)) * 100);
    res.set(
      'X-App-Usage',
      JSON.stringify({ call_count: percent, total_time: percent, total_cputime: percent }),
    );
    if (!rate.refused) return false;
    const { status, body } = fault(
      400,
      '(#4) Application request limit reached',
      'OAuthException',
      4,
    );
    res.status(status).json(body);
    return true;
  };

  const token = (req: Request, res: Response): void => {
    const params = paramsOf(req);
    const refuse = (message: string, code = 100): void => {
      const { status, body } = fault(400, message, 'OAuthException', code);
      res.status(status).json(body);
    };
    if (
      params['client_id'] !== oauth.client.id ||
      params['client_secret'] !== oauth.client.secret
    ) {
      refuse('Error validating client secret.', 1);
      return;
    }
    if (params['grant_type'] === 'client_credentials') {
      res.json({ access_token: appToken, token_type: 'bearer' });
      return;
    }
    if (params['grant_type'] === 'fb_exchange_token') {
      const { grant } = oauth.find(params['fb_exchange_token'] ?? '');
      if (!grant) {
        refuse('Invalid OAuth access token.', 190);
        return;
      }
      const long = oauth.issue(grant.person, grant.scopes, grant.family, 60 * DAY);
      res.json({ access_token: long.access, token_type: 'bearer', expires_in: 60 * DAY });
      return;
    }
    try {
      const got = oauth.exchange(params['code'] ?? '', params['redirect_uri'] ?? '', null);
      res.json({ access_token: got.access, token_type: 'bearer', expires_in: 7200 });
    } catch (error) {
      if (!(error instanceof OAuthFault)) throw error;
      refuse(
        error.message.includes('used') ? 'This authorization code has been used.' : error.message,
      );
    }
  };
  app.get('/:version/oauth/access_token', token);
  app.post('/:version/oauth/access_token', token);

  app.post('/:version', (req, res) => {
    const params = paramsOf(req);
    const parts = JSON.parse(params['batch'] ?? '[]') as { method: string; relative_url: string }[];
    if (limited(res, parts.length)) return;
    const { refusal } = caller(params);
    if (refusal) {
      res.status(refusal.status).json(refusal.body);
      return;
    }
    if (parts.length === 0 || parts.length > 50) {
      const { status, body } = fault(
        400,
        '(#100) Too many requests in batch message. Maximum batch size is 50',
        'GraphBatchException',
        100,
      );
      res.status(status).json(body);
      return;
    }
    const { batch: _batch, ...shared } = params;
    res.json(
      parts.map((part) => {
        const url = new URL(part.relative_url, 'http://graph');
        const got = answer(part.method, url.pathname, {
          ...shared,
          ...Object.fromEntries(url.searchParams),
        });
        return { code: got.status, body: JSON.stringify(got.body) };
      }),
    );
  });
  app.all('/:version/*path', (req, res) => {
    if (limited(res)) return;
    const got = answer(
      req.method,
      ([] as string[]).concat(req.params['path']).join('/'),
      paramsOf(req),
    );
    res.status(got.status).json(got.body);
  });
  app.use((_req, res) => {
    const { status, body } = fault(404, 'Unknown path components', 'OAuthException', 2500);
    res.status(status).json(body);
  });
  return app;
}
