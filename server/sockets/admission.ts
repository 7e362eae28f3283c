import cookie from 'cookie';
import signature from 'cookie-signature';
import type { IncomingMessage } from 'node:http';
import type { Context } from '../context.js';
import { VillageError } from '../errors.js';
import { readerOfSession, readerOfToken, type SessionClaim } from '../fans/reader.js';
import type { Reader } from '../platform/http.js';
import { languageFor } from '../platform/i18n.js';
import { sha256 } from '../platform/ids.js';
import { addressKey } from '../platform/limits.js';
import { addressOf } from '../platform/server.js';
import { sessionCookie } from '../platform/sessions.js';
import type { VillageSocket } from '../village/socket.js';
import { claimsOf, setClaims } from './claims.js';

type AdmissionParts = Pick<Context, 'config' | 'fans' | 'tokens' | 'sessions' | 'limits'>;

/** Who may open a socket: a fan with a session of our own pages, or with a personal token. */
export class Admission {
  private readonly origin: string;
  private readonly cookieName: string;

  constructor(private readonly parts: AdmissionParts) {
    const { publicUrl } = parts.config;
    this.origin = new URL(publicUrl).origin;
    this.cookieName = sessionCookie(publicUrl).name;
  }

  /**
   * Decides about a handshake, before anything is read. `cors` does not cover the websocket
   * transport, so the origin is checked here (ASVS 4.4.2). Programs send a token and no origin.
   */
  handshake = (
    req: IncomingMessage,
    decide: (error: string | null, allowed: boolean) => void,
  ): void => {
    const { origin, cookie: cookies } = req.headers;
    const isOurs = origin === undefined ? cookies === undefined : origin === this.origin;
    if (!isOurs) {
      decide('origin', false);
      return;
    }
    this.parts.limits.count('handshake', addressKey(addressOf(req))).then(
      () => {
        decide(null, true);
      },
      () => {
        decide('limit', false);
      },
    );
  };

  /** The session that a cookie names, or null where there is none or its signature is not ours. */
  private async sessionOf(cookies: string | undefined): Promise<SessionClaim | null> {
    const { config, sessions } = this.parts;
    const signed = cookie.parse(cookies ?? '')[this.cookieName];
    if (!signed?.startsWith('s:')) return null;
    const id = signature.unsign(signed.slice(2), config.sessionSecret);
    const data = id ? await sessions.read(id) : null;
    if (!id || !data?.fan) return null;
    return { session: sha256(id), fan: data.fan, version: data.version ?? 0 };
  }

  /**
   * Finds out who opens a socket, and notes it there. Throws `bad_token`, `not_signed_in`,
   * `rate_limited`.
   */
  async admit(socket: VillageSocket, cookies: string | undefined): Promise<void> {
    const { fans, tokens, limits } = this.parts;
    const { token: given, lang } = socket.handshake.auth as { token?: unknown; lang?: unknown };
    const token = typeof given === 'string' ? given : null;
    const session = token === null ? await this.sessionOf(cookies) : null;
    const reader =
      token === null
        ? session && (await readerOfSession(fans, session))
        : await readerOfToken(fans, tokens, token);
    if (!reader) throw new VillageError(token === null ? 'not_signed_in' : 'bad_token');
    await limits.count('connect', reader.id);
    setClaims(socket, {
      fan: reader.id,
      session: session?.session ?? null,
      version: session?.version ?? 0,
      token,
      scopes: reader.scopes,
      lang: languageFor(lang),
    });
  }

  /** Who a socket is now; null once they may not be here any more. */
  reader = async (socket: VillageSocket): Promise<Reader | null> => {
    const { fans, tokens } = this.parts;
    const { token, fan, version, session } = claimsOf(socket);
    return token === null
      ? readerOfSession(fans, { fan, version, session: session ?? '' })
      : readerOfToken(fans, tokens, token);
  };
}
