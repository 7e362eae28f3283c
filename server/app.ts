import express, { type ErrorRequestHandler, type Express, type Request } from 'express';
import { join } from 'node:path';
import { athleteApi, athletePage } from './pages/athlete.js';
import { aboutPages } from './pages/about.js';
import { homePage } from './pages/home.js';
import { meApi, mePages } from './pages/me.js';
import { athletesApi, athletesPages } from './athletes/routes.js';
import { root, type Context } from './context.js';
import { InputError, VillageError, type FieldIssue } from './errors.js';
import { mayModerate } from './fans/service.js';
import { readers } from './fans/reader.js';
import { callbacks, settingsPages, signInPages } from './fans/routes.js';
import { followsApi, followsPages } from './follows/routes.js';
import { NETWORKS, NetworkError } from './networks/network.js';
import { openApi } from './openapi.js';
import { within } from './platform/clock.js';
import { Fresh } from './platform/fresh.js';
import { bearer, csrfToken, headers, sameOrigin } from './platform/guard.js';
import { languageOf, type PageFacts } from './platform/http.js';
import { LANGUAGES, type Language } from './platform/i18n.js';
import { randomId } from './platform/ids.js';
import { isStoreAway } from './platform/mongo.js';
import { sessions } from './platform/sessions.js';
import type { Frame } from './platform/views.js';
import { pointsApi } from './points/routes.js';
import { registryApi, registryPages } from './registry/routes.js';
import { videosApi, videosPages } from './videos/routes.js';
import { chatsApi, chatsPages } from './village/routes.js';

/** The language of a request: its path's, else what the browser prefers, else French. */
const chooseLanguage = (req: Request): Language =>
  languageOf(req.path) ?? (req.headers['accept-language'] !== undefined && req.acceptsLanguages('fr', 'en') === 'en' ? 'en' : 'fr');

/** The few words that modules of a signed-in fan's page say by themselves. */
function clientWords(words: Context['words'], lang: Language): Record<string, unknown> {
  const t = (key: string, params: Record<string, unknown> = {}): string => words.t(lang, key, params);
  const each = (key: string): Record<string, string> => Object.fromEntries(NETWORKS.map((network) => [network, t(`${key}.${network}`)]));
  const named = (key: string): Record<string, string> =>
    Object.fromEntries(NETWORKS.map((network) => [network, t(key, { network: t(`networks.${network}`) })]));
  return {
    lang,
    awarded: '+1.',
    unlocked: `${t('videos.open')} :`,
    asking: each('networks.asking'),
    no: each('follows.notice.no'),
    unknown: named('follows.notice.unknown'),
    waits: t('follows.notice.waits'),
    failed: t('follows.failed'),
    points: `# ${t('frame.points_other')}.`,
    progress: t('follows.progress', { done: '#1', total: '#2', awarded: '#3' }),
  };
}

/**
 * The addresses of a page: whole, of a query only the number of the page, no slash behind the home pages. Search engines want each language to name itself,
 * the other, and one for all the rest: for home the address that chooses, else the French page, as for a browser that prefers neither.
 */
function addresses(publicUrl: string, rest: string, lang: Language): Pick<Frame, 'canonical' | 'alternates'> {
  const [path = '', query = ''] = rest.split('?', 2);
  const page = /(?:^|&)page=([1-9]\d{0,5})(?:&|$)/.exec(query)?.[1] ?? '1';
  const same = `${path.replace(/\/+$/, '')}${page === '1' ? '' : `?page=${page}`}`;
  const alternates = LANGUAGES.map((one) => ({ lang: one, href: `${publicUrl}/${one}${same}` }));
  return {
    canonical: `${publicUrl}/${lang}${same}`,
    alternates: [...alternates, { lang: 'x-default', href: same === '' ? `${publicUrl}/` : `${publicUrl}/fr${same}` }],
  };
}

/** Makes the frame of a page: language, reader with points, form token. */
function frames(context: Context): (req: Request, facts: PageFacts) => Promise<Frame> {
  const { points, settings, config } = context;
  const demo = new Fresh<boolean>(30_000);
  return async (req, facts) => {
    const theme = /(?:^|;\s*)village-theme=(light|dark|contrast)/.exec(req.get('cookie') ?? '')?.[1] ?? 'auto';
    const rest = req.originalUrl.replace(/^\/(fr|en)(?=\/|\?|$)/, '');
    const other = req.lang === 'fr' ? 'en' : 'fr';
    const { lang, reader } = req;
    const robots = facts.robots ?? true;
    const standing = facts.standing ?? (reader ? (await points.head(reader.id).catch(() => null))?.after : undefined);
    return {
      lang,
      other,
      path: req.originalUrl,
      otherPath: rest === req.originalUrl ? `/${other}` : `/${other}${rest}`,
      nonce: (req.res?.locals['nonce'] ?? '') as string,
      theme,
      demo: await demo.get('demo', async () => (await settings.get<boolean>('demo')) ?? false).catch(() => false),
      reader: reader
        ? {
            id: reader.id,
            name: reader.name,
            points: standing?.points ?? 0,
            medal: standing?.medals['hub']?.[0] ?? null,
            moderator: mayModerate(reader.roles),
          }
        : null,
      get csrf() {
        return csrfToken(req);
      },
      title: facts.title,
      section: facts.section ?? '',
      script: facts.script ?? null,
      ...(robots ? addresses(config.publicUrl, rest, lang) : { canonical: null, alternates: [] }),
      robots,
      wide: facts.wide ?? false,
      client: reader ? clientWords(context.words, lang) : null,
    };
  };
}

function asVillageError(error: unknown): VillageError {
  if (error instanceof VillageError) return error;
  if (isStoreAway(error)) return new VillageError('unavailable', { seconds: 2 });
  if (error instanceof NetworkError) return new VillageError('network_down', { network: error.network });
  const { type, status } = error as { type?: string; status?: number };
  if (type === 'entity.too.large' || status === 413) return new VillageError('too_large', { limit: 65_536 });
  if (status !== undefined && status >= 400 && status < 500) return new VillageError('bad_input', { field: 'body' });
  return new VillageError('internal');
}

/** One place where an error becomes an answer: a problem document (RFC 9457) or a page, never a stack (ASVS 16.5.1). */
function errors(context: Context): ErrorRequestHandler {
  const { words, log } = context;
  return (raw: unknown, req, res, next) => {
    if (res.headersSent) {
      next(raw);
      return;
    }
    const error = asVillageError(raw);
    const lang = (req.lang as 'fr' | 'en' | undefined) ?? 'fr';
    if (error.id === 'internal') log.error({ err: raw, request: req.requestId, path: req.path }, 'a request failed');
    if (error.status === 503 || error.status === 429) res.set('Retry-After', String(error.params['seconds'] ?? 2));
    if (error.id === 'bad_range') res.set('Content-Range', `bytes */${String(error.params['length'])}`);
    if (error.id === 'bad_token') res.set('WWW-Authenticate', 'Bearer error="invalid_token"');
    res.set('Cache-Control', 'no-store').status(error.status);
    const params = {
      ...error.params,
      ...('network' in error.params && error.params['network'] ? { network: words.t(lang, `networks.${String(error.params['network'])}`) } : {}),
    };
    const title = words.t(lang, `errors.${error.id}.title`, params);
    const detail = words.t(lang, `errors.${error.id}.text`, params);
    const issues = error instanceof InputError ? error.issues : ((error.extra['issues'] as { path: string; issue: string }[] | undefined) ?? []);
    if (req.path.startsWith('/api/')) {
      const errorsOut = issues.map((one) => ({
        path: one.path,
        issue: one.issue,
        message: words.has(lang, `errors.issue.${one.issue}`)
          ? words.t(lang, `errors.issue.${one.issue}`, (one as FieldIssue).params ?? {})
          : words.t(lang, 'errors.issue.other'),
      }));
      res.type('application/problem+json').send(
        JSON.stringify({
          type: `urn:village:problem:${error.id}`,
          title,
          status: error.status,
          detail,
          id: error.id,
          instance: req.requestId,
          ...error.extra,
          ...(errorsOut.length > 0 ? { errors: errorsOut, issues: undefined } : {}),
        }),
      );
      return;
    }
    if (error.id === 'not_signed_in' && req.method === 'GET') {
      res.redirect(303, `/${lang}/sign-in?returnTo=${encodeURIComponent(req.originalUrl)}`);
      return;
    }
    const model = {
      id: error.id,
      status: error.status,
      heading: title,
      detail,
      request: req.requestId,
      retry: error.status >= 500 || error.status === 429,
      signIn: error.id.startsWith('login_') || error.id === 'not_signed_in',
    };
    req.page('error', { title, status: error.status, robots: false }, model).catch((again: unknown) => {
      // Even the frame needs a store that is away: a page of nothing but words.
      log.debug({ err: again }, 'the error page itself failed');
      res.type('html').send(
        context.views.page(
          'error',
          {
            lang,
            other: lang === 'fr' ? 'en' : 'fr',
            path: req.originalUrl,
            otherPath: '/',
            nonce: '',
            theme: 'auto',
            demo: false,
            reader: null,
            csrf: '',
            title,
            section: '',
            script: null,
            canonical: null,
            alternates: [],
            robots: false,
            wide: false,
            client: null,
          },
          model,
        ),
      );
    });
  };
}

/** How long a store may take to answer `/readyz`, in ms. */
const READY_MS = 1500;
function health(context: Context, app: Express): void {
  const { connection, redis, config, metrics } = context;
  let indexed = false;
  app.get('/healthz', (_req, res) => {
    res.json({ ok: true });
  });
  app.get('/readyz', async (_req, res) => {
    const answers = (work: Promise<unknown>): Promise<boolean> =>
      within(work, READY_MS).then(
        (answer) => answer !== null,
        () => false,
      );
    const [mongodb, cache] = await Promise.all([
      answers(connection.db?.command({ ping: 1 }) ?? Promise.reject(new Error('closed'))),
      answers(redis.commands.ping()),
    ]);
    if (mongodb && !indexed) indexed = (await context.missingIndexes().catch(() => ['unknown'])).length === 0;
    const ok = mongodb && cache && indexed;
    res.status(ok ? 200 : 503).json({ ok, mongodb, redis: cache, indexes: indexed });
  });
  app.get('/metrics', async (req, res) => {
    if (!config.metricsToken || bearer(req) !== config.metricsToken) throw new VillageError('not_found');
    res.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
}

/** The express app: a line a room. */
export function createApp(context: Context): Express {
  const { config, words, limits, athletes, registry, follows, points, videos, chats, posts, fans, tokens, signIn, bus, views, metrics } = context;
  const app = express();
  app.disable('x-powered-by');
  // Pages carry a nonce and what is JSON is mostly personal: a hash of each answer would find nothing again. Files have tags of their own.
  app.disable('etag');
  app.set('trust proxy', config.trustProxy);
  app.set('query parser', 'simple');
  const frame = frames(context);
  const origins = Object.values(config.networks).map((one) => one.pages);

  // On the prototype of every request, so that none of them pays for a function of its own.
  Object.assign(app.request, {
    async page(this: Request, template: string, facts: PageFacts, model: object) {
      const around = await frame(this, facts);
      if (facts.status !== undefined) this.res?.status(facts.status);
      if (this.reader) this.res?.set('Cache-Control', 'no-store');
      this.res
        ?.set('Content-Language', this.lang)
        .type('html')
        .send(views.page(template, around, model));
    },
  });

  app.use((req, res, next) => {
    req.requestId = randomId();
    req.reader = null;
    req.lang = chooseLanguage(req);
    const begun = performance.now();
    res.once('finish', () => {
      metrics.request(req.method, res.statusCode, performance.now() - begun);
    });
    next();
  });
  app.use(headers(config.publicUrl, origins));
  health(context, app);
  app.use('/assets', express.static(join(root, 'build', 'assets'), { immutable: true, maxAge: '1y', index: false, dotfiles: 'ignore', fallthrough: false }));
  // Another host name is sent to the one that cookies and callbacks are made for.
  const { host } = new URL(config.publicUrl);
  app.use((req, res, next) => {
    if (req.get('host') === host || (req.method !== 'GET' && req.method !== 'HEAD')) {
      next();
      return;
    }
    res.redirect(308, `${config.publicUrl}${req.originalUrl.replace(/^\/+/, '/')}`);
  });
  app.use(sameOrigin(config.publicUrl));
  const bySession = sessions(context.sessions, config.sessionSecret, config.publicUrl);
  app.use((req, res, next) => {
    if (bearer(req) !== null) next();
    else void bySession(req, res, next);
  });
  const known = readers(fans, tokens);

  const parts = { athletes, registry, follows, videos, chats, posts, words, points, fans };
  const doors = { fans, signIn, tokens, limits, words, bus, secure: config.publicUrl.startsWith('https:') };
  // One router each for JSON and for pages: every router of its own that a request passes costs as much as ten routes.
  const api = express.Router();
  followsApi(api, follows, athletes, limits);
  athletesApi(api, athletes, registry, limits);
  athleteApi(api, parts);
  pointsApi(api, points);
  meApi(api, parts);
  chatsApi(api, chats, limits);
  videosApi(api, videos, athletes, words);
  registryApi(api, registry, limits);
  openApi(api, config.publicUrl);
  app.use('/api/v1', express.json({ limit: '64kb' }), known, api);

  const pages = express.Router();
  homePage(pages, parts);
  athletesPages(pages, athletes, words);
  athletePage(pages, parts);
  mePages(pages, parts);
  chatsPages(pages, chats, athletes, words, limits);
  videosPages(pages, videos, athletes, words);
  followsPages(pages, follows, athletes, limits);
  signInPages(pages, doors);
  settingsPages(pages, doors);
  registryPages(pages, registry, athletes, fans, words, limits);
  aboutPages(pages, points, context.cards, words);
  app.use(['/fr', '/en'], express.urlencoded({ extended: false, limit: '64kb' }), known, pages);

  const others = express.Router();
  callbacks(others, doors);
  others.get('/', (req, res) => {
    res.vary('Accept-Language').redirect(302, `/${req.lang}`);
  });
  app.use(known, others);
  app.use((_req, _res, next) => {
    next(new VillageError('not_found'));
  });
  app.use(errors(context));
  return app;
}
