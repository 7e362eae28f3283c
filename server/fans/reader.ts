import type { RequestHandler } from 'express';
import { VillageError } from '../errors.js';
import { bearer } from '../platform/guard.js';
import type { Reader } from '../platform/http.js';
import type { FanRecord, Fans } from './service.js';
import type { ApiTokens } from './tokens.js';

const asReader = (fan: FanRecord, scopes: string[] | null): Reader => ({ id: fan._id, name: fan.handle, roles: fan.roles, country: fan.country, scopes });

/** The fan behind a token's text, or null. Banned fans have none. */
export async function readerOfToken(fans: Fans, tokens: ApiTokens, text: string): Promise<Reader | null> {
  const token = await tokens.find(text);
  const fan = token && (await fans.get(token.fan));
  return fan && fan.state === 'active' ? asReader(fan, token.scopes) : null;
}

/** The fan behind a session, or null when the fan's version has moved on (signed out everywhere, banned, other roles). */
export async function readerOfSession(fans: Fans, session: { fan?: string; version?: number } | null): Promise<Reader | null> {
  if (!session?.fan) return null;
  const fan = await fans.get(session.fan);
  return fan && fan.state === 'active' && fan.version === session.version ? asReader(fan, null) : null;
}

/** Sets `req.reader` from the bearer token or the session. Throws `bad_token` for a token nobody has. */
export function readers(fans: Fans, tokens: ApiTokens): RequestHandler {
  return async (req, _res, next) => {
    const token = bearer(req);
    if (token !== null) {
      req.reader = await readerOfToken(fans, tokens, token);
      if (!req.reader) throw new VillageError('bad_token');
    } else {
      // Tokens' requests carry no session at all.
      const session = req.session as typeof req.session | undefined;
      req.reader = await readerOfSession(fans, session ?? null);
      if (session?.fan && !req.reader) {
        Reflect.deleteProperty(session, 'fan');
        Reflect.deleteProperty(session, 'version');
      }
    }
    next();
  };
}
