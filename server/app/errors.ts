import type { ErrorRequestHandler, Request, Response } from 'express';
import type { Context } from '../context.js';
import type { VillageError } from '../errors.js';
import type { Language } from '../platform/i18n.js';
import { bareFrame } from './frame.js';
import { asVillageError, problemOf, wordsOf } from './problem.js';

/** Headers that spoke of the answer that was to be sent instead of the error. */
const OF_THE_ANSWER = ['Content-Encoding', 'Content-Range', 'Accept-Ranges', 'Content-Disposition'];

function setHeaders(res: Response, { id, status, params }: VillageError): void {
  for (const name of OF_THE_ANSWER) res.removeHeader(name);
  res.set('Cache-Control', 'no-store').status(status);
  if (status === 503 || status === 429) res.set('Retry-After', String(params['seconds'] ?? 2));
  if (id === 'bad_range') res.set('Content-Range', `bytes */${String(params['length'])}`);
  if (id === 'bad_token') res.set('WWW-Authenticate', 'Bearer error="invalid_token"');
}

/** Answers with a page; where even its frame needs a store that is away, with nothing but words. */
function sendErrorPage(
  { words, views, log }: Context,
  { error, lang }: { error: VillageError; lang: Language },
  req: Request,
  res: Response,
): void {
  const { title, detail } = wordsOf(words, lang, error);
  const model = {
    id: error.id,
    status: error.status,
    heading: title,
    detail,
    request: req.requestId,
    retry: error.status >= 500 || error.status === 429,
    signIn: error.id.startsWith('login_') || error.id === 'not_signed_in',
  };
  const sendBare = (): void => {
    const nonce = (res.locals['nonce'] ?? '') as string;
    const frame = bareFrame(lang, req.originalUrl, title, nonce);
    res.type('html').send(views.page('error', frame, model));
  };
  if (error.id === 'unavailable') {
    sendBare();
    return;
  }
  req
    .page('error', { title, status: error.status, robots: false }, model)
    .catch((second: unknown) => {
      log.debug({ err: second }, 'the error page itself failed');
      sendBare();
    });
}

/**
 * Turns an error into an answer, the one place that does: a problem document (RFC 9457) or a page,
 * never a stack (ASVS 16.5.1).
 */
export function errors(context: Context): ErrorRequestHandler {
  const { words, log } = context;
  return (thrown: unknown, req, res, next) => {
    if (res.headersSent) {
      // A deadline has answered already, and this comes too late to matter. An answer that breaks
      // off in its midst is cut.
      if (res.writableEnded)
        log.debug({ err: thrown, request: req.requestId }, 'a request failed after its answer');
      else next(thrown);
      return;
    }
    const error = asVillageError(thrown);
    const lang = (req.lang as Language | undefined) ?? 'fr';
    if (error.id === 'internal')
      log.error({ err: thrown, request: req.requestId, path: req.path }, 'a request failed');
    setHeaders(res, error);
    // Not `path`: inside a router that holds only what is left of the address.
    if (req.originalUrl.startsWith('/api/'))
      res
        .type('application/problem+json')
        .send(JSON.stringify(problemOf(words, lang, error, req.requestId)));
    else if (error.id === 'not_signed_in' && req.method === 'GET')
      res.redirect(303, `/${lang}/sign-in?returnTo=${encodeURIComponent(req.originalUrl)}`);
    else sendErrorPage(context, { error, lang }, req, res);
  };
}
