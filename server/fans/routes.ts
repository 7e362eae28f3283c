import type { Request } from 'express';
import { VillageError } from '../errors.js';
import { COUNTRIES } from '../platform/countries.js';
import { isNetwork, NETWORKS } from '../networks/network.js';
import type { PageDoors } from '../platform/doors.js';
import { safeReturn } from '../platform/guard.js';
import { param, parse, requireReader, SCOPES, seeOther } from '../platform/http.js';
import type { Words } from '../platform/i18n.js';
import { FirstPage, NewToken, Taste } from './schema.js';
import { isLost, type Fans } from './service.js';
import type { SignIn } from './sign-in.js';
import type { ApiTokens } from './tokens.js';

export interface FanDoors {
  fans: Fans;
  signIn: SignIn;
  tokens: ApiTokens;
  words: Words;
  secure: boolean;
}

/** Pages of signing in and out. */
export function signInPages(router: PageDoors, { fans, signIn, words, secure }: FanDoors): void {
  const t = (lang: 'fr' | 'en', key: string): string => words.t(lang, key);

  router.get('/sign-in', { who: 'anyone', personal: true }, async (req, res) => {
    const again = req.reader !== null && 'again' in req.query;
    if (req.reader && !again) {
      seeOther(res, `/${req.lang}/me`);
      return;
    }
    const mine = req.reader && (await fans.identities.of(req.reader.id)).map((one) => one.network);
    await req.page(
      'fans/sign-in',
      { title: t(req.lang, again ? 'fans.again.title' : 'fans.signIn.title'), robots: false },
      { networks: NETWORKS.filter((network) => !mine || mine.includes(network)), returnTo: safeReturn(req.query['returnTo'], `/${req.lang}`), again },
    );
  });

  router.post('/sign-in/:network', { who: 'anyone', personal: true, limit: 'login', by: 'address' }, async (req, res) => {
    const network = param(req, 'network');
    if (!isNetwork(network)) throw new VillageError('not_found');
    const { returnTo, again } = req.body as { returnTo?: unknown; again?: unknown };
    res.redirect(303, await signIn.begin(req, network, returnTo, again !== undefined));
  });

  const countries = (lang: 'fr' | 'en', chosen: string) =>
    COUNTRIES.map((code) => ({ code, name: words.country(lang, code), chosen: code === chosen })).sort((a, b) => a.name.localeCompare(b.name, lang));
  const firstPage = (lang: 'fr' | 'en', name: string, given: Record<string, unknown>, issues: { path: string; issue: string }[]) => ({
    name,
    given,
    countries: countries(lang, typeof given['country'] === 'string' ? given['country'] : lang === 'fr' ? 'FR' : 'GB'),
    issues: issues.map((one) => ({ ...one, text: t(lang, `fans.welcome.wrong.${one.path}`) })),
    wrong: Object.fromEntries(issues.map((one) => [one.path, true])),
  });

  router.get('/welcome', { who: 'anyone', personal: true }, async (req, res) => {
    const newcomer = signIn.newcomer(req);
    if (!newcomer) {
      seeOther(res, `/${req.lang}/sign-in`);
      return;
    }
    await req.page('fans/welcome', { title: t(req.lang, 'fans.welcome.title'), robots: false }, firstPage(req.lang, newcomer.linked.name, {}, []));
  });

  router.post('/welcome', { who: 'anyone', personal: true }, async (req, res) => {
    const given = FirstPage.safeParse(req.body);
    if (!given.success) {
      const issues = [...new Set(given.error.issues.map((issue) => String(issue.path[0])))].map((path) => ({ path, issue: 'wrong' }));
      await req.page(
        'fans/welcome',
        { title: t(req.lang, 'fans.welcome.title'), robots: false, status: 400 },
        firstPage(req.lang, signIn.newcomer(req)?.linked.name ?? '', req.body as Record<string, unknown>, issues),
      );
      return;
    }
    const { birthYear, country, language } = given.data;
    const returnTo = await signIn.welcome(req, { birthYear, country, language });
    seeOther(res, returnTo.replace(/^\/(fr|en)(?=\/|$)/, `/${language}`));
  });

  router.post('/sign-out', { who: 'fan' }, async (req, res) => {
    await signIn.leave(req);
    seeOther(res, `/${req.lang}`);
  });

  router.post('/sign-out-everywhere', { who: 'fan' }, async (req, res) => {
    await fans.signOutEverywhere(requireReader(req).id);
    await signIn.leave(req);
    seeOther(res, `/${req.lang}/sign-in`);
  });

  /** Light, dark, as the device says, or more contrast: a cookie, which the server renders. */
  router.post('/theme', { who: 'anyone', formToken: false }, async (req, res) => {
    const { theme, returnTo } = parse(Taste, req.body);
    res.cookie('village-theme', theme ?? 'auto', { maxAge: 31_536_000_000, sameSite: 'lax', httpOnly: true, secure, path: '/' });
    await Promise.resolve();
    seeOther(res, safeReturn(returnTo, `/${req.lang}`));
  });
}

/** The address that networks send the browser back to, one each (ASVS 10.2.2). */
export function callbacks(router: PageDoors, { signIn }: FanDoors): void {
  router.get('/auth/:network/callback', { who: 'anyone', personal: true }, async (req, res) => {
    const network = param(req, 'network');
    if (!isNetwork(network)) throw new VillageError('not_found');
    const query = Object.fromEntries(Object.entries(req.query).filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
    // The address is the same for everybody: the person reads the language they came from.
    req.lang = signIn.languageOf(req, query['state'] ?? '') ?? req.lang;
    const done = await signIn.complete(req, network, query);
    res.redirect(303, done.kind === 'newcomer' ? `/${req.lang}/welcome` : done.returnTo);
  });
}

/** Settings: who I am here, which accounts I linked, my tokens. */
export function settingsPages(router: PageDoors, { fans, tokens, words }: FanDoors): void {
  const show = async (req: Request, fresh: string | null): Promise<void> => {
    const reader = requireReader(req);
    const [fan, identities, list] = await Promise.all([fans.require(reader.id), fans.identities.of(reader.id), tokens.list(reader.id)]);
    const linked = NETWORKS.map((network) => ({ network, identity: identities.find((one) => one.network === network) ?? null }));
    await req.page(
      'fans/settings',
      { title: words.t(req.lang, 'fans.settings.title'), section: 'me', robots: false },
      {
        fan: { handle: fan.handle, country: fan.country, roles: fan.roles, createdAt: fan.createdAt, id: fan._id },
        linked: linked.map(({ network, identity }) => ({
          network,
          handle: identity?.handle ?? null,
          since: identity?.linkedAt ?? null,
          lost: identity !== null && isLost(identity),
        })),
        tokens: list.map((one) => ({
          id: one.hash,
          name: one.name,
          scopes: one.scopes.map((scope) => words.t(req.lang, `fans.scope.${scope}`)),
          createdAt: one.createdAt,
        })),
        fresh,
        scopes: SCOPES,
      },
    );
  };
  router.get('/me/settings', { who: 'fan' }, async (req) => {
    await show(req, null);
  });
  router.post('/me/tokens', { who: 'fan' }, async (req) => {
    const reader = requireReader(req);
    const { name, scopes } = parse(NewToken, req.body);
    await show(req, await tokens.create(reader.id, name, scopes));
  });
  router.post('/me/tokens/:id/end', { who: 'fan' }, async (req, res) => {
    await tokens.end(requireReader(req).id, param(req, 'id'));
    seeOther(res, `/${req.lang}/me/settings`);
  });
}
