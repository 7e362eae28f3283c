import type { Language } from '../platform/i18n.js';
import type { VillageSocket } from '../village/socket.js';

/** Who opened a socket and by what, as found true when it was let in (see `Revalidation`). */
export interface Claims {
  fan: string;
  /** The session it was opened by, hashed, with the fan's version in it; or the text of a token. */
  session: string | null;
  version: number;
  token: string | null;
  /** Null for a session, which hears all that its fan may; else the scopes of the token. */
  scopes: string[] | null;
  lang: Language;
}

/** Answers the claims of a socket that was let in. */
export const claimsOf = (socket: VillageSocket): Claims =>
  (socket.data as { claims: Claims }).claims;

/** Notes the claims of a socket that is being let in. */
export const setClaims = (socket: VillageSocket, claims: Claims): void => {
  (socket.data as { claims: Claims }).claims = claims;
};
