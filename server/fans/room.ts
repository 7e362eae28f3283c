import type { Networks } from '../networks/service.js';
import type { Platform } from '../platform/platform.js';
import { TokenVault } from '../platform/secrets.js';
import { Identities } from './identities.js';
import { Names } from './names.js';
import { Fans } from './service.js';
import { SignIn } from './sign-in.js';
import { ApiTokens } from './tokens.js';

/** The people of the hub, how they sign in, and their personal API tokens. */
export function createFans(
  {
    config,
    connection,
    leases,
    clock,
    words,
    sessions,
    audit,
    bus,
    settings,
  }: Pick<
    Platform,
    | 'config'
    | 'connection'
    | 'leases'
    | 'clock'
    | 'words'
    | 'sessions'
    | 'audit'
    | 'bus'
    | 'settings'
  >,
  { networks }: { networks: Networks },
): { fans: Fans; tokens: ApiTokens; signIn: SignIn } {
  const vault = new TokenVault(config.tokenKeys);
  const identities = new Identities(connection, vault, networks, leases, clock);
  const names = new Names(connection, words);
  const fans = new Fans(connection, identities, names, sessions, audit, bus, clock, settings);
  return {
    fans,
    tokens: new ApiTokens(connection, fans, audit, clock, bus),
    signIn: new SignIn(fans, networks, vault, audit, clock, config.publicUrl),
  };
}
