import { Strategy, type Profile } from 'passport-facebook';
import type { NetworkSettings } from '../../config.js';
import { NetworkError } from '../network.js';
import { agentFor } from '../outward.js';

/** Who logged in at Facebook, and the token for it; `expiresIn` is in seconds. */
export interface Login {
  accessToken: string;
  expiresIn: number | null;
  id: string;
}
/** What a login begins with: where it returns to, what is asked for, and our `state`. */
export interface LoginRequest {
  redirectUri: string;
  scopes: readonly string[];
  state: string;
}
/** What the browser brought back. */
export interface LoginReturn extends Omit<LoginRequest, 'state'> {
  query: Record<string, string>;
}
/** What the strategy called back with. */
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
 * Runs passport-facebook for one request, without passport: the strategy calls back `redirect`,
 * `success`, `fail` or `error`, and needs nothing else. The state is made and checked by the hub's
 * own sign-in, which is the same for every network.
 */
function runStrategy(
  settings: NetworkSettings,
  { redirectUri: callbackURL, scopes, state, query }: LoginRequest & LoginReturn,
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
        reject(toNetworkError(error));
      },
      pass: () => {
        reject(new NetworkError('facebook', 'bad_request', 'no answer'));
      },
    });
    // A token answer that is no JSON throws outside every callback (NETWORKS 4.3).
    try {
      bound.authenticate({ query } as never, { scope: [...scopes], state });
    } catch (error) {
      reject(toNetworkError(error));
    }
  });
}

function toNetworkError(error: unknown): NetworkError {
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

/** The address to send the browser to. Throws NetworkErrors. */
export async function beginLogin(
  settings: NetworkSettings,
  request: LoginRequest,
): Promise<string> {
  const { redirect } = await runStrategy(settings, { ...request, query: {} });
  if (!redirect) throw new NetworkError('facebook', 'bad_request', 'no address');
  return redirect;
}

/** Who came back from Facebook. Throws NetworkErrors. */
export async function completeLogin(
  settings: NetworkSettings,
  request: LoginReturn,
): Promise<Login> {
  const { user } = await runStrategy(settings, { ...request, state: '' });
  if (!user) throw new NetworkError('facebook', 'bad_request', 'no person');
  return user;
}
