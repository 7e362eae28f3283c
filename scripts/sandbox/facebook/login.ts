import type { Express } from 'express';
import type { OAuth } from '../oauth.js';
import { consentPage, signedIn } from '../pages.js';
import { listOf, textOf } from '../query.js';
import { addPages, remember, site } from '../site.js';
import type { World } from '../world.js';

/** The pages of Facebook: the login dialog, and Pages with their button. */
export function facebookPages(world: World, oauth: OAuth): Express {
  const app = site('facebook', world);
  app.get('/:version/dialog/oauth', (req, res) => {
    const { query } = req;
    const asked = (name: string): string => textOf(query[name]);
    if (asked('client_id') !== oauth.client.id || !oauth.allowsRedirect(asked('redirect_uri'))) {
      res
        .status(400)
        .send('URL blocked: this redirect failed because the redirect URI is not white-listed.');
      return;
    }
    res.send(
      consentPage('facebook', world, {
        me: signedIn(req, 'facebook', world),
        app: 'Village',
        scopes: listOf(query['scope']),
        fields: Object.fromEntries(
          ['redirect_uri', 'state', 'scope'].map((name) => [name, asked(name)]),
        ),
      }),
    );
  });
  app.post('/:version/dialog/oauth', (req, res) => {
    const given = req.body as Record<string, string>;
    const redirectUri = textOf(given['redirect_uri']);
    const person = world.person(textOf(given['person']));
    if (!oauth.allowsRedirect(redirectUri) || !person) {
      res.status(400).send('URL blocked.');
      return;
    }
    const back = new URL(redirectUri);
    if (given['answer'] === 'allow') {
      remember(res, 'facebook', person.handle);
      const scopes = listOf(given['scope']);
      const code = oauth.issueCode(person, { redirectUri, scopes, challenge: null });
      back.searchParams.set('code', code);
    } else {
      back.searchParams.set('error', 'access_denied');
      back.searchParams.set('error_code', '200');
      back.searchParams.set('error_reason', 'user_denied');
      back.searchParams.set('error_description', 'Permissions error');
    }
    back.searchParams.set('state', textOf(given['state']));
    res.redirect(302, back.toString());
  });
  addPages(app, 'facebook', world);
  return app;
}
