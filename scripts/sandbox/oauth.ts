import { createHash } from 'node:crypto';
import type { Grant, Network, Person } from './records.js';
import { secret } from './secret.js';
import type { World } from './world.js';

/** A grant with its two tokens. */
export interface Issued {
  grant: Grant;
  access: string;
  refresh: string;
}
interface Code {
  person: string;
  redirectUri: string;
  scopes: string[];
  challenge: string | null;
  expires: number;
  used: boolean;
  family: string;
}
/** A refusal, with the error code of RFC 6749, 5.2. */
export class OAuthFault extends Error {
  constructor(
    readonly error: string,
    message: string,
  ) {
    super(message);
  }
}

const CODE_MS = 60_000;
const ACCESS_SECONDS = 7200;

/**
 * The authorization server of a network. A code serves once, within a minute; refresh tokens
 * rotate, and using one of either twice ends its whole family (RFC 9700, 4.14.2).
 */
export class OAuth {
  private readonly codes = new Map<string, Code>();
  /** What each token stands for; kept with the world, so that tokens outlast a restart. */
  readonly grants: Map<string, Grant>;

  constructor(
    readonly network: Network,
    private readonly world: World,
    readonly client: { id: string; secret: string },
    readonly redirects: Set<string>,
  ) {
    this.grants = world.grants[network];
  }

  /** Whether the client may be sent back to this address. */
  allowsRedirect(uri: string): boolean {
    return this.redirects.has(uri);
  }

  /** Issues the code that the browser carries back after a consent. */
  issueCode(
    person: Person,
    input: { redirectUri: string; scopes: string[]; challenge: string | null },
  ): string {
    const code = secret();
    this.codes.set(code, {
      person: person.handle,
      ...input,
      expires: this.world.now().getTime() + CODE_MS,
      used: false,
      family: secret(8),
    });
    return code;
  }

  /** Exchanges a code for tokens. Throws an OAuthFault when it does not fit the consent. */
  exchange(code: string, redirectUri: string, verifier: string | null): Issued {
    const found = this.codes.get(code);
    if (!found || found.expires < this.world.now().getTime())
      throw new OAuthFault('invalid_grant', 'Value passed for the authorization code was invalid.');
    if (found.used) {
      this.endFamily(found.family);
      throw new OAuthFault('invalid_grant', 'The code was used already.');
    }
    if (found.redirectUri !== redirectUri)
      throw new OAuthFault('invalid_request', 'Value passed for the redirect uri did not match.');
    if (
      found.challenge !== null &&
      createHash('sha256')
        .update(verifier ?? '')
        .digest('base64url') !== found.challenge
    )
      throw new OAuthFault(
        'invalid_request',
        'Value passed for the code verifier did not match the code challenge.',
      );
    found.used = true;
    return this.issue(found.person, found.scopes, found.family, ACCESS_SECONDS);
  }

  /** Issues tokens straight, without a consent page. */
  issue(person: string, scopes: string[], family: string, seconds: number): Issued {
    const access = secret();
    const refresh = secret();
    const grant: Grant = {
      person,
      scopes,
      family,
      kind: 'access',
      expires: this.world.now().getTime() + seconds * 1000,
      live: true,
    };
    this.grants.set(access, grant);
    this.grants.set(refresh, { ...grant, kind: 'refresh', expires: Number.MAX_SAFE_INTEGER });
    this.world.save();
    return { grant, access, refresh };
  }

  /** Exchanges a refresh token for new tokens. Throws an OAuthFault when it is not live. */
  refresh(token: string): Issued {
    const found = this.grants.get(token);
    if (!found || found.kind !== 'refresh')
      throw new OAuthFault('invalid_request', 'Value passed for the token was invalid.');
    if (!found.live) {
      this.endFamily(found.family);
      throw new OAuthFault('invalid_request', 'Value passed for the token was invalid.');
    }
    found.live = false;
    return this.issue(found.person, found.scopes, found.family, ACCESS_SECONDS);
  }

  /** Issues a token of the client itself, which never expires. */
  issueAppToken(): string {
    const token = secret();
    this.grants.set(token, {
      person: '',
      scopes: [],
      family: token,
      kind: 'app',
      expires: Number.MAX_SAFE_INTEGER,
      live: true,
    });
    return token;
  }

  /** Finds the live grant behind an access token; without one `expired` says whether it was. */
  find(token: string): { grant: Grant | null; expired: boolean } {
    const grant = this.grants.get(token);
    if (!grant || !grant.live || grant.kind === 'refresh') return { grant: null, expired: false };
    return grant.expires < this.world.now().getTime()
      ? { grant: null, expired: true }
      : { grant, expired: false };
  }

  /** Ends all tokens of a family. */
  endFamily(family: string): void {
    for (const grant of this.grants.values()) if (grant.family === family) grant.live = false;
    this.world.save();
  }

  /** Ends all tokens of a person. */
  endPerson(person: string): void {
    for (const grant of this.grants.values()) if (grant.person === person) grant.live = false;
  }
}
