import type { RequestHandler } from 'express';
import { VillageError } from '../errors.js';
import { bearer } from '../platform/guard.js';
import type { Reader } from '../platform/http.js';
import type { FanRecord, Fans } from './service.js';
import type { ApiTokens } from './tokens.js';

const asReader = (fan: FanRecord, scopes: string[] | null): Reader => ({
  id: fan._id,
  name: fan.handle,
  roles: fan.roles,
  country: fan.country,
  scopes,
});

/** The fan behind the text of a token; null when there is none, or the fan is banned. */
export async function readerOfToken(
  fans: Fans,
  tokens: ApiTokens,
  text: string,
): Promise<Reader | null> {
  const token = await tokens.find(text);
  const fan = token && (await fans.get(token.fan));
  return fan && fan.state === 'active' ? asReader(fan, token.scopes) : null;
}

/** What a session says of itself: whose it is, of which version, and the hash of its id. */
export interface SessionClaim {
  fan: string;
  version: number;
  session: string;
}

/**
 * The fan behind a session; null when it no longer stands (signed out here or everywhere, banned,
 * other roles).
 */
export async function readerOfSession(
  fans: Fans,
  { fan: id, version, session }: SessionClaim,
): Promise<Reader | null> {
  if (!(await fans.stands(id, version, session))) return null;
  const fan = await fans.get(id);
  return fan && asReader(fan, null);
}

/** Sets `req.reader` from the session alone, which is what pages know people by. */
export function sessionReaders(fans: Fans): RequestHandler {
  return async (req, _res, next) => {
    const { fan, version } = req.session;
    // The store has just said that the session stands.
    const found = fan === undefined ? null : await fans.get(fan);
    if (found?.state === 'active' && found.version === version) req.reader = asReader(found, null);
    next();
  };
}

/**
 * Sets `req.reader` from the bearer token, or from the session where there is none. Throws
 * `bad_token` for a token nobody has.
 */
export function readers(fans: Fans, tokens: ApiTokens): RequestHandler {
  const bySession = sessionReaders(fans);
  return async (req, res, next) => {
    const token = bearer(req);
    if (token === null) {
      await bySession(req, res, next);
      return;
    }
    req.reader = await readerOfToken(fans, tokens, token);
    if (!req.reader) throw new VillageError('bad_token');
    next();
  };
}
