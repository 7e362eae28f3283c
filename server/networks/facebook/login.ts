import { Strategy, type Profile } from 'passport-facebook';
import type { NetworkSettings } from '../../config.js';
import { NetworkError } from '../network.js';
import { agentFor } from '../outward.js';

export interface Login {
  accessToken: string;
  expiresIn: number | null;
  id: string;
}
interface Outcome {
  redirect?: string;
  user?: Login;
}
type Verify = (
  accessToken: string,
  refreshToken: string,
  params: { expires_in?: number },
  profile: Profile,
  done: (error: unknown, user?: Login) => void,
) => void;

/**
 * passport-facebook, run for one request without passport: the strategy calls back `redirect`,
 * `success`, `fail` or `error`, and that is all it needs. State is made and checked by our own
 * sign-in, the same for every network.
 */
function run(
  settings: NetworkSettings,
  callbackURL: string,
  scopes: readonly string[],
  query: Record<string, string>,
  state: string,
): Promise<Outcome> {
  const { pages, api, version, clientId, clientSecret } = settings;
  const verify: Verify = (accessToken, _refresh, params, profile, done) => {
    done(null, { accessToken, expiresIn: params.expires_in ?? null, id: profile.id });
  };
  const strategy = new Strategy(
    {
      clientID: clientId,
      clientSecret,
      callbackURL,
      enableProof: true,
      profileFields: ['id'],
      graphAPIVersion: version,
      authorizationURL: `${pages}/${version}/dialog/oauth`,
      tokenURL: `${api}/${version}/oauth/access_token`,
      profileURL: `${api}/${version}/me`,
    },
    verify as never,
  );
  (strategy as unknown as { _oauth2: { setAgent(agent: unknown): void } })._oauth2.setAgent(
    agentFor(api),
  );
  return new Promise((resolve, reject) => {
    const bound = Object.assign(Object.create(strategy) as Strategy, {
      redirect: (url: string) => {
        resolve({ redirect: url });
      },
      success: (user: Login) => {
        resolve({ user });
      },
      fail: () => {
        reject(new NetworkError('facebook', 'denied', 'the person said no'));
      },
      error: (error: unknown) => {
        reject(asNetworkError(error));
      },
      pass: () => {
        reject(new NetworkError('facebook', 'bad_request', 'no answer'));
      },
    });
    // A token answer that is no JSON throws outside every callback (NETWORKS 4.3), hence the guard
    // around the whole run.
    try {
      bound.authenticate({ query } as never, { scope: [...scopes], state });
    } catch (error) {
      reject(asNetworkError(error));
    }
  });
}

function asNetworkError(error: unknown): NetworkError {
  if (error instanceof NetworkError) return error;
  const { name, message, oauthError } = error as {
    name?: string;
    message?: string;
    oauthError?: { statusCode?: number };
  };
  if (name === 'FacebookTokenError' || name === 'TokenError')
    return new NetworkError('facebook', 'auth_expired', message ?? 'token error');
  if (name === 'FacebookAuthorizationError' || name === 'AuthorizationError')
    return new NetworkError('facebook', 'denied', message ?? 'refused');
  if (oauthError?.statusCode !== undefined && oauthError.statusCode < 500)
    return new NetworkError('facebook', 'auth_expired', 'Facebook refuses the code');
  return new NetworkError('facebook', 'network_down', message ?? 'Facebook cannot be reached');
}

/** Where to send the browser. */
export async function begin(
  settings: NetworkSettings,
  redirectUri: string,
  scopes: readonly string[],
  state: string,
): Promise<string> {
  const { redirect } = await run(settings, redirectUri, scopes, {}, state);
  if (!redirect) throw new NetworkError('facebook', 'bad_request', 'no address');
  return redirect;
}

/** Who came back. */
export async function complete(
  settings: NetworkSettings,
  redirectUri: string,
  scopes: readonly string[],
  query: Record<string, string>,
): Promise<Login> {
  const { user } = await run(settings, redirectUri, scopes, query, '');
  if (!user) throw new NetworkError('facebook', 'bad_request', 'no person');
  return user;
}
