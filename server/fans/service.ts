import type { Connection, Model } from 'mongoose';
import { VillageError } from '../errors.js';
import type { LinkedAccount, NetworkId } from '../networks/network.js';
import type { Audit } from '../platform/audit.js';
import { Batcher } from '../platform/batcher.js';
import type { Bus } from '../platform/bus.js';
import type { Clock } from '../platform/clock.js';
import { Fresh } from '../platform/fresh.js';
import { randomId } from '../platform/ids.js';
import type { SessionOwners, SessionStore } from '../platform/sessions.js';
import type { Settings } from '../platform/settings.js';
import { isOfAge } from './digital-age.js';
import { fanModel, ROLES, type FanRecord, type Role } from './fan.model.js';
import type { Identities } from './identities.js';
import type { Linked, Proved } from './needs.js';

export { isLost } from './fan.model.js';
export type { FanRecord, Role, IdentityRecord } from './fan.model.js';
export interface Answers {
  birthYear: number;
  country: string;
  language: string;
}

const CONSENT = '2026-11';
/** The count of changes of fans: each change bears its number, so that whoever missed the news finds it. */
const CHANGED = 'fans.changed';
const CACHE_MS = 5000;
const MOST = 50_000;
const STAFF: readonly Role[] = ['moderator', 'organiser', 'admin'];
/** Sessions of a fan that are remembered as ended; an older one has long left every store. */
const MOST_ENDED = 50;

/** Who may decide whose account it is. */
export const MODERATORS = ['moderator', 'admin'] as const satisfies readonly Role[];
/** Who runs the hub. */
export const ORGANISERS = ['organiser', 'admin'] as const satisfies readonly Role[];
/** Whether somebody with these roles may decide whose account it is. */
export const mayModerate = (roles: readonly string[]): boolean => MODERATORS.some((role) => roles.includes(role));
/** Whether these roles may set what the hub offers. */
export const mayOrganise = (roles: readonly string[]): boolean => ORGANISERS.some((role) => roles.includes(role));
/** Staff and athletes earn but do not rank (DESIGN 6). */
export const ranks = (fan: Pick<FanRecord, 'roles' | 'state'>): boolean =>
  fan.state === 'active' && !fan.roles.some((role) => role === 'athlete' || STAFF.includes(role));

/** The people of the hub. */
export class Fans implements SessionOwners {
  private readonly records: Model<FanRecord>;
  private readonly reader: Batcher<FanRecord>;
  private readonly known = new Fresh<FanRecord | null>(CACHE_MS, MOST);
  private linkedTo: Linked | null = null;
  private provedTo: Proved | null = null;
  /** Grows with all news of any fan. */
  private news = 0;

  constructor(
    connection: Connection,
    readonly identities: Identities,
    private readonly sessions: SessionStore,
    private readonly audit: Audit,
    private readonly bus: Bus,
    private readonly clock: Clock,
    private readonly settings: Settings,
  ) {
    this.records = fanModel(connection);
    this.reader = new Batcher(async (ids) => {
      const found = await this.records.collection.find<FanRecord>({ _id: { $in: ids as never[] } }).toArray();
      return new Map(found.map((one) => [one._id, one]));
    });
    for (const topic of ['fans:changed', 'fans:signed_out'] as const)
      bus.on(topic, ({ fan }) => {
        this.forget(fan);
      });
    sessions.belongTo(this);
  }

  /** Who hears of new links. */
  onLinked(linked: Linked): void {
    this.linkedTo = linked;
  }

  /** Who hears which accounts fans have shown to be theirs. */
  onProved(proved: Proved): void {
    this.provedTo = proved;
  }

  private async tellProved(fan: string, { account, manages }: LinkedAccount): Promise<void> {
    await this.provedTo?.proved(fan, account.network, [account.id, ...manages]);
  }

  /** A fan, at most five seconds old (news make it newer); null for none. */
  get(id: string): Promise<FanRecord | null> {
    return this.known.get(id, () => this.reader.get(id));
  }

  private forget(fan: string): void {
    this.news += 1;
    this.known.forget(fan);
  }

  /** How much news there has been: asked before a read whose fans shall be known. */
  get asOf(): number {
    return this.news;
  }

  /** Somebody else has read this fan: whoever asks next need not, unless news came since the read began, which it may have missed. */
  know(fan: FanRecord, asOf: number): void {
    if (asOf === this.news) void this.known.get(fan._id, () => Promise.resolve(fan));
  }

  async require(id: string): Promise<FanRecord> {
    const fan = await this.get(id);
    if (!fan) throw new VillageError('fan_not_found');
    return fan;
  }

  /**
   * What sockets stand on, as the store has it now: a fan's state, session version and the hashes of the tokens there are. Who is not in the
   * answer does not exist.
   */
  async footing(ids: string[]): Promise<Map<string, { state: FanRecord['state']; version: number; tokens: Set<string> }>> {
    const fields = { state: 1, version: 1, 'tokens.hash': 1 };
    const found = await this.records.collection.find<FanRecord>({ _id: { $in: ids as never[] } }, { projection: fields }).toArray();
    return new Map(found.map(({ _id, state, version, tokens }) => [_id, { state, version, tokens: new Set(tokens.map(({ hash }) => hash)) }]));
  }

  /** How fans stand on boards (satisfies `Standing` of points). */
  async of(ids: string[]): Promise<Map<string, { rankable: boolean; name: string; country: string; revision: number }>> {
    const found =
      ids.length === 0 ? [] : await this.records.find({ _id: { $in: ids } }, { handle: 1, roles: 1, state: 1, country: 1, revision: 1 }).lean<FanRecord[]>();
    return new Map(found.map((fan) => [fan._id, { rankable: ranks(fan), name: fan.handle, country: fan.country, revision: fan.revision }]));
  }

  /** Fans changed behind a number of the count of changes (satisfies `Standing` of points). */
  async changedSince(from: number): Promise<{ fans: string[]; to: number }> {
    // The count first: what is numbered after it is found by the next look.
    const to = (await this.settings.get<number>(CHANGED)) ?? 0;
    const found = to > from ? await this.records.find({ changed: { $gt: from } }, { _id: 1 }).lean<{ _id: string }[]>() : [];
    return { fans: found.map((one) => one._id), to };
  }

  /**
   * Makes a fan of somebody who proved an account and answered the first page. Throws `too_young`, and nothing is kept then; a second
   * answer at the same time finds the fan that the first made.
   */
  async create(linked: LinkedAccount, answers: Answers, demo = false): Promise<FanRecord> {
    const now = this.clock.now();
    if (!isOfAge(answers.birthYear, answers.country, now)) throw new VillageError('too_young', { country: answers.country });
    const known = await this.identities.find(linked.account.network, linked.account.id);
    if (known) {
      await this.tellProved(known.fan, linked);
      return this.require(known.fan);
    }
    const fan: FanRecord = {
      _id: randomId(),
      handle: linked.account.handle,
      name: linked.name || linked.account.handle,
      country: answers.country,
      birthYear: answers.birthYear,
      language: answers.language,
      roles: [],
      version: 1,
      revision: 1,
      state: 'active',
      consent: { version: CONSENT, at: now },
      demo,
      tokens: [],
      createdAt: now,
    };
    await this.records.create(fan);
    try {
      await this.identities.link(fan._id, linked);
    } catch (error) {
      // Somebody else took the account meanwhile: the half-made fan goes.
      await this.records.deleteOne({ _id: fan._id });
      if (!(error instanceof VillageError) || error.id !== 'identity_taken') throw error;
      const winner = await this.identities.find(linked.account.network, linked.account.id);
      if (winner) return this.require(winner.fan);
      throw error;
    }
    await this.tellProved(fan._id, linked);
    await this.audit.add({ by: fan._id, act: 'fan.created', on: `fan:${fan._id}`, after: { network: linked.account.network } });
    await this.linkedTo?.linked(fan._id, linked.account.network);
    return fan;
  }

  /** Links a further account, or renews one that is linked; see `Identities.link` for what is refused. */
  async link(fan: string, linked: LinkedAccount): Promise<void> {
    const how = await this.identities.link(fan, linked);
    await this.tellProved(fan, linked);
    if (how === 'renewed') return;
    await this.audit.add({
      by: fan,
      act: how === 'new' ? 'identity.linked' : 'identity.regained',
      on: `fan:${fan}`,
      after: { network: linked.account.network },
    });
    this.bus.tell('fans:changed', { fan });
    await this.linkedTo?.linked(fan, linked.account.network);
  }

  private async change(id: string, update: Record<string, unknown>): Promise<FanRecord> {
    const $set = { ...(update['$set'] as object | undefined), changed: await this.settings.next(CHANGED) };
    const fan = await this.records.findOneAndUpdate({ _id: id }, { ...update, $set }, { returnDocument: 'after' }).lean<FanRecord>();
    if (!fan) throw new VillageError('fan_not_found');
    this.forget(id);
    this.bus.tell('fans:changed', { fan: id });
    return fan;
  }

  /** Gives or takes a role. Ends all the fan's sessions, whose rights would be old. */
  async setRole(id: string, role: Role, give: boolean, by: string): Promise<FanRecord> {
    const before = await this.require(id);
    const roles = ROLES.filter((one) => (one === role ? give : before.roles.includes(one)));
    if (roles.join() === before.roles.join()) return before;
    const fan = await this.change(id, { $set: { roles }, $inc: { version: 1, revision: 1 } });
    await this.audit.add({ by, act: give ? 'role.given' : 'role.taken', on: `fan:${id}`, before: before.roles, after: roles });
    await this.endSessions(id);
    return fan;
  }

  /** Shuts somebody out: sessions and sockets end, boards drop them, tokens stop. */
  async ban(id: string, by: string, reason: string): Promise<void> {
    await this.change(id, { $set: { state: 'banned' }, $inc: { version: 1, revision: 1 } });
    await this.audit.add({ by, act: 'fan.banned', on: `fan:${id}`, reason });
    await this.endSessions(id);
  }

  /** Signs out on every device. The version is raised first: it alone ends the sessions. */
  async signOutEverywhere(id: string): Promise<void> {
    await this.change(id, { $inc: { version: 1 } });
    await this.audit.add({ by: id, act: 'session.ended_all', on: `fan:${id}` });
    await this.endSessions(id);
  }

  /**
   * Whether a session of this fan still stands: the fan is active, their version is the session's, and it was not ended by itself. Known
   * from the fan's own document, so that no old copy of a session can say otherwise; in other processes five seconds late at most.
   */
  async stands(id: string, version: number, session: string): Promise<boolean> {
    const fan = await this.get(id);
    return fan?.state === 'active' && fan.version === version && fan.ended?.includes(session) !== true;
  }

  /** Remembers that one session of a fan, by the hash of its id, is over, and closes its sockets. Persisted first. */
  async ended(id: string, session: string): Promise<void> {
    await this.records.updateOne({ _id: id }, { $push: { ended: { $each: [session], $slice: -MOST_ENDED } } });
    this.forget(id);
    this.bus.tell('fans:signed_out', { fan: id, session });
  }

  private async endSessions(id: string): Promise<void> {
    await this.sessions.removeAllOf(id);
    this.bus.tell('fans:signed_out', { fan: id, session: null });
  }

  /**
   * Who is meant by a text of an operator: a hub id, `network:handle`, or (the demo's people) a plain handle. Always ends at the
   * stable id. Null for nobody.
   */
  async resolve(text: string): Promise<FanRecord | null> {
    const byId = await this.records.findById(text).lean<FanRecord>();
    if (byId) return byId;
    const [network, handle] = text.includes(':') ? text.split(':', 2) : [null, text];
    for (const one of network ? [network] : ['x', 'facebook']) {
      const identity = await this.identities.byHandle(one as NetworkId, handle ?? '');
      if (identity) return this.get(identity.fan);
    }
    return null;
  }
}
