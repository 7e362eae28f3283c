import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import cookie from 'cookie';
import helmet, { type HelmetOptions } from 'helmet';
import { VillageError } from '../errors.js';
import { randomId } from './ids.js';

/** The methods that change nothing (RFC 9110, 9.2.1). */
export const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses unsafe requests that another site made the browser send (ASVS 3.5.1 to 3.5.3):
 * `Sec-Fetch-Site` must say same-origin or none, else `Origin` must be ours; a request with neither
 * and a cookie is refused. Under `/api/` a bearer token is the only authority, which no site can
 * make a browser send.
 */
export function sameOrigin(publicUrl: string): RequestHandler {
  const ourOrigin = new URL(publicUrl).origin;
  return (req: Request, _res: Response, next: NextFunction) => {
    if (SAFE.has(req.method) || (req.path.startsWith('/api/') && bearer(req) !== null)) {
      next();
      return;
    }
    const site = req.get('sec-fetch-site');
    const origin = req.get('origin');
    const isOurs =
      site !== undefined
        ? (site === 'same-origin' || site === 'none') &&
          (origin === undefined || origin === ourOrigin)
        : origin !== undefined
          ? origin === ourOrigin
          : req.get('cookie') === undefined;
    if (isOurs) next();
    else next(new VillageError('foreign_request'));
  };
}

/** The token of an `Authorization: Bearer` header (RFC 6750, 2.1), or null. */
export function bearer(req: Request): string | null {
  const match = /^Bearer ([\w.~+/-]+=*)$/i.exec(req.get('authorization') ?? '');
  return match?.[1] ?? null;
}

/** Bytes of a token's two parts. */
const SALT = 16;
const MAC = 32;

/**
 * Makes and checks the tokens that forms carry as `csrf`, the second layer behind `sameOrigin`
 * (ASVS 3.5.1). A token is a fresh salt and the HMAC of salt and owner: nothing is stored for it,
 * and no two pages hold the same, so that compression beside reflected input reveals nothing
 * (BREACH). Its owner is the session of whoever has proved who they are, else a random cookie that
 * the browser gets with its first form (a signed double submit; `__Host-` under https, so that no
 * sibling site can plant one).
 */
export class FormTokens {
  private readonly key: Buffer;
  private readonly cookieName: string;
  private readonly secure: boolean;

  constructor(secret: string, publicUrl: string) {
    const { protocol, port } = new URL(publicUrl);
    this.secure = protocol === 'https:';
    this.cookieName = this.secure ? '__Host-village-form' : `village-form-${port || '80'}`;
    this.key = createHmac('sha256', secret).update('form tokens').digest();
  }

  private ownerOf(req: Request): string | null {
    const session = req.session as Request['session'] | undefined;
    if (session && (session.fan !== undefined || session.newcomer !== undefined))
      return `session:${req.sessionID}`;
    const kept = cookie.parse(req.get('cookie') ?? '')[this.cookieName];
    return kept === undefined ? null : `visitor:${kept}`;
  }

  private mac(salt: Buffer, owner: string): Buffer {
    return createHmac('sha256', this.key).update(salt).update(owner).digest();
  }

  /**
   * Makes a token for a form of this answer, whose head must not have been sent yet: a visitor who
   * has no cookie is given one.
   */
  make(req: Request): string {
    let owner = this.ownerOf(req);
    if (owner === null) {
      const kept = randomBytes(18).toString('base64url');
      owner = `visitor:${kept}`;
      req.res?.cookie(this.cookieName, kept, {
        httpOnly: true,
        sameSite: 'lax',
        path: '/',
        secure: this.secure,
      });
      // The page is now this visitor's own: no cache may hand it to the next.
      if (req.res?.get('Cache-Control') === undefined)
        req.res?.set('Cache-Control', 'private, no-cache');
    }
    const salt = randomBytes(SALT);
    return Buffer.concat([salt, this.mac(salt, owner)]).toString('base64url');
  }

  /** Whether a request carries a token made for its sender, in its body or as `x-csrf-token`. */
  isValid(req: Request): boolean {
    const sent = (req.body as { csrf?: unknown } | undefined)?.csrf ?? req.get('x-csrf-token');
    const owner = this.ownerOf(req);
    if (typeof sent !== 'string' || owner === null) return false;
    const token = Buffer.from(sent, 'base64url');
    return (
      token.length === SALT + MAC &&
      timingSafeEqual(token.subarray(SALT), this.mac(token.subarray(0, SALT), owner))
    );
  }
}

const NONCE = 'NONCE';

/** The headers that helmet sets. Asked for once: but for the nonce they are always the same. */
function fixedHeaders(options: HelmetOptions): [name: string, value: string][] {
  const request = new IncomingMessage(new Socket());
  const response = new ServerResponse(request);
  helmet(options)(request, response, (error?: unknown) => {
    if (error instanceof Error) throw error;
  });
  return Object.entries(response.getHeaders()).map(([name, value]) => [name, String(value)]);
}

/**
 * Sets the headers of ASVS 3.4 on every answer, each with a fresh nonce. A sign-in form is answered
 * by a redirect to its network, which `form-action` must allow.
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

/**
 * The path to return to if it is one of ours, else `fallback`. Ours begins with a single slash and
 * holds no backslash and no control character, also when it is decoded (ASVS 3.7.2).
 */
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
