import type { Fans } from '../fans/service.js';
import { sha256 } from '../platform/ids.js';
import type { Log } from '../platform/logs.js';
import type { SessionStore } from '../platform/sessions.js';
import type { VillageSocket } from '../village/socket.js';
import { claimsOf } from './claims.js';

/** How often is looked who is due, and how long after a look a socket is due again, in ms: together with the read less than the five seconds of RELIABILITY S4 and S5. */
const LOOK_MS = 1000;
const DUE_MS = 3000;
/** Sockets of one read. */
const AT_ONCE = 500;

/**
 * What sockets stand on: a fan who is there and not banned, and a session of the fan's version or a token that nobody ended. News of an end are
 * acted on at once; since they may be lost, every socket is asked about again every three seconds, all that are due in a few reads of the
 * store itself, past every cache. While the store cannot answer nobody is sent away.
 */
export class Footing {
  private readonly sockets = new Map<VillageSocket, number>();
  private readonly timer: NodeJS.Timeout;
  private looking = false;

  constructor(
    private readonly fans: Fans,
    private readonly sessions: SessionStore,
    private readonly log: Log,
  ) {
    this.timer = setInterval(() => {
      void this.look();
    }, LOOK_MS);
  }

  /** A socket was let in, on answers that may have been some seconds old: it is due at the next look. */
  add(socket: VillageSocket): void {
    this.sockets.set(socket, -Infinity);
  }

  remove(socket: VillageSocket): void {
    this.sockets.delete(socket);
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    const now = performance.now();
    const due = [...this.sockets].filter(([, at]) => now - at >= DUE_MS).map(([socket]) => socket);
    for (let from = 0; from < due.length; from += AT_ONCE) await this.check(due.slice(from, from + AT_ONCE));
    this.looking = false;
  }

  /** Ends those of these sockets whose ground is gone. Never throws. */
  async check(sockets: VillageSocket[]): Promise<void> {
    if (sockets.length === 0) return;
    try {
      const claims = sockets.map(claimsOf);
      const [people, sessions] = await Promise.all([
        this.fans.footing([...new Set(claims.map(({ fan }) => fan))]),
        this.sessions.living([...new Set(claims.map(({ session }) => session).filter((one) => one !== null))]),
      ]);
      const now = performance.now();
      for (const [at, socket] of sockets.entries()) {
        const { fan, session, version, token } = claims[at] as (typeof claims)[number];
        const person = people.get(fan);
        // That a session is over is said by its fan first, and known by that even if nobody came to remove it.
        const bySession = (session: string): boolean => sessions.has(session) && person?.version === version && !person.ended.includes(session);
        const stands = person?.state === 'active' && (token === null ? session !== null && bySession(session) : person.tokens.includes(sha256(token)));
        if (!stands) socket.disconnect(true);
        else if (this.sockets.has(socket)) this.sockets.set(socket, now);
      }
    } catch (error) {
      this.log.debug({ err: error }, 'sockets: the store did not say who still stands');
    }
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
