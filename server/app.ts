import express, { type Express, type Request, type RequestHandler, type Router } from 'express';
import staticGzip from 'express-static-gzip';
import { join } from 'node:path';
import { errors } from './app/errors.js';
import { frames } from './app/frame.js';
import { health } from './app/health.js';
import { athletesApi, athletesPages } from './athletes/routes.js';
import type { Context } from './context.js';
import { VillageError } from './errors.js';
import { readers, sessionReaders } from './fans/reader.js';
import { callbacks, settingsPages, signInPages } from './fans/routes.js';
import { followsApi, followsPages } from './follows/routes.js';
import { takeBacksApi, takeBacksPages } from './follows/staff.js';
import { openApi } from './openapi.js';
import { aboutPages } from './pages/about/routes.js';
import { athleteApi, athletePage } from './pages/athlete/routes.js';
import { boardsPages } from './pages/boards/routes.js';
import { consoleApi, consolePages } from './pages/console/routes.js';
import { homePage } from './pages/home/routes.js';
import { meApi, mePages } from './pages/me/routes.js';
import { sendPage } from './platform/compress.js';
import { ApiDoors, PageDoors, type DoorParts } from './platform/doors.js';
import { bearer, FormTokens, headers, sameOrigin } from './platform/guard.js';
import { languageOf, type PageFacts } from './platform/http.js';
import type { Language } from './platform/i18n.js';
import { randomId } from './platform/ids.js';
import { root } from './platform/root.js';
import { sessions } from './platform/sessions.js';
import { answerInTime } from './platform/store-health.js';
import { pointsApi } from './points/routes.js';
import { registryApi, registryPages } from './registry/routes.js';
import { videosApi, videosPages } from './videos/routes.js';
import { chatsApi, chatsPages } from './village/routes.js';

const BODY_LIMIT = '64kb';

/** The doors of every room under `/api/v1`: a line a room, and the description of them all. */
function apiRouter(context: Context, parts: DoorParts): Router {
  const api = new ApiDoors('/api/v1', parts);
  followsApi(api, context);
  takeBacksApi(api, context);
  athletesApi(api, context);
  athleteApi(api, context);
  pointsApi(api, context);
  meApi(api, context);
  chatsApi(api, context);
  videosApi(api, context);
  registryApi(api, context);
  consoleApi(api, context);
  openApi(api, context.config.publicUrl);
  return api.router;
}

/** The pages of every room under `/fr` and `/en`: a line a room. */
function pageRouter(context: Context, parts: DoorParts): Router {
  const pages = new PageDoors('/:language', parts);
  homePage(pages, context);
  athletesPages(pages, context);
  athletePage(pages, context);
  mePages(pages, context);
  boardsPages(pages, context);
  chatsPages(pages, context);
  videosPages(pages, context);
  followsPages(pages, context);
  takeBacksPages(pages, context);
  signInPages(pages, context);
  settingsPages(pages, context);
  registryPages(pages, context);
  consolePages(pages, context);
  aboutPages(pages, context);
  return pages.router;
}

/** Addresses without a language: where networks send people back, and the root. */
function rootRouter(context: Context, parts: DoorParts): Router {
  const others = new PageDoors('', parts);
  callbacks(others, context);
  others.get('/', { who: 'anyone' }, (req, res) => {
    res.vary('Accept-Language').redirect(302, `/${req.lang}`);
  });
  return others.router;
}

/** The language of a request: its path's, else what the browser prefers, else French. */
function chooseLanguage(req: Request): Language {
  const ofPath = languageOf(req.path);
  if (ofPath) return ofPath;
  const isAsked = req.headers['accept-language'] !== undefined;
  return isAsked && req.acceptsLanguages('fr', 'en') === 'en' ? 'en' : 'fr';
}

/** Begins a request: its id and language, and the time that it takes. */
const begin =
  ({ metrics }: Context): RequestHandler =>
  (req, res, next) => {
    req.requestId = randomId();
    req.reader = null;
    req.lang = chooseLanguage(req);
    const begun = performance.now();
    res.once('finish', () => {
      metrics.request(req.method, res.statusCode, performance.now() - begun);
    });
    next();
  };

/** Sends visitors of another host name to the one that cookies and callbacks are made for. */
function canonicalHost(publicUrl: string): RequestHandler {
  const { host } = new URL(publicUrl);
  return (req, res, next) => {
    if (req.get('host') === host || (req.method !== 'GET' && req.method !== 'HEAD')) {
      next();
      return;
    }
    res.redirect(308, `${publicUrl}${req.originalUrl.replace(/^\/+/, '/')}`);
  };
}

/** The built files: their names change with what is in them, so they are kept for ever. */
const assets = (): RequestHandler =>
  staticGzip(join(root, 'build', 'assets'), {
    enableBrotli: true,
    orderPreference: ['br', 'gz'],
    index: false,
    serveStatic: { immutable: true, maxAge: '1y', dotfiles: 'ignore', fallthrough: false },
  });

/** Gives every request `page()`, which answers with a template in the frame of a page. */
function addPages(app: Express, context: Context, forms: FormTokens): void {
  const frame = frames(context, forms);
  // On the prototype of every request, so that none of them pays for a function of its own.
  Object.assign(app.request, {
    async page(this: Request, template: string, facts: PageFacts, model: object) {
      const around = await frame(this, facts);
      const { res } = this;
      if (!res) return;
      if (facts.status !== undefined) res.status(facts.status);
      if (this.reader) res.set('Cache-Control', 'no-store');
      res.set('Content-Language', this.lang).type('html');
      sendPage(this, res, context.views.page(template, around, model));
    },
  });
}

function configure(app: Express, { config }: Context): void {
  app.disable('x-powered-by');
  // Pages carry a nonce and JSON is mostly personal: a hash of each answer would find nothing
  // again. Files have tags of their own.
  app.disable('etag');
  app.set('trust proxy', config.trustProxy);
  app.set('query parser', 'simple');
  // An address has one spelling: `/EN/athletes` would be a page whose language and links are
  // another's.
  app.enable('case sensitive routing');
}

/** Builds the express app: what every request passes, in order, then the doors of the rooms. */
export function createApp(context: Context): Express {
  const { config, fans, tokens } = context;
  const { publicUrl } = config;
  const app = express();
  configure(app, context);
  const forms = new FormTokens(config.sessionSecret, publicUrl);
  const parts: DoorParts = { limits: context.limits, forms };
  const answerError = errors(context);
  const networkPages = Object.values(config.networks).map((network) => network.pages);
  addPages(app, context, forms);

  app.use(begin(context));
  app.use(headers(publicUrl, networkPages));
  health(context, new PageDoors('', parts, app));
  app.use('/assets', assets());
  app.use(canonicalHost(publicUrl));
  context.storeHealth.start();
  app.use(
    answerInTime(context.storeHealth, (error, req, res) => {
      answerError(error, req, res, () => undefined);
    }),
  );
  app.use(sameOrigin(publicUrl));

  const session = sessions(context.sessions, config.sessionSecret, publicUrl);
  const reader = sessionReaders(fans);
  const sessionUnlessToken: RequestHandler = (req, res, next) => {
    if (bearer(req) !== null) next();
    else void session(req, res, next);
  };
  // One router each for JSON and for pages: every router of its own that a request passes costs as
  // much as ten routes.
  app.use(
    '/api/v1',
    sessionUnlessToken,
    readers(fans, tokens),
    express.json({ limit: BODY_LIMIT }),
    apiRouter(context, parts),
  );
  const form = express.urlencoded({ extended: false, limit: BODY_LIMIT });
  app.use(['/fr', '/en'], session, reader, form, pageRouter(context, parts));
  app.use(session, reader, rootRouter(context, parts));
  app.use((_req, _res, next) => {
    next(new VillageError('not_found'));
  });
  app.use(answerError);
  return app;
}
