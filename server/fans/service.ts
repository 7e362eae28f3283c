import type { LinkedAccount } from '../networks/network.js';
import type { Audit } from '../platform/audit.js';
import type { Clock } from '../platform/clock.js';
import type { Role } from '../platform/rights.js';
import type { SessionOwners, SessionStore } from '../platform/sessions.js';
import type { FanRecord } from './fan.model.js';
import { FanSessions, type FanCredentials } from './fan-sessions.js';
import { FanStore, type FanStoreParts } from './fan-store.js';
import type { Identities } from './identities.js';
import { Linking } from './linking.js';
import type { Names } from './names.js';
import type { Linked, Proved } from './needs.js';
import { Newcomers, type Answers } from './newcomers.js';
import { Renaming } from './renaming.js';
import { resolveFan } from './resolving.js';
import { StaffActs } from './staff-acts.js';
import { readStandings, type FanStanding } from './standings.js';

export { isLost } from './fan.model.js';
export type { FanRecord, IdentityRecord } from './fan.model.js';
export type { Answers } from './newcomers.js';

/** What the room of fans stands on. */
export interface FansParts extends FanStoreParts {
  identities: Identities;
  names: Names;
  sessions: SessionStore;
  audit: Audit;
  clock: Clock;
}

/** The people of the hub: the door to the room, behind which each rule has a file of its own. */
export class Fans implements SessionOwners {
  readonly identities: Identities;
  readonly names: Names;
  private readonly store: FanStore;
  private readonly renaming: Renaming;
  private readonly linking: Linking;
  private readonly newcomers: Newcomers;
  private readonly sessions: FanSessions;
  private readonly staff: StaffActs;

  constructor(parts: FansParts) {
    const store = new FanStore(parts);
    this.store = store;
    this.identities = parts.identities;
    this.names = parts.names;
    this.renaming = new Renaming({ ...parts, store });
    this.linking = new Linking({ ...parts, store, renaming: this.renaming });
    this.newcomers = new Newcomers({ ...parts, store, linking: this.linking });
    this.sessions = new FanSessions({ ...parts, store });
    this.staff = new StaffActs({ ...parts, store, sessions: this.sessions });
    parts.sessions.belongTo(this);
  }

  /** Names who is told of new links. */
  onLinked(linked: Linked): void {
    this.linking.onLinked(linked);
  }

  /** Names who is told, at every sign-in, which accounts fans have shown to be theirs. */
  onProved(proved: Proved): void {
    this.linking.onProved(proved);
  }

  /** A fan, at most five seconds old (news make it newer); null for none. */
  get(id: string): Promise<FanRecord | null> {
    return this.store.get(id);
  }

  /** A fan, as fresh as `get`. Throws `fan_not_found`. */
  require(id: string): Promise<FanRecord> {
    return this.store.require(id);
  }

  /** How much news there has been; to be noted before a read whose fans are handed to `know`. */
  get asOf(): number {
    return this.store.asOf;
  }

  /** Keeps a fan whom somebody else has read, unless news came since; see `FanStore.know`. */
  know(fan: FanRecord, asOf: number): void {
    this.store.know(fan, asOf);
  }

  /** What these fans are called now; unknown ones are absent. As fresh as `get`. */
  async called(ids: readonly string[]): Promise<Map<string, string>> {
    const found = await Promise.all([...new Set(ids)].map((id) => this.get(id)));
    return new Map(found.filter((fan) => fan !== null).map((fan) => [fan._id, fan.handle]));
  }

  /** Finds whom an operator means by a text, or null; see `resolveFan`. */
  resolve(text: string): Promise<FanRecord | null> {
    return resolveFan({ store: this.store, identities: this.identities }, text);
  }

  /** Makes a fan of somebody who proved an account; see `Newcomers.create`. */
  create(linked: LinkedAccount, answers: Answers, demo = false): Promise<FanRecord> {
    return this.newcomers.create(linked, answers, demo);
  }

  /** Links a further account, or renews one that is linked; see `Linking.link`. */
  link(fan: string, linked: LinkedAccount): Promise<void> {
    return this.linking.link(fan, linked);
  }

  /** Answers what a typed name would be shown as, or throws; see `Renaming.mayBeCalled`. */
  mayBeCalled(id: string, typed: string): Promise<string> {
    return this.renaming.mayBeCalled(id, typed);
  }

  /** Renames a fan, on boards and in rooms too. Throws as `mayBeCalled`. */
  rename(id: string, typed: string): Promise<FanRecord> {
    return this.renaming.rename(id, typed);
  }

  /** Gives or takes a role, and ends all the fan's sessions. Throws `fan_not_found`. */
  setRole(id: string, role: Role, give: boolean, by: string): Promise<FanRecord> {
    return this.staff.setRole(id, role, give, by);
  }

  /** Shuts a fan out: sessions and sockets end, boards drop them. Throws `fan_not_found`. */
  ban(id: string, by: string, reason: string): Promise<void> {
    return this.staff.ban(id, by, reason);
  }

  /** Signs a fan out on every device. */
  signOutEverywhere(id: string): Promise<void> {
    return this.sessions.signOutEverywhere(id);
  }

  /** Whether a session of a fan still stands; see `FanSessions.stands`. */
  stands(id: string, version: number, session: string): Promise<boolean> {
    return this.sessions.stands(id, version, session);
  }

  /** Notes that one session of a fan is over, and closes its sockets. */
  ended(id: string, session: string): Promise<void> {
    return this.sessions.ended(id, session);
  }

  /** Reads what the sockets of fans stand on, past every cache. */
  credentials(ids: string[]): Promise<Map<string, FanCredentials>> {
    return this.sessions.credentials(ids);
  }

  /** Reads what boards show of fans (satisfies `Standing` of points). */
  standings(ids: string[]): Promise<Map<string, FanStanding>> {
    return readStandings(this.store.records, ids);
  }

  /** The number of a change that is about to be written. */
  nextChange(): Promise<number> {
    return this.store.nextChange();
  }

  /**
   * The fans who changed after a number of the count of changes: in what boards show of them, or in
   * what their sockets stand on (satisfies `Standing` of points).
   */
  changedSince(from: number): Promise<{ fans: string[]; to: number }> {
    return this.store.changedSince(from);
  }
}
