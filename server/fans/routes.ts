import type { Request } from 'express';
import { InputError, VillageError } from '../errors.js';
import { COUNTRIES } from '../platform/countries.js';
import { isNetwork, NETWORKS } from '../networks/network.js';
import type { PageDoors } from '../platform/doors.js';
import { safeReturn } from '../platform/guard.js';
import { param, parse, requireReader, seeOther } from '../platform/http.js';
import type { Limits } from '../platform/limits.js';
import type { Language, Words } from '../platform/i18n.js';
import { NAME_SIGNS } from './naming.js';
import { FirstPage, NewName, NewToken, Taste } from './schema.js';
import { isLost, type Fans } from './service.js';
import type { SignIn } from './sign-in.js';
import type { ApiTokens } from './tokens.js';
import { SCOPES } from '../platform/rights.js';

export interface FanDoors {
  fans: Fans;
  signIn: SignIn;
  tokens: ApiTokens;
  limits: Limits;
  words: Words;
  secure: boolean;
}

/** What is wrong with a name, in words. */
const nameWords = (words: Words, lang: Language, issue = 'name_empty'): string =>
  words.t(lang, `fans.name.wrong.${issue}`, { most: NAME_SIGNS });

/** Pages of signing in and out. */
export function signInPages(router: PageDoors, { fans, signIn, words, secure }: FanDoors): void {
  const t = (lang: 'fr' | 'en', key: string): string => words.t(lang, key);

  router.get('/sign-in', { who: 'anyone', personal: true }, async (req, res) => {
    const again = req.reader !== null && 'again' in req.query;
    if (req.reader && !again) {
      seeOther(res, `/${req.lang}/me`);
      return;
    }
    const mine =
      req.reader && (await fans.identities.linkedBy(req.reader.id)).map((one) => one.network);
    await req.page(
      'fans/sign-in',
      { title: t(req.lang, again ? 'fans.again.title' : 'fans.signIn.title'), robots: !again },
      {
        networks: NETWORKS.filter((network) => !mine || mine.includes(network)),
        returnTo: safeReturn(req.query['returnTo'], `/${req.lang}`),
        again,
      },
    );
  });

  router.post(
    '/sign-in/:network',
    { who: 'anyone', personal: true, limit: 'login', by: 'address' },
    async (req, res) => {
      const network = param(req, 'network');
      if (!isNetwork(network)) throw new VillageError('not_found');
      const { returnTo, again } = req.body as { returnTo?: unknown; again?: unknown };
      res.redirect(303, await signIn.begin(req, network, returnTo, again !== undefined));
    },
  );

  const countries = (lang: 'fr' | 'en', chosen: string) =>
    COUNTRIES.map((code) => ({
      code,
      name: words.country(lang, code),
      chosen: code === chosen,
    })).sort((a, b) => a.name.localeCompare(b.name, lang));
  /**
   * The first page with whatever was typed, and what is wrong with it; `focus` names the field to
   * go on with.
   */
  const firstPage = async (
    req: Request,
    given: Record<string, unknown>,
    wrong: Record<string, string>,
    focus = Object.keys(wrong)[0],
  ): Promise<void> => {
    const { lang } = req;
    await req.page(
      'fans/welcome',
      {
        title: t(lang, 'fans.welcome.title'),
        robots: false,
        ...(Object.keys(wrong).length > 0 ? { status: 400 } : {}),
      },
      {
        given: { ...given, language: given['language'] ?? lang },
        countries: countries(
          lang,
          typeof given['country'] === 'string' ? given['country'] : lang === 'fr' ? 'FR' : 'GB',
        ),
        issues: Object.entries(wrong).map(([path, text]) => ({ path, text })),
        wrong,
        focus,
      },
    );
  };

  router.get('/welcome', { who: 'anyone', personal: true }, async (req, res) => {
    const newcomer = signIn.newcomer(req);
    if (!newcomer) {
      seeOther(res, `/${req.lang}/sign-in`);
      return;
    }
    await firstPage(req, { name: await fans.names.suggest(req.lang, newcomer.linked.account) }, {});
  });

  router.post(
    '/welcome',
    { who: 'anyone', personal: true, limit: 'welcome', by: 'address' },
    async (req, res) => {
      // Names are proposed and judged for whoever has proved an account, and for nobody else.
      if (!signIn.newcomer(req)) throw new VillageError('login_expired', { network: '' });
      const typed = req.body as Record<string, unknown>;
      if ('another' in typed) {
        await firstPage(req, { ...typed, name: await fans.names.invent(req.lang) }, {}, 'name');
        return;
      }
      const given = FirstPage.safeParse(typed);
      if (!given.success) {
        const paths = [...new Set(given.error.issues.map((issue) => String(issue.path[0])))];
        const said = (path: string): string =>
          path === 'name'
            ? nameWords(words, req.lang, typed['name'] ? 'name_long' : 'name_empty')
            : t(req.lang, `fans.welcome.wrong.${path}`);
        await firstPage(req, typed, Object.fromEntries(paths.map((path) => [path, said(path)])));
        return;
      }
      const { name, birthYear, country, language } = given.data;
      try {
        const returnTo = await signIn.welcome(req, { name, birthYear, country, language });
        seeOther(res, returnTo.replace(/^\/(fr|en)(?=\/|$)/, `/${language}`));
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        await firstPage(req, typed, { name: nameWords(words, req.lang, error.issues[0]?.issue) });
      }
    },
  );

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
    res.cookie('village-theme', theme ?? 'auto', {
      maxAge: 31_536_000_000,
      sameSite: 'lax',
      httpOnly: true,
      secure,
      path: '/',
    });
    await Promise.resolve();
    seeOther(res, safeReturn(returnTo, `/${req.lang}`));
  });
}

/** The address that networks send the browser back to, one each (ASVS 10.2.2). */
export function callbacks(router: PageDoors, { signIn }: FanDoors): void {
  router.get('/auth/:network/callback', { who: 'anyone', personal: true }, async (req, res) => {
    const network = param(req, 'network');
    if (!isNetwork(network)) throw new VillageError('not_found');
    const query = Object.fromEntries(
      Object.entries(req.query).filter(
        (pair): pair is [string, string] => typeof pair[1] === 'string',
      ),
    );
    // The address is the same for everybody: the person reads the language they came from.
    req.lang = signIn.languageOf(req, query['state'] ?? '') ?? req.lang;
    const done = await signIn.complete(req, network, query);
    res.redirect(303, done.kind === 'newcomer' ? `/${req.lang}/welcome` : done.returnTo);
  });
}

/** Settings: what I am called, which accounts I linked, my tokens. */
export function settingsPages(router: PageDoors, { fans, tokens, words, limits }: FanDoors): void {
  const show = async (
    req: Request,
    more: { fresh?: string; typed?: string; wrong?: string },
  ): Promise<void> => {
    const reader = requireReader(req);
    const [fan, identities, list] = await Promise.all([
      fans.require(reader.id),
      fans.identities.linkedBy(reader.id),
      tokens.list(reader.id),
    ]);
    const linked = NETWORKS.map((network) => ({
      network,
      identity: identities.find((one) => one.network === network) ?? null,
    }));
    await req.page(
      'fans/settings',
      {
        title: words.t(req.lang, 'fans.settings.title'),
        section: 'me',
        robots: false,
        ...(more.wrong === undefined ? {} : { status: 400 }),
      },
      {
        fan: {
          handle: fan.handle,
          given: fan.named === 'given',
          country: fan.country,
          roles: fan.roles,
          createdAt: fan.createdAt,
          id: fan._id,
        },
        linked: linked.map(({ network, identity }) => ({
          network,
          linked: identity !== null,
          handle: identity?.handle ?? '',
          since: identity?.linkedAt ?? null,
          lost: identity !== null && isLost(identity),
        })),
        tokens: list.map((one) => ({
          id: one.hash,
          name: one.name,
          scopes: one.scopes.map((scope) => words.t(req.lang, `fans.scope.${scope}`)),
          createdAt: one.createdAt,
        })),
        fresh: more.fresh ?? null,
        name: {
          typed: more.typed ?? fan.handle,
          wrong: more.wrong ?? null,
          done: req.query['named'] !== undefined,
        },
        scopes: SCOPES,
      },
    );
  };
  router.get('/me/settings', { who: 'fan' }, async (req) => {
    await show(req, {});
  });
  router.post('/me/name', { who: 'fan', limit: 'submit' }, async (req, res) => {
    const reader = requireReader(req);
    const { name: typed } = parse(NewName, req.body);
    try {
      // Trying names out is one thing, being called otherwise another: only that counts against the
      // few changes of a day.
      if ((await fans.mayBeCalled(reader.id, typed)) !== reader.name)
        await limits.count('rename', reader.id);
      await fans.rename(reader.id, typed);
      seeOther(res, `/${req.lang}/me/settings?named#who`);
    } catch (error) {
      if (!(
        error instanceof InputError ||
        (error instanceof VillageError && error.id === 'rate_limited')
      ))
        throw error;
      const issue = error instanceof InputError ? error.issues[0]?.issue : 'name_often';
      await show(req, { typed, wrong: nameWords(words, req.lang, issue) });
    }
  });
  router.post('/me/tokens', { who: 'fan', limit: 'submit' }, async (req) => {
    const reader = requireReader(req);
    const { name, scopes } = parse(NewToken, req.body);
    await show(req, { fresh: await tokens.create(reader.id, name, scopes) });
  });
  router.post('/me/tokens/:id/end', { who: 'fan' }, async (req, res) => {
    await tokens.end(requireReader(req).id, param(req, 'id'));
    seeOther(res, `/${req.lang}/me/settings`);
  });
}
