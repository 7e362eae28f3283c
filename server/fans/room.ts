import type { Networks } from '../networks/service.js';
import type { Platform } from '../platform/platform.js';
import { TokenVault } from '../platform/secrets.js';
import { Identities } from './identities.js';
import { Names } from './names.js';
import { Fans } from './service.js';
import { SignIn } from './sign-in.js';
import { ApiTokens } from './tokens.js';

/** Builds the people of the hub, how they sign in, and their personal API tokens. */
export function createFans(
  platform: Pick<
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
  const { config, connection, words } = platform;
  const vault = new TokenVault(config.tokenKeys);
  const identities = new Identities({ ...platform, vault, networks });
  const names = new Names(connection, words);
  const fans = new Fans({ ...platform, identities, names });
  return {
    fans,
    tokens: new ApiTokens({ ...platform, fans }),
    signIn: new SignIn({ ...platform, fans, networks, vault, publicUrl: config.publicUrl }),
  };
}
