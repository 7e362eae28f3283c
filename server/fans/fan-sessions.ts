import type { Audit } from '../platform/audit.js';
import type { Bus } from '../platform/bus.js';
import type { SessionOwners, SessionStore } from '../platform/sessions.js';
import type { FanRecord } from './fan.model.js';
import type { FanStore } from './fan-store.js';

/** Sessions of a fan that are remembered as ended; an older one has long left every store. */
const MOST_ENDED = 50;

/**
 * What sockets of a fan stand on. The hashes are of sessions that were ended one by one, and of the
 * tokens there are.
 */
export interface FanCredentials {
  state: FanRecord['state'];
  version: number;
  ended: string[];
  tokens: string[];
}

/**
 * Says which sessions of fans stand, and ends them. The fan's own document decides: each session
 * bears the version of the fan it began under, and a higher one ends it. No old copy of a session
 * can say otherwise.
 */
export class FanSessions implements SessionOwners {
  constructor(
    private readonly parts: { store: FanStore; sessions: SessionStore; audit: Audit; bus: Bus },
  ) {}

  /**
   * Whether a session of this fan still stands: the fan is active, their version is the session's,
   * and it was not ended by itself. Other processes know it five seconds late at most.
   */
  async stands(id: string, version: number, session: string): Promise<boolean> {
    const fan = await this.parts.store.get(id);
    return (
      fan?.state === 'active' && fan.version === version && fan.ended?.includes(session) !== true
    );
  }

  /**
   * Reads what the sockets of fans stand on from the store, past every cache. Who is not in the
   * answer does not exist.
   */
  async credentials(ids: string[]): Promise<Map<string, FanCredentials>> {
    const fields = { state: 1, version: 1, ended: 1, 'tokens.hash': 1 };
    const found = await this.parts.store.records.collection
      .find<FanRecord>({ _id: { $in: ids as never[] } }, { projection: fields })
      .toArray();
    return new Map(
      found.map(({ _id, state, version, ended = [], tokens }) => [
        _id,
        { state, version, ended, tokens: tokens.map(({ hash }) => hash) },
      ]),
    );
  }

  /**
   * Notes that one session of a fan, by the hash of its id, is over, and closes its sockets. Stored
   * before it is told.
   */
  async ended(id: string, session: string): Promise<void> {
    const { store, bus } = this.parts;
    const changed = await store.nextChange();
    await store.records.updateOne(
      { _id: id },
      { $push: { ended: { $each: [session], $slice: -MOST_ENDED } }, $set: { changed } },
    );
    store.forget(id);
    bus.tell('fans:signed_out', { fan: id, session });
  }

  /** Signs a fan out on every device. The version is raised first: it alone ends the sessions. */
  async signOutEverywhere(id: string): Promise<void> {
    await this.parts.store.change(id, { $inc: { version: 1 } });
    await this.parts.audit.add({ by: id, act: 'session.ended_all', on: `fan:${id}` });
    await this.removeAll(id);
  }

  /** Removes the sessions that a raised version has ended, and closes their sockets. */
  async removeAll(id: string): Promise<void> {
    await this.parts.sessions.removeAllOf(id);
    this.parts.bus.tell('fans:signed_out', { fan: id, session: null });
  }
}
