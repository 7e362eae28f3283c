import type { Request } from 'express';
import { randomBytes } from 'node:crypto';
import { VillageError } from '../errors.js';
import {
  NetworkError,
  type LinkedAccount,
  type NetworkId,
  type TokenSet,
} from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { Audit } from '../platform/audit.js';
import type { Clock } from '../platform/clock.js';
import { safeReturn } from '../platform/guard.js';
import { languageOf } from '../platform/http.js';
import type { Language } from '../platform/i18n.js';
import type { TokenVault } from '../platform/secrets.js';
import { LOGIN_MS, NEWCOMER_MS } from '../platform/sessions.js';
import type { Answers, FanRecord, Fans } from './service.js';

/** Sign-ins under way in one session; the oldest is dropped for a further one. */
const MOST_LOGINS = 5;
/** What the account of a newcomer is sealed for. */
const NEWCOMER = 'newcomer';
/** What a network says when it cannot be spoken with just now. */
const DOWN: readonly string[] = ['network_down', 'invalid_response', 'rate_limited'];

/**
 * Where a sign-in ended: a fan is signed in, an account was linked, or a newcomer has the first
 * page before them.
 */
export type SignInResult = { kind: 'signed_in' | 'linked' | 'newcomer'; returnTo: string };

/** Signs people in with a network, in the same way for all networks (ASVS 10.1, 10.2). */
export class SignIn {
  private readonly fans: Fans;
  private readonly networks: Networks;
  private readonly vault: TokenVault;
  private readonly audit: Audit;
  private readonly clock: Clock;
  private readonly publicUrl: string;

  constructor(parts: {
    fans: Fans;
    networks: Networks;
    vault: TokenVault;
    audit: Audit;
    clock: Clock;
    publicUrl: string;
  }) {
    this.fans = parts.fans;
    this.networks = parts.networks;
    this.vault = parts.vault;
    this.audit = parts.audit;
    this.clock = parts.clock;
    this.publicUrl = parts.publicUrl;
  }

  /**
   * Begins a sign-in and answers where to send the browser: to the network or, where a reader may
   * not link now, to the page that asks who they are. `again` proves a reader once more instead of
   * linking. What is needed at the browser's return lies in the session under the state, once, for
   * ten minutes.
   */
  async begin(req: Request, network: NetworkId, returnTo: unknown, again = false): Promise<string> {
    const link = req.reader !== null && !again;
    const back = safeReturn(returnTo, `/${req.lang}`);
    if (link && !(await this.mayLink(req, network)))
      return `/${req.lang}/sign-in?again=1&returnTo=${encodeURIComponent(back)}`;
    const state = randomBytes(24).toString('base64url');
    const { secret, url } = await this.networks
      .adapter(network)
      .beginAuth({ state, redirectUri: this.redirectUri(network) })
      .catch((error: unknown) => {
        throw loginError(error, network);
      });
    const now = this.clock.now().getTime();
    const logins = Object.entries(req.session.logins ?? {})
      .filter(([, login]) => now - login.at < LOGIN_MS)
      .slice(1 - MOST_LOGINS);
    req.session.logins = {
      ...Object.fromEntries(logins),
      [state]: { network, secret, at: now, returnTo: back, link },
    };
    await saveSession(req);
    return url;
  }

  /**
   * Whether this reader may link an account of this network now: one of theirs is merely renewed,
   * another one needs a sign-in not longer ago than ten minutes, so that a forgotten screen gives
   * nobody a second key (ASVS 7.5.1).
   */
  private async mayLink(req: Request, network: NetworkId): Promise<boolean> {
    if (this.clock.now().getTime() - (req.session.since ?? 0) < LOGIN_MS) return true;
    if (req.reader === null) return false;
    const linked = await this.fans.identities.linkedBy(req.reader.id);
    return linked.some((identity) => identity.network === network);
  }

  private redirectUri(network: NetworkId): string {
    return `${this.publicUrl}/auth/${network}/callback`;
  }

  /**
   * Completes a sign-in when the browser is back from the network. Throws `login_expired` for a
   * state that is not this session's or was used, `login_denied`, `login_failed`, `network_down`,
   * `identity_taken`, and `not_allowed` for a banned fan.
   */
  async complete(
    req: Request,
    network: NetworkId,
    query: Record<string, string>,
  ): Promise<SignInResult> {
    const login = await this.takeLogin(req, network, query['state'] ?? '');
    const linked = await this.proveAccount(req, network, { query, secret: login.secret });
    const { returnTo } = login;
    if (login.link) {
      await this.linkToReader(req, linked);
      return { kind: 'linked', returnTo };
    }
    const known = await this.fans.identities.find(network, linked.account.id);
    if (known) {
      await this.signIn(req, await this.fans.require(known.fan), linked);
      return { kind: 'signed_in', returnTo };
    }
    await this.rememberNewcomer(req, linked, returnTo);
    return { kind: 'newcomer', returnTo };
  }

  /** Takes the login of this state out of the session: it can be used once only. */
  private async takeLogin(req: Request, network: NetworkId, state: string) {
    const { [state]: login, ...others } = req.session.logins ?? {};
    if (!login || login.network !== network || this.clock.now().getTime() - login.at > LOGIN_MS)
      throw new VillageError('login_expired', { network });
    // That it was used is stored before it is.
    req.session.logins = others;
    await saveSession(req);
    return login;
  }

  /** Asks the network whose account it was that came back; a failure is in the audit log. */
  private async proveAccount(
    req: Request,
    network: NetworkId,
    answer: { query: Record<string, string>; secret: Record<string, string> },
  ): Promise<LinkedAccount> {
    try {
      return await this.networks
        .adapter(network)
        .completeAuth({ ...answer, redirectUri: this.redirectUri(network) });
    } catch (error) {
      await this.audit.add({
        by: req.reader?.id ?? 'anonymous',
        act: 'login.failed',
        on: `network:${network}`,
        reason: error instanceof NetworkError ? error.code : 'error',
        request: req.requestId,
      });
      throw loginError(error, network);
    }
  }

  private async linkToReader(req: Request, linked: LinkedAccount): Promise<void> {
    const { network } = linked.account;
    // The session that asked to link must still be somebody's.
    if (!req.reader) throw new VillageError('login_expired', { network });
    await this.fans.link(req.reader.id, linked);
    await this.enter(req, await this.fans.require(req.reader.id));
  }

  private async signIn(req: Request, fan: FanRecord, linked: LinkedAccount): Promise<void> {
    if (fan.state !== 'active') throw new VillageError('not_allowed');
    await this.fans.link(fan._id, linked);
    await this.enter(req, fan);
    await this.audit.add({
      by: fan._id,
      act: 'login',
      on: `fan:${fan._id}`,
      after: { network: linked.account.network },
      request: req.requestId,
    });
  }

  private async rememberNewcomer(
    req: Request,
    linked: LinkedAccount,
    returnTo: string,
  ): Promise<void> {
    // Whoever is asked to prove who they are does not become somebody new by another account.
    if (req.reader) throw new VillageError('login_failed', { network: linked.account.network });
    await renewSession(req);
    req.session.newcomer = {
      sealed: this.vault.seal(JSON.stringify(linked), NEWCOMER),
      returnTo,
      at: this.clock.now().getTime(),
    };
    await saveSession(req);
  }

  /**
   * The language of the page that a login under way began on; null for a state that is not this
   * session's.
   */
  languageOf(req: Request, state: string): Language | null {
    return languageOf(req.session.logins?.[state]?.returnTo ?? '');
  }

  /** The newcomer of this session; null when there is none, or it was longer ago than an hour. */
  newcomer(req: Request): { linked: LinkedAccount; returnTo: string } | null {
    const kept = req.session.newcomer;
    if (!kept || this.clock.now().getTime() - kept.at > NEWCOMER_MS) return null;
    const linked = JSON.parse(this.vault.open(kept.sealed, NEWCOMER)) as LinkedAccount & {
      tokens: TokenSet & { expiresAt: string | null };
    };
    const { expiresAt } = linked.tokens;
    const tokens = { ...linked.tokens, expiresAt: expiresAt ? new Date(expiresAt) : null };
    return { linked: { ...linked, tokens }, returnTo: kept.returnTo };
  }

  /**
   * Makes a fan of the newcomer of this session, who answered the first page, and signs them in;
   * answers where they wanted to go. Whoever is too young leaves nothing behind: the session goes,
   * the tokens are given back. Throws as `Newcomers.create`, and `login_expired`.
   */
  async welcome(req: Request, answers: Answers): Promise<string> {
    const newcomer = this.newcomer(req);
    if (!newcomer) throw new VillageError('login_expired', { network: '' });
    try {
      await this.enter(req, await this.fans.create(newcomer.linked, answers));
      return newcomer.returnTo;
    } catch (error) {
      if (error instanceof VillageError && error.id === 'too_young')
        await this.sendAway(req, newcomer.linked);
      throw error;
    }
  }

  private async sendAway(req: Request, { account, tokens }: LinkedAccount): Promise<void> {
    await this.leave(req);
    // A network that does not take them now changes nothing here: they are forgotten with the
    // session.
    await this.networks
      .adapter(account.network)
      .revoke(tokens)
      .catch((failed: unknown) => {
        if (!(failed instanceof NetworkError)) throw failed;
      });
  }

  private async enter(req: Request, fan: FanRecord): Promise<void> {
    await renewSession(req);
    req.session.fan = fan._id;
    req.session.version = fan.version;
    req.session.since = this.clock.now().getTime();
    await saveSession(req);
  }

  /** Ends this session, here and in the stores. */
  leave(req: Request): Promise<void> {
    return whenDone((done) => req.session.destroy(done));
  }
}

/** Gives the session a new id, at every change of who one is (ASVS 7.2.4). */
const renewSession = (req: Request): Promise<void> =>
  whenDone((done) => req.session.regenerate(done));

/**
 * Stores the session before the answer begins. By itself express-session sends the head of the
 * answer first and stores meanwhile: a browser that follows a redirect at once would come back as
 * nobody.
 */
const saveSession = (req: Request): Promise<void> => whenDone((done) => req.session.save(done));

function whenDone(run: (done: (error?: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    run((error) => {
      if (error) reject(asError(error));
      else resolve();
    });
  });
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));

/** What a person is told of a sign-in that the network refused or could not do. */
function loginError(error: unknown, network: NetworkId): unknown {
  if (!(error instanceof NetworkError)) return error;
  if (error.code === 'denied') return new VillageError('login_denied', { network });
  if (DOWN.includes(error.code)) return new VillageError('network_down', { network });
  return new VillageError('login_failed', { network });
}
