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

const MOST_LOGINS = 5;

/**
 * Where a sign-in ended: a fan is signed in, an account was linked, or a newcomer has the first
 * page before them.
 */
export type SignInResult = { kind: 'signed_in' | 'linked' | 'newcomer'; returnTo: string };

/** Signing in with a network, the same for all of them (ASVS 10.1, 10.2). */
export class SignIn {
  constructor(
    private readonly fans: Fans,
    private readonly networks: Networks,
    private readonly vault: TokenVault,
    private readonly audit: Audit,
    private readonly clock: Clock,
    private readonly publicUrl: string,
  ) {}

  private redirectUri(network: NetworkId): string {
    return `${this.publicUrl}/auth/${network}/callback`;
  }

  /**
   * Whether this reader may link an account of this network now: one of theirs is merely renewed,
   * another one needs a sign-in not longer ago than ten minutes, so that a forgotten screen gives
   * nobody a second key (ASVS 7.5.1).
   */
  private async mayLink(req: Request, network: NetworkId): Promise<boolean> {
    const fresh = this.clock.now().getTime() - (req.session.since ?? 0) < LOGIN_MS;
    return (
      fresh ||
      (req.reader !== null &&
        (await this.fans.identities.linkedBy(req.reader.id)).some((one) => one.network === network))
    );
  }

  /**
   * Where to send the browser: to the network, or, where a reader may not link now, to the page
   * that asks who they are. `again` proves a reader once more instead of linking. What is needed at
   * its return lies in the session under the state, once, for ten minutes.
   */
  async begin(req: Request, network: NetworkId, returnTo: unknown, again = false): Promise<string> {
    const link = req.reader !== null && !again;
    const back = safeReturn(returnTo, `/${req.lang}`);
    if (link && !(await this.mayLink(req, network)))
      return `/${req.lang}/sign-in?again=1&returnTo=${encodeURIComponent(back)}`;
    const state = randomBytes(24).toString('base64url');
    const begun = await this.networks
      .adapter(network)
      .beginAuth({ state, redirectUri: this.redirectUri(network) })
      .catch((error: unknown) => {
        throw this.clear(error, network);
      });
    const logins = Object.entries(req.session.logins ?? {})
      .filter(([, one]) => this.clock.now().getTime() - one.at < LOGIN_MS)
      .slice(1 - MOST_LOGINS);
    req.session.logins = {
      ...Object.fromEntries(logins),
      [state]: {
        network,
        secret: begun.secret,
        at: this.clock.now().getTime(),
        returnTo: back,
        link,
      },
    };
    await this.save(req);
    return begun.url;
  }

  /**
   * The browser is back. Throws `login_expired` for a state that is not this session's or was used,
   * `login_denied`, `identity_taken`.
   */
  async complete(
    req: Request,
    network: NetworkId,
    query: Record<string, string>,
  ): Promise<SignInResult> {
    const { [query['state'] ?? '']: login, ...others } = req.session.logins ?? {};
    if (!login || login.network !== network || this.clock.now().getTime() - login.at > LOGIN_MS)
      throw new VillageError('login_expired', { network });
    // Once only: that it was used is stored before it is.
    req.session.logins = others;
    await this.save(req);
    const linked = await this.networks
      .adapter(network)
      .completeAuth({ query, secret: login.secret, redirectUri: this.redirectUri(network) })
      .catch(async (error: unknown) => {
        await this.audit.add({
          by: req.reader?.id ?? 'anonymous',
          act: 'login.failed',
          on: `network:${network}`,
          reason: error instanceof NetworkError ? error.code : 'error',
          request: req.requestId,
        });
        throw this.clear(error, network);
      });
    if (login.link) {
      // The session that asked to link must still be somebody's.
      if (!req.reader) throw new VillageError('login_expired', { network });
      await this.fans.link(req.reader.id, linked);
      await this.enter(req, await this.fans.require(req.reader.id));
      return { kind: 'linked', returnTo: login.returnTo };
    }
    const known = await this.fans.identities.find(network, linked.account.id);
    if (known) {
      const fan = await this.fans.require(known.fan);
      if (fan.state !== 'active') throw new VillageError('not_allowed');
      await this.fans.link(fan._id, linked);
      await this.enter(req, fan);
      await this.audit.add({
        by: fan._id,
        act: 'login',
        on: `fan:${fan._id}`,
        after: { network },
        request: req.requestId,
      });
      return { kind: 'signed_in', returnTo: login.returnTo };
    }
    // Whoever is asked to prove who they are does not become somebody new by another account.
    if (req.reader) throw new VillageError('login_failed', { network });
    await this.renew(req);
    req.session.newcomer = {
      sealed: this.vault.seal(JSON.stringify(linked), 'newcomer'),
      returnTo: login.returnTo,
      at: this.clock.now().getTime(),
    };
    await this.save(req);
    return { kind: 'newcomer', returnTo: login.returnTo };
  }

  /**
   * The language of the page that a login under way began on; null for a state that is not this
   * session's.
   */
  languageOf(req: Request, state: string): Language | null {
    return languageOf(req.session.logins?.[state]?.returnTo ?? '');
  }

  /** The newcomer of this session, or null (none, or longer ago than an hour). */
  newcomer(req: Request): { linked: LinkedAccount; returnTo: string } | null {
    const kept = req.session.newcomer;
    if (!kept || this.clock.now().getTime() - kept.at > NEWCOMER_MS) return null;
    const linked = JSON.parse(this.vault.open(kept.sealed, 'newcomer')) as LinkedAccount & {
      tokens: TokenSet & { expiresAt: string | null };
    };
    return {
      linked: {
        ...linked,
        tokens: {
          ...linked.tokens,
          expiresAt: linked.tokens.expiresAt ? new Date(linked.tokens.expiresAt) : null,
        },
      },
      returnTo: kept.returnTo,
    };
  }

  /**
   * The first page was answered. Whoever is too young leaves nothing behind: the session goes, the
   * tokens are given back.
   */
  async welcome(req: Request, answers: Answers): Promise<string> {
    const newcomer = this.newcomer(req);
    if (!newcomer) throw new VillageError('login_expired', { network: '' });
    try {
      const fan = await this.fans.create(newcomer.linked, answers);
      await this.enter(req, fan);
      return newcomer.returnTo;
    } catch (error) {
      if (error instanceof VillageError && error.id === 'too_young') {
        await this.leave(req);
        // A network that does not take them now changes nothing here: they are forgotten with the
        // session.
        await this.networks
          .adapter(newcomer.linked.account.network)
          .revoke(newcomer.linked.tokens)
          .catch((failed: unknown) => {
            if (!(failed instanceof NetworkError)) throw failed;
          });
      }
      throw error;
    }
  }

  /** A new session id at every change of who one is (ASVS 7.2.4). */
  private renew(req: Request): Promise<void> {
    return new Promise((resolve, reject) => {
      req.session.regenerate((error: unknown) => {
        if (error) reject(asError(error));
        else resolve();
      });
    });
  }

  private async enter(req: Request, fan: FanRecord): Promise<void> {
    await this.renew(req);
    req.session.fan = fan._id;
    req.session.version = fan.version;
    req.session.since = this.clock.now().getTime();
    await this.save(req);
  }

  /**
   * Stores the session before the answer begins. By itself express-session sends the head of the
   * answer first and stores meanwhile: a browser that follows a redirect at once would come back as
   * nobody.
   */
  private save(req: Request): Promise<void> {
    return new Promise((resolve, reject) => {
      req.session.save((error: unknown) => {
        if (error) reject(asError(error));
        else resolve();
      });
    });
  }

  /** Ends this session, here and in the stores. */
  leave(req: Request): Promise<void> {
    return new Promise((resolve, reject) => {
      req.session.destroy((error: unknown) => {
        if (error) reject(asError(error));
        else resolve();
      });
    });
  }

  private clear(error: unknown, network: NetworkId): unknown {
    if (!(error instanceof NetworkError)) return error;
    if (error.code === 'denied') return new VillageError('login_denied', { network });
    if (
      error.code === 'network_down' ||
      error.code === 'invalid_response' ||
      error.code === 'rate_limited'
    )
      return new VillageError('network_down', { network });
    return new VillageError('login_failed', { network });
  }
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));
