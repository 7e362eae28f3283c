import express, { type Express, type Request } from 'express';
import staticGzip from 'express-static-gzip';
import { join } from 'node:path';
import { errors } from './app/errors.js';
import { frames } from './app/frame.js';
import { health } from './app/health.js';
import { athleteApi, athletePage } from './pages/athlete/routes.js';
import { aboutPages } from './pages/about/routes.js';
import { boardsPages } from './pages/boards/routes.js';
import { consoleApi, consolePages } from './pages/console/routes.js';
import { homePage } from './pages/home/routes.js';
import { meApi, mePages } from './pages/me/routes.js';
import { athletesApi, athletesPages } from './athletes/routes.js';
import type { Context } from './context.js';
import { root } from './platform/root.js';
import { VillageError } from './errors.js';
import { readers, sessionReaders } from './fans/reader.js';
import { callbacks, settingsPages, signInPages } from './fans/routes.js';
import { followsApi, followsPages } from './follows/routes.js';
import { takeBacksApi, takeBacksPages } from './follows/staff.js';
import { openApi } from './openapi.js';
import { sendPage } from './platform/compress.js';
import { bearer, FormTokens, headers, sameOrigin } from './platform/guard.js';
import { ApiDoors, PageDoors, type DoorParts } from './platform/doors.js';
import { languageOf, type PageFacts } from './platform/http.js';
import type { Language } from './platform/i18n.js';
import { randomId } from './platform/ids.js';
import { answerInTime } from './platform/store-health.js';
import { sessions } from './platform/sessions.js';
import { pointsApi } from './points/routes.js';
import { registryApi, registryPages } from './registry/routes.js';
import { videosApi, videosPages } from './videos/routes.js';
import { chatsApi, chatsPages } from './village/routes.js';

/** The language of a request: its path's, else what the browser prefers, else French. */
const chooseLanguage = (req: Request): Language =>
  languageOf(req.path) ??
  (req.headers['accept-language'] !== undefined && req.acceptsLanguages('fr', 'en') === 'en'
    ? 'en'
    : 'fr');

/** The express app: a line a room. */
export function createApp(context: Context): Express {
  const {
    config,
    words,
    limits,
    athletes,
    registry,
    follows,
    points,
    videos,
    chats,
    posts,
    fans,
    tokens,
    signIn,
    views,
    metrics,
  } = context;
  const app = express();
  app.disable('x-powered-by');
  // Pages carry a nonce and what is JSON is mostly personal: a hash of each answer would find
  // nothing again. Files have tags of their own.
  app.disable('etag');
  app.set('trust proxy', config.trustProxy);
  app.set('query parser', 'simple');
  // An address has one spelling: `/EN/athletes` would be a page whose language and links are
  // another's.
  app.enable('case sensitive routing');
  const forms = new FormTokens(config.sessionSecret, config.publicUrl);
  const parts: DoorParts = { limits, forms };
  const frame = frames(context, forms);
  const origins = Object.values(config.networks).map((one) => one.pages);

  // On the prototype of every request, so that none of them pays for a function of its own.
  Object.assign(app.request, {
    async page(this: Request, template: string, facts: PageFacts, model: object) {
      const around = await frame(this, facts);
      const { res } = this;
      if (!res) return;
      if (facts.status !== undefined) res.status(facts.status);
      if (this.reader) res.set('Cache-Control', 'no-store');
      res.set('Content-Language', this.lang).type('html');
      sendPage(this, res, views.page(template, around, model));
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
  health(context, new PageDoors('', parts, app));
  const files = { immutable: true, maxAge: '1y', dotfiles: 'ignore', fallthrough: false } as const;
  app.use(
    '/assets',
    staticGzip(join(root, 'build', 'assets'), {
      enableBrotli: true,
      orderPreference: ['br', 'gz'],
      index: false,
      serveStatic: files,
    }),
  );
  // Another host name is sent to the one that cookies and callbacks are made for.
  const { host } = new URL(config.publicUrl);
  app.use((req, res, next) => {
    if (req.get('host') === host || (req.method !== 'GET' && req.method !== 'HEAD')) {
      next();
      return;
    }
    res.redirect(308, `${config.publicUrl}${req.originalUrl.replace(/^\/+/, '/')}`);
  });
  context.storeHealth.start();
  const refuse = errors(context);
  app.use(
    answerInTime(context.storeHealth, (error, req, res) => {
      refuse(error, req, res, () => undefined);
    }),
  );
  app.use(sameOrigin(config.publicUrl));
  const bySession = sessions(context.sessions, config.sessionSecret, config.publicUrl);
  const known = sessionReaders(fans);

  const rooms = { athletes, registry, follows, videos, chats, posts, words, points, fans };
  const people = {
    fans,
    signIn,
    tokens,
    limits,
    words,
    secure: config.publicUrl.startsWith('https:'),
  };
  // One router each for JSON and for pages: every router of its own that a request passes costs as
  // much as ten routes.
  const api = new ApiDoors('/api/v1', parts);
  followsApi(api, follows, athletes);
  takeBacksApi(api, follows.takeBacks);
  athletesApi(api, athletes, registry);
  athleteApi(api, rooms);
  pointsApi(api, points, athletes);
  meApi(api, rooms);
  chatsApi(api, { chats, limits });
  videosApi(api, { ...rooms, downloads: context.downloads });
  registryApi(api, registry);
  consoleApi(api, context);
  openApi(api, config.publicUrl);
  app.use('/api/v1', (req, res, next) => {
    if (bearer(req) !== null) next();
    else void bySession(req, res, next);
  });
  app.use('/api/v1', readers(fans, tokens), express.json({ limit: '64kb' }), api.router);

  const pages = new PageDoors('/:language', parts);
  homePage(pages, rooms);
  athletesPages(pages, athletes, words);
  athletePage(pages, rooms);
  mePages(pages, rooms);
  boardsPages(pages, rooms);
  chatsPages(pages, { ...rooms, limits });
  videosPages(pages, rooms);
  followsPages(pages, follows, athletes);
  takeBacksPages(pages, follows.takeBacks, fans, words);
  signInPages(pages, people);
  settingsPages(pages, people);
  registryPages(pages, rooms);
  consolePages(pages, context);
  aboutPages(pages, context);
  app.use(
    ['/fr', '/en'],
    bySession,
    known,
    express.urlencoded({ extended: false, limit: '64kb' }),
    pages.router,
  );

  const others = new PageDoors('', parts);
  callbacks(others, people);
  others.get('/', { who: 'anyone' }, (req, res) => {
    res.vary('Accept-Language').redirect(302, `/${req.lang}`);
  });
  app.use(bySession, known, others.router);
  app.use((_req, _res, next) => {
    next(new VillageError('not_found'));
  });
  app.use(refuse);
  return app;
}
