import { createHash } from 'node:crypto';
import { secret, type Network, type Person, type World } from './world.js';

export interface Grant {
  person: string;
  scopes: string[];
  family: string;
  kind: 'access' | 'refresh' | 'app';
  expires: number;
  live: boolean;
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
export class OAuthFault extends Error {
  constructor(
    readonly error: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Codes are single use for a minute, refresh tokens rotate, and one that is used twice ends its
 * whole family (RFC 9700, 4.14.2).
 */
export class OAuth {
  private readonly codes = new Map<string, Code>();
  /** Tokens, kept with the world: a network does not forget them because it was restarted. */
  readonly grants: Map<string, Grant>;

  constructor(
    readonly network: Network,
    private readonly world: World,
    readonly client: { id: string; secret: string },
    readonly redirects: Set<string>,
  ) {
    this.grants = world.grants[network];
  }

  checkRedirect(uri: string): boolean {
    return this.redirects.has(uri);
  }

  code(
    person: Person,
    input: { redirectUri: string; scopes: string[]; challenge: string | null },
  ): string {
    const code = secret();
    this.codes.set(code, {
      person: person.handle,
      ...input,
      expires: this.world.now().getTime() + 60_000,
      used: false,
      family: secret(8),
    });
    return code;
  }

  exchange(
    code: string,
    redirectUri: string,
    verifier: string | null,
  ): { grant: Grant; access: string; refresh: string } {
    const found = this.codes.get(code);
    if (!found || found.expires < this.world.now().getTime())
      throw new OAuthFault('invalid_grant', 'Value passed for the authorization code was invalid.');
    if (found.used) {
      this.end(found.family);
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
    return this.issue(found.person, found.scopes, found.family, 7200);
  }

  issue(
    person: string,
    scopes: string[],
    family: string,
    seconds: number,
  ): { grant: Grant; access: string; refresh: string } {
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

  refresh(token: string): { grant: Grant; access: string; refresh: string } {
    const found = this.grants.get(token);
    if (!found || found.kind !== 'refresh')
      throw new OAuthFault('invalid_request', 'Value passed for the token was invalid.');
    if (!found.live) {
      this.end(found.family);
      throw new OAuthFault('invalid_request', 'Value passed for the token was invalid.');
    }
    found.live = false;
    return this.issue(found.person, found.scopes, found.family, 7200);
  }

  app(): string {
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

  /** The live grant behind a token, or null; `expired` tells why. */
  find(token: string): { grant: Grant | null; expired: boolean } {
    const grant = this.grants.get(token);
    if (!grant || !grant.live || grant.kind === 'refresh') return { grant: null, expired: false };
    return grant.expires < this.world.now().getTime()
      ? { grant: null, expired: true }
      : { grant, expired: false };
  }

  end(family: string): void {
    for (const grant of this.grants.values()) if (grant.family === family) grant.live = false;
    this.world.save();
  }
  endPerson(person: string): void {
    for (const grant of this.grants.values()) if (grant.person === person) grant.live = false;
  }
}
