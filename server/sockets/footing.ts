import type { Fans } from '../fans/service.js';
import { CountBefore } from '../platform/changes.js';
import { sha256 } from '../platform/ids.js';
import type { Log } from '../platform/logs.js';
import { inPieces } from '../platform/pieces.js';
import type { SessionStore } from '../platform/sessions.js';
import type { VillageSocket } from '../village/socket.js';
import { claimsOf } from './claims.js';

/**
 * How often is looked which fans changed, in ms: together with the reads less than the five seconds
 * of RELIABILITY S4 and S5.
 */
const LOOK_MS = 1000;
/** How long a change may be under way between its number and its writing, in ms. */
const WRITING_MS = 10_000;
/** So many changes before its first look a process looks at too: one of them may be under way. */
const FIRST = 500;
/**
 * How long after a look a socket is due again whatever is said of its fan, in ms: what no fan's
 * change tells of, as a session whose time is over.
 */
const DUE_MS = 60_000;
/** Sockets of one read. */
const AT_ONCE = 500;

/**
 * What sockets stand on: a fan who is there and not banned, and a session of the fan's version or a
 * token that nobody ended. News of an end are acted on at once; since they may be lost, it is asked
 * every second which fans changed, by the count of changes that every end raises, and their sockets
 * are looked at in the store itself, past every cache. While the store cannot answer nobody is sent
 * away.
 */
export class Footing {
  private readonly sockets = new Map<VillageSocket, number>();
  private before: CountBefore;
  private readonly timer: NodeJS.Timeout;
  private looking = false;
  private came = 0;

  /** @param now a clock that is never set, in ms */
  constructor(
    private readonly fans: Fans,
    private readonly sessions: SessionStore,
    private readonly log: Log,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.before = new CountBefore(WRITING_MS, now);
    this.timer = setInterval(() => {
      void this.look();
    }, LOOK_MS);
  }

  /**
   * A socket was let in, on answers that may have been some seconds old: it is due at the next
   * look.
   */
  add(socket: VillageSocket): void {
    this.sockets.set(socket, -Infinity);
  }

  remove(socket: VillageSocket): void {
    this.sockets.delete(socket);
  }

  /** Looks at the sockets that are due, and at those whose fans changed. Never throws. */
  async look(): Promise<void> {
    if (this.looking) return;
    if (this.sockets.size === 0) {
      // Nobody asks what changed meanwhile: whoever comes is due at once.
      this.before = new CountBefore(WRITING_MS, this.now);
      return;
    }
    this.looking = true;
    try {
      const now = this.now();
      const { fans, to } = await this.changed();
      const due = [...this.sockets]
        .filter(
          ([socket, at]) => now - at >= DUE_MS || (fans.size > 0 && fans.has(claimsOf(socket).fan)),
        )
        .map(([socket]) => socket);
      let all = true;
      for (const piece of inPieces(due, AT_ONCE)) all = (await this.check(piece)) && all;
      // What could not be looked at is looked at again: the next look begins where this one did.
      if (all && to !== null) this.before.note(to);
    } finally {
      this.looking = false;
    }
  }

  /**
   * Fans who changed lately, and how far the count of changes is; nobody and null while the store
   * is away. Never throws.
   */
  private async changed(): Promise<{ fans: Set<string>; to: number | null }> {
    try {
      let from = this.before.get()?.to;
      if (from === undefined) {
        // At the first look there is no telling how far the count was some time ago: the last
        // changes stand for it.
        from = Math.max(0, (await this.fans.changedSince(Infinity)).to - FIRST);
        this.before.note(from);
      }
      const { fans, to } = await this.fans.changedSince(from);
      return { fans: new Set(fans), to };
    } catch (error) {
      this.log.debug({ err: error }, 'sockets: the store did not say who changed');
      return { fans: new Set(), to: null };
    }
  }

  /**
   * Ends those of these sockets whose ground is gone; answers whether the store said so. Never
   * throws.
   */
  async check(sockets: VillageSocket[]): Promise<boolean> {
    if (sockets.length === 0) return true;
    try {
      const claims = sockets.map(claimsOf);
      const [people, sessions] = await Promise.all([
        this.fans.footing([...new Set(claims.map(({ fan }) => fan))]),
        this.sessions.living([
          ...new Set(claims.map(({ session }) => session).filter((one) => one !== null)),
        ]),
      ]);
      const now = this.now();
      for (const [at, socket] of sockets.entries()) {
        const { fan, session, version, token } = claims[at] as (typeof claims)[number];
        const person = people.get(fan);
        // That a session is over is said by its fan first, and known by that even if nobody came to
        // remove it.
        const bySession = (session: string): boolean =>
          sessions.has(session) && person?.version === version && !person.ended.includes(session);
        const stands =
          person?.state === 'active' &&
          (token === null
            ? session !== null && bySession(session)
            : person.tokens.includes(sha256(token)));
        if (!stands) socket.disconnect(true);
        else if (this.sockets.has(socket))
          this.sockets.set(
            socket,
            this.sockets.get(socket) === -Infinity ? now - this.phase() : now,
          );
      }
      return true;
    } catch (error) {
      this.log.debug({ err: error }, 'sockets: the store did not say who still stands');
      return false;
    }
  }

  /**
   * How long before its time a newcomer is due again: those who came together are spread over the
   * minute.
   */
  private phase(): number {
    this.came += 1;
    return (this.came * LOOK_MS) % DUE_MS;
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
