import type { Language } from '../platform/i18n.js';
import type { VillageSocket } from '../village/socket.js';

/**
 * What a socket says it is, as it was found true when it came in. What it stands on is asked again
 * and again (`Footing`).
 */
export interface Claims {
  fan: string;
  /** The session it came by, hashed, and the fan's version in it; or the text of a token. */
  session: string | null;
  version: number;
  token: string | null;
  /** Null for a session, which hears all that its fan may; else the scopes of the token. */
  scopes: string[] | null;
  lang: Language;
}

/** The claims of a socket that was let in. */
export const claimsOf = (socket: VillageSocket): Claims =>
  (socket.data as { claims: Claims }).claims;

export const setClaims = (socket: VillageSocket, claims: Claims): void => {
  (socket.data as { claims: Claims }).claims = claims;
};
