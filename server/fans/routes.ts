import type { Request, Response } from 'express';
import type { Config } from '../config.js';
import { InputError, VillageError } from '../errors.js';
import { isNetwork, type NetworkId } from '../networks/network.js';
import type { PageDoors } from '../platform/doors.js';
import { safeReturn } from '../platform/guard.js';
import { param, parse, requireReader, seeOther } from '../platform/http.js';
import type { Words } from '../platform/i18n.js';
import type { Limits } from '../platform/limits.js';
import {
  nameFaultText,
  presentFirstPage,
  presentSettings,
  presentSignIn,
  type FirstPageState,
  type SettingsState,
} from './present.js';
import { FirstPage, NewName, NewToken, Taste } from './schema.js';
import type { Fans } from './service.js';
import type { SignIn } from './sign-in.js';
import type { ApiTokens } from './tokens.js';

const YEAR_MS = 31_536_000_000;

/** What the doors of this room need. */
export interface FanDoors {
  fans: Fans;
  signIn: SignIn;
  tokens: ApiTokens;
  limits: Limits;
  words: Words;
  config: Pick<Config, 'publicUrl'>;
}

function networkOf(req: Request): NetworkId {
  const network = param(req, 'network');
  if (!isNetwork(network)) throw new VillageError('not_found');
  return network;
}

/** Pages of signing in and out, and the choice of how pages look. */
export function signInPages(router: PageDoors, doors: FanDoors): void {
  const { fans, signIn, words, config } = doors;
  /** Whether cookies go over https only. */
  const secure = config.publicUrl.startsWith('https:');

  router.get('/sign-in', { who: 'anyone', personal: true }, async (req, res) => {
    const again = req.reader !== null && 'again' in req.query;
    if (req.reader && !again) {
      seeOther(res, `/${req.lang}/me`);
      return;
    }
    const linked = req.reader && (await fans.identities.linkedBy(req.reader.id));
    const returnTo = safeReturn(req.query['returnTo'], `/${req.lang}`);
    const title = words.t(req.lang, again ? 'fans.again.title' : 'fans.signIn.title');
    await req.page(
      'fans/sign-in',
      { title, robots: !again },
      presentSignIn(linked, returnTo, again),
    );
  });

  router.post(
    '/sign-in/:network',
    { who: 'anyone', personal: true, limit: 'login', by: 'address' },
    async (req, res) => {
      const network = networkOf(req);
      const { returnTo, again } = req.body as { returnTo?: unknown; again?: unknown };
      res.redirect(303, await signIn.begin(req, network, returnTo, again !== undefined));
    },
  );

  welcomePages(router, doors);

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
      maxAge: YEAR_MS,
      sameSite: 'lax',
      httpOnly: true,
      secure,
      path: '/',
    });
    await Promise.resolve();
    seeOther(res, safeReturn(returnTo, `/${req.lang}`));
  });
}

/** The first page, which a newcomer answers once. */
function welcomePages(router: PageDoors, { fans, signIn, words }: FanDoors): void {
  const show = async (req: Request, state: FirstPageState): Promise<void> => {
    const isWrong = Object.keys(state.wrong).length > 0;
    await req.page(
      'fans/welcome',
      {
        title: words.t(req.lang, 'fans.welcome.title'),
        robots: false,
        ...(isWrong ? { status: 400 } : {}),
      },
      presentFirstPage(words, req.lang, state),
    );
  };

  /** What is wrong with the fields of the form, in words. */
  const wrongFields = (
    req: Request,
    typed: Record<string, unknown>,
    fields: string[],
  ): Record<string, string> => {
    const text = (field: string): string =>
      field === 'name'
        ? nameFaultText(words, req.lang, typed['name'] ? 'name_long' : 'name_empty')
        : words.t(req.lang, `fans.welcome.wrong.${field}`);
    return Object.fromEntries(fields.map((field) => [field, text(field)]));
  };

  const accept = async (req: Request, res: Response, answers: FirstPage): Promise<void> => {
    const { name, birthYear, country, language } = answers;
    try {
      const returnTo = await signIn.welcome(req, { name, birthYear, country, language });
      seeOther(res, returnTo.replace(/^\/(fr|en)(?=\/|$)/, `/${language}`));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const wrong = { name: nameFaultText(words, req.lang, error.issues[0]?.issue) };
      await show(req, { typed: req.body as Record<string, unknown>, wrong });
    }
  };

  router.get('/welcome', { who: 'anyone', personal: true }, async (req, res) => {
    const newcomer = signIn.newcomer(req);
    if (!newcomer) {
      seeOther(res, `/${req.lang}/sign-in`);
      return;
    }
    const name = await fans.names.suggest(req.lang, newcomer.linked.account);
    await show(req, { typed: { name }, wrong: {} });
  });

  router.post(
    '/welcome',
    { who: 'anyone', personal: true, limit: 'welcome', by: 'address' },
    async (req, res) => {
      // Names are proposed and judged for whoever has proved an account, and for nobody else.
      if (!signIn.newcomer(req)) throw new VillageError('login_expired', { network: '' });
      const typed = req.body as Record<string, unknown>;
      if ('another' in typed) {
        const name = await fans.names.invent(req.lang);
        await show(req, { typed: { ...typed, name }, wrong: {}, focus: 'name' });
        return;
      }
      const given = FirstPage.safeParse(typed);
      if (given.success) {
        await accept(req, res, given.data);
        return;
      }
      const fields = given.error.issues.map((issue) => String(issue.path[0]));
      await show(req, { typed, wrong: wrongFields(req, typed, fields) });
    },
  );
}

/** The address that networks send the browser back to, one each (ASVS 10.2.2). */
export function callbacks(router: PageDoors, { signIn }: FanDoors): void {
  router.get('/auth/:network/callback', { who: 'anyone', personal: true }, async (req, res) => {
    const network = networkOf(req);
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

/** Why a new name was refused; an error of another kind is thrown on. */
function renameFault(error: unknown): string | undefined {
  if (error instanceof InputError) return error.issues[0]?.issue;
  if (error instanceof VillageError && error.id === 'rate_limited') return 'name_often';
  throw error;
}

/** Settings: what I am called, which accounts I linked, my tokens. */
export function settingsPages(router: PageDoors, { fans, tokens, words, limits }: FanDoors): void {
  const show = async (
    req: Request,
    news: Pick<SettingsState, 'fresh' | 'typed' | 'wrong'>,
  ): Promise<void> => {
    const { id } = requireReader(req);
    const [fan, identities, list] = await Promise.all([
      fans.require(id),
      fans.identities.linkedBy(id),
      tokens.list(id),
    ]);
    const renamed = req.query['named'] !== undefined;
    await req.page(
      'fans/settings',
      {
        title: words.t(req.lang, 'fans.settings.title'),
        section: 'me',
        robots: false,
        ...(news.wrong === undefined ? {} : { status: 400 }),
      },
      presentSettings(words, req.lang, { ...news, fan, identities, tokens: list, renamed }),
    );
  };

  router.get('/me/settings', { who: 'fan' }, async (req) => {
    await show(req, {});
  });

  router.post('/me/name', { who: 'fan', limit: 'submit' }, async (req, res) => {
    const reader = requireReader(req);
    const { name: typed } = parse(NewName, req.body);
    try {
      // Trying names out is free, and so is one's own: only changes count against the few of a day.
      if ((await fans.mayBeCalled(reader.id, typed)) !== reader.name)
        await limits.count('rename', reader.id);
      await fans.rename(reader.id, typed);
      seeOther(res, `/${req.lang}/me/settings?named#who`);
    } catch (error) {
      const wrong = nameFaultText(words, req.lang, renameFault(error));
      await show(req, { typed, wrong });
    }
  });

  router.post('/me/tokens', { who: 'fan', limit: 'submit' }, async (req) => {
    const { name, scopes } = parse(NewToken, req.body);
    await show(req, { fresh: await tokens.create(requireReader(req).id, name, scopes) });
  });

  router.post('/me/tokens/:id/end', { who: 'fan' }, async (req, res) => {
    await tokens.end(requireReader(req).id, param(req, 'id'));
    seeOther(res, `/${req.lang}/me/settings`);
  });
}
