import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { csrfSync } from 'csrf-sync';
import helmet, { type HelmetOptions } from 'helmet';
import { VillageError } from '../errors.js';
import { randomId } from './ids.js';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses unsafe requests that another site made the browser send (ASVS 3.5.1 to 3.5.3): `Sec-Fetch-Site` must say same-origin or
 * none, else `Origin` must be ours; a request with neither and a cookie is refused. Bearer requests carry no cookie's authority.
 */
export function sameOrigin(publicUrl: string): RequestHandler {
  const ours = new URL(publicUrl).origin;
  return (req: Request, _res: Response, next: NextFunction) => {
    if (SAFE.has(req.method) || bearer(req) !== null) {
      next();
      return;
    }
    const site = req.get('sec-fetch-site');
    const origin = req.get('origin');
    const fine =
      site !== undefined
        ? (site === 'same-origin' || site === 'none') && (origin === undefined || origin === ours)
        : origin !== undefined
          ? origin === ours
          : req.get('cookie') === undefined;
    if (fine) next();
    else next(new VillageError('foreign_request'));
  };
}

/** The token of an `Authorization: Bearer` header (RFC 6750, 2.1), or null. */
export function bearer(req: Request): string | null {
  const match = /^Bearer ([\w.~+/-]+=*)$/i.exec(req.get('authorization') ?? '');
  return match?.[1] ?? null;
}

const csrf = csrfSync({
  getTokenFromRequest: (req) => (req.body as { csrf?: string } | undefined)?.csrf ?? req.get('x-csrf-token'),
  getTokenFromState: (req) => req.session.csrfToken,
  storeTokenInState: (req, token) => {
    if (typeof token === 'string') req.session.csrfToken = token;
  },
  size: 32,
});

/** The token that forms of this session carry as `csrf` (ASVS 3.5.1); made at its first use. */
export const csrfToken = (req: Request): string => csrf.generateToken(req);

/** Second layer behind `sameOrigin`: an unsafe request with a cookie must carry the session's token. */
export const csrfCheck: RequestHandler = (req, _res, next) => {
  if (SAFE.has(req.method) || bearer(req) !== null) {
    next();
    return;
  }
  if (csrf.isRequestValid(req)) next();
  else next(new VillageError('foreign_request'));
};

const NONCE = 'NONCE';

/** The headers that helmet sets, asked for once: they are the same for every answer, but for the nonce. */
function fixedHeaders(options: HelmetOptions): [name: string, value: string][] {
  const request = new IncomingMessage(new Socket());
  const response = new ServerResponse(request);
  helmet(options)(request, response, (error?: unknown) => {
    if (error instanceof Error) throw error;
  });
  return Object.entries(response.getHeaders()).map(([name, value]) => [name, String(value)]);
}

/**
 * The headers of ASVS 3.4 on every answer, with a fresh nonce each. A sign-in form is answered by a redirect to its network, which
 * `form-action` must allow.
 */
export function headers(publicUrl: string, signInOrigins: string[]): RequestHandler {
  const secure = publicUrl.startsWith('https:');
  const fixed = fixedHeaders({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'", `'nonce-${NONCE}'`],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        fontSrc: ["'self'"],
        mediaSrc: ["'self'"],
        connectSrc: ["'self'", publicUrl.replace(/^http/, 'ws')],
        manifestSrc: ["'self'"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'", ...signInOrigins],
        frameAncestors: ["'none'"],
        ...(secure ? { upgradeInsecureRequests: [] } : {}),
      },
    },
    strictTransportSecurity: secure ? { maxAge: 31_536_000, includeSubDomains: true } : false,
    referrerPolicy: { policy: 'strict-origin-when-cross-origin' },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
  });
  const policy = fixed.find(([name]) => name === 'content-security-policy')?.[1] ?? '';
  const others = fixed.filter(([name]) => name !== 'content-security-policy');
  return (_req, res, next) => {
    const nonce = randomId();
    res.locals['nonce'] = nonce;
    res.setHeader('content-security-policy', policy.replace(NONCE, nonce));
    for (const [name, value] of others) res.setHeader(name, value);
    next();
  };
}

/** Only a path of ours: one leading slash, no second, no backslash, no control character, also after decoding (ASVS 3.7.2). */
export function safeReturn(path: unknown, fallback: string): string {
  if (typeof path !== 'string' || path === '' || path.length > 500) return fallback;
  let plain = path;
  try {
    plain = decodeURIComponent(path);
  } catch {
    return fallback;
  }

  const bad = /^[^/]|^\/[/\\]|[\\\u0000-\u001f\u007f]/;
  return bad.test(path) || bad.test(plain) ? fallback : path;
}
