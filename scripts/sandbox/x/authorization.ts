import type { Express, Request } from 'express';
import { OAuthFault, type OAuth } from '../oauth.js';
import { consentPage, signedIn } from '../pages.js';
import { textOf } from '../query.js';
import { remember } from '../site.js';
import type { World } from '../world.js';

/** Adds X's consent page and its token endpoints (OAuth 2.0 with PKCE; NETWORKS 4.1). */
export function authorization(app: Express, world: World, oauth: OAuth): void {
  consent(app, world, oauth);
  tokens(app, oauth);
}

function consent(app: Express, world: World, oauth: OAuth): void {
  app.get('/i/oauth2/authorize', (req, res) => {
    const { query } = req;
    const asked = (name: string): string => textOf(query[name]);
    const fits =
      asked('response_type') === 'code' &&
      asked('client_id') === oauth.client.id &&
      oauth.allowsRedirect(asked('redirect_uri')) &&
      asked('code_challenge') &&
      // The library sends the method in lower case; X takes any.
      asked('code_challenge_method').toLowerCase() === 's256' &&
      asked('state');
    if (!fits) {
      res
        .status(400)
        .send('Something went wrong. You weren\u2019t able to give access to the App.');
      return;
    }
    const names = ['redirect_uri', 'state', 'scope', 'code_challenge'];
    res.send(
      consentPage('x', world, {
        me: signedIn(req, 'x', world),
        app: 'Village',
        scopes: asked('scope').split(' '),
        fields: Object.fromEntries(names.map((name) => [name, asked(name)])),
      }),
    );
  });
  app.post('/i/oauth2/authorize', (req, res) => {
    const given = req.body as Record<string, string>;
    const redirectUri = textOf(given['redirect_uri']);
    const person = world.person(textOf(given['person']));
    if (!oauth.allowsRedirect(redirectUri) || !person) {
      res.status(400).send('Something went wrong.');
      return;
    }
    const back = new URL(redirectUri);
    back.searchParams.set('state', textOf(given['state']));
    if (given['answer'] === 'allow') {
      remember(res, 'x', person.handle);
      const scopes = textOf(given['scope']).split(' ');
      const challenge = textOf(given['code_challenge']);
      back.searchParams.set('code', oauth.issueCode(person, { redirectUri, scopes, challenge }));
    } else back.searchParams.set('error', 'access_denied');
    res.redirect(302, back.toString());
  });
}

function tokens(app: Express, oauth: OAuth): void {
  const isClient = (req: Request): boolean => {
    const body = req.body as Record<string, unknown>;
    const basic = /^Basic (.+)$/i.exec(req.get('authorization') ?? '')?.[1];
    const [id, key] = basic
      ? Buffer.from(basic, 'base64').toString().split(':').map(decodeURIComponent)
      : [textOf(body['client_id']), textOf(body['client_secret'])];
    return id === oauth.client.id && key === oauth.client.secret;
  };
  app.post('/2/oauth2/token', (req, res) => {
    if (!isClient(req)) {
      res.status(401).json({
        error: 'unauthorized_client',
        error_description: 'Missing valid authorization header',
      });
      return;
    }
    const body = req.body as Record<string, unknown>;
    const given = (name: string): string => textOf(body[name]);
    try {
      const { access, refresh, grant } =
        body['grant_type'] === 'refresh_token'
          ? oauth.refresh(given('refresh_token'))
          : oauth.exchange(given('code'), given('redirect_uri'), given('code_verifier'));
      res.json({
        token_type: 'bearer',
        expires_in: 7200,
        access_token: access,
        scope: grant.scopes.join(' '),
        ...(grant.scopes.includes('offline.access') ? { refresh_token: refresh } : {}),
      });
    } catch (error) {
      if (!(error instanceof OAuthFault)) throw error;
      res.status(400).json({ error: error.error, error_description: error.message });
    }
  });
  app.post('/2/oauth2/revoke', (req, res) => {
    if (!isClient(req)) {
      res.status(401).json({ error: 'unauthorized_client' });
      return;
    }
    const grant = oauth.grants.get(textOf((req.body as Record<string, unknown>)['token']));
    if (grant) oauth.endFamily(grant.family);
    res.json({ revoked: true });
  });
  app.post('/oauth2/token', (req, res) => {
    if (isClient(req)) {
      res.json({ token_type: 'bearer', access_token: oauth.issueAppToken() });
      return;
    }
    const message = 'Unable to verify your credentials';
    res.status(403).json({ errors: [{ code: 99, message, label: 'authenticity_token_error' }] });
  });
}
