import type { Fans } from '../fans/service.js';
import { CountBefore } from '../platform/changes.js';
import { sha256 } from '../platform/ids.js';
import type { Log } from '../platform/logs.js';
import { inPieces } from '../platform/pieces.js';
import type { SessionStore } from '../platform/sessions.js';
import type { VillageSocket } from '../village/socket.js';
import { claimsOf, type Claims } from './claims.js';

/** How often changed fans are looked for, in ms; well within the 5 s of RELIABILITY S4 and S5. */
const LOOK_MS = 1000;
/** How long a change may take from being numbered to being written, in ms. */
const WRITING_MS = 10_000;
/** Changes before its first look that a process looks at too: some may still be being written. */
const FIRST = 500;
/**
 * How often every socket is checked even if its fan did not change, in ms: no change tells of a
 * session that expired.
 */
const DUE_MS = 60_000;
/** Sockets that are checked by one read. */
const AT_ONCE = 500;

type Credentials = Awaited<ReturnType<Fans['credentials']>>;

/** Whether a socket may stay, by what the store says of its fan and of the sessions there are. */
function isAllowed(
  { session, version, token }: Claims,
  fan: ReturnType<Credentials['get']>,
  sessions: ReadonlySet<string>,
): boolean {
  if (fan?.state !== 'active') return false;
  if (token !== null) return fan.tokens.includes(sha256(token));
  // The fan's record is told first that a session ended: it counts even while the session's own
  // record is not removed yet.
  return (
    session !== null &&
    sessions.has(session) &&
    fan.version === version &&
    !fan.ended.includes(session)
  );
}

/**
 * Checks again and again that open sockets are still allowed: their fan is there and not banned,
 * and their session is of the fan's version, or their token was not ended. News of an end are acted
 * on at once. Since news may be lost, each process also asks every second which fans changed, by
 * the count of changes that every end raises, and checks their sockets in the store itself, past
 * every cache. While the store cannot answer, nobody is disconnected.
 */
export class Revalidation {
  /** When each socket was checked last. */
  private readonly sockets = new Map<VillageSocket, number>();
  private before: CountBefore;
  private readonly timer: NodeJS.Timeout;
  private looking = false;
  private added = 0;

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

  /** Adds a socket. It was let in on answers some seconds old, so it is due at the next look. */
  add(socket: VillageSocket): void {
    this.sockets.set(socket, -Infinity);
  }

  /** Forgets a socket that is gone. */
  remove(socket: VillageSocket): void {
    this.sockets.delete(socket);
  }

  /** Checks the sockets that are due, and those whose fans changed. Never throws. */
  async look(): Promise<void> {
    if (this.looking) return;
    if (this.sockets.size === 0) {
      // What changes meanwhile does not matter: whoever connects is due at once.
      this.before = new CountBefore(WRITING_MS, this.now);
      return;
    }
    this.looking = true;
    try {
      const now = this.now();
      const { fans, to } = await this.changed();
      const due = [...this.sockets]
        .filter(
          ([socket, checkedAt]) =>
            now - checkedAt >= DUE_MS || (fans.size > 0 && fans.has(claimsOf(socket).fan)),
        )
        .map(([socket]) => socket);
      let all = true;
      for (const piece of inPieces(due, AT_ONCE)) all = (await this.check(piece)) && all;
      // If some could not be checked, the next look begins where this one did.
      if (all && to !== null) this.before.note(to);
    } finally {
      this.looking = false;
    }
  }

  /**
   * Finds fans who changed lately, and how far the count of changes is; nobody and null while the
   * store is away. Never throws.
   */
  private async changed(): Promise<{ fans: Set<string>; to: number | null }> {
    try {
      let from = this.before.get()?.to;
      if (from === undefined) {
        // At the first look it is not known how far the count was some time ago: so many changes
        // back is early enough.
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
   * Disconnects those of these sockets that are not allowed any more; answers whether the store
   * could be asked. Never throws.
   */
  async check(sockets: VillageSocket[]): Promise<boolean> {
    if (sockets.length === 0) return true;
    try {
      const claims = sockets.map(claimsOf);
      const [people, sessions] = await Promise.all([
        this.fans.credentials([...new Set(claims.map(({ fan }) => fan))]),
        this.sessions.living([
          ...new Set(claims.map(({ session }) => session).filter((session) => session !== null)),
        ]),
      ]);
      for (const socket of sockets) {
        const claim = claimsOf(socket);
        if (isAllowed(claim, people.get(claim.fan), sessions)) this.passed(socket);
        else socket.disconnect(true);
      }
      return true;
    } catch (error) {
      this.log.debug({ err: error }, 'sockets: the store did not say who is still allowed');
      return false;
    }
  }

  /** Notes that a socket was checked just now. */
  private passed(socket: VillageSocket): void {
    const checkedAt = this.sockets.get(socket);
    if (checkedAt === undefined) return;
    const now = this.now();
    this.sockets.set(socket, checkedAt === -Infinity ? now - this.phase() : now);
  }

  /** Spreads sockets that came together over the minute: how much earlier a new one is due. */
  private phase(): number {
    this.added += 1;
    return (this.added * LOOK_MS) % DUE_MS;
  }

  /** Ends the looks. */
  stop(): void {
    clearInterval(this.timer);
  }
}
