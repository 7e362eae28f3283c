import type { ErrorRequestHandler } from 'express';
import type { Context } from '../context.js';
import { InputError, VillageError, type FieldIssue } from '../errors.js';
import { NetworkError } from '../networks/network.js';
import { isStoreAway } from '../platform/mongo.js';
import { bareFrame } from './frame.js';

function asVillageError(error: unknown): VillageError {
  if (error instanceof VillageError) return error;
  if (isStoreAway(error)) return new VillageError('unavailable', { seconds: 2 });
  if (error instanceof NetworkError)
    return new VillageError('network_down', { network: error.network });
  // The parsers of bodies and the sender of files speak in states of HTTP.
  const { status } = error as { status?: number };
  if (status === 404) return new VillageError('not_found');
  if (status === 413) return new VillageError('too_large', { limit: 65_536 });
  if (status === 415) return new VillageError('unsupported_media');
  if (status !== undefined && status >= 400 && status < 500)
    return new VillageError('bad_input', { field: 'body' });
  return new VillageError('internal');
}

/**
 * One place where an error becomes an answer: a problem document (RFC 9457) or a page, never a
 * stack (ASVS 16.5.1).
 */
export function errors(context: Context): ErrorRequestHandler {
  const { words, log } = context;
  return (raw: unknown, req, res, next) => {
    if (res.headersSent) {
      // Answered already, by a deadline: this comes too late to matter. One that breaks off in its
      // midst is cut.
      if (res.writableEnded)
        log.debug({ err: raw, request: req.requestId }, 'a request failed after its answer');
      else next(raw);
      return;
    }
    const error = asVillageError(raw);
    const lang = (req.lang as 'fr' | 'en' | undefined) ?? 'fr';
    if (error.id === 'internal')
      log.error({ err: raw, request: req.requestId, path: req.path }, 'a request failed');
    if (error.status === 503 || error.status === 429)
      res.set('Retry-After', String(error.params['seconds'] ?? 2));
    // What was about to be sent instead may have said how it is packed, and which part of it comes.
    for (const name of [
      'Content-Encoding',
      'Content-Range',
      'Accept-Ranges',
      'Content-Disposition',
    ])
      res.removeHeader(name);
    if (error.id === 'bad_range')
      res.set('Content-Range', `bytes */${String(error.params['length'])}`);
    if (error.id === 'bad_token') res.set('WWW-Authenticate', 'Bearer error="invalid_token"');
    res.set('Cache-Control', 'no-store').status(error.status);
    const params = {
      ...error.params,
      ...('network' in error.params && error.params['network']
        ? { network: words.t(lang, `networks.${String(error.params['network'])}`) }
        : {}),
    };
    const title = words.t(lang, `errors.${error.id}.title`, params);
    const detail = words.t(lang, `errors.${error.id}.text`, params);
    const issues =
      error instanceof InputError
        ? error.issues
        : ((error.extra['issues'] as { path: string; issue: string }[] | undefined) ?? []);
    // Not `path`: a request that is answered while a router has it bears what is left of it.
    if (req.originalUrl.startsWith('/api/')) {
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
    // Even the frame of a page needs a store: when that is away, a page of nothing but words.
    const bare = (): void => {
      res
        .type('html')
        .send(
          context.views.page(
            'error',
            bareFrame(lang, req.originalUrl, title, (res.locals['nonce'] ?? '') as string),
            model,
          ),
        );
    };
    if (error.id === 'unavailable') bare();
    else
      req
        .page('error', { title, status: error.status, robots: false }, model)
        .catch((again: unknown) => {
          log.debug({ err: again }, 'the error page itself failed');
          bare();
        });
  };
}
