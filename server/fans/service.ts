import type { Connection, Model } from 'mongoose';
import { VillageError } from '../errors.js';
import type { LinkedAccount, NetworkId } from '../networks/network.js';
import type { Audit } from '../platform/audit.js';
import { BatchLoader } from '../platform/batch-loader.js';
import type { Bus } from '../platform/bus.js';
import type { Clock } from '../platform/clock.js';
import { SwrCache } from '../platform/swr-cache.js';
import { languageFor } from '../platform/i18n.js';
import type { SessionOwners, SessionStore } from '../platform/sessions.js';
import type { Settings } from '../platform/settings.js';
import { fanModel, type FanRecord } from './fan.model.js';
import type { Identities } from './identities.js';
import { nameTaken, refuse, type Names } from './names.js';
import { asName, nameKey } from './naming.js';
import type { Linked, Proved } from './needs.js';
import { Newcomers, type Answers } from './newcomers.js';
import { ranks } from './policy.js';
import { type Role, ROLES } from '../platform/rights.js';

export { isLost } from './fan.model.js';
export { ranks } from './policy.js';
export type { FanRecord, IdentityRecord } from './fan.model.js';
export type { Answers } from './newcomers.js';

/**
 * The count of changes of fans: each change bears its number, so that whoever missed the news finds
 * it.
 */
const CHANGED = 'fans.changed';
const CACHE_MS = 5000;
const MOST = 50_000;
/** Sessions of a fan that are remembered as ended; an older one has long left every store. */
const MOST_ENDED = 50;

/** The people of the hub. */
export class Fans implements SessionOwners {
  private readonly records: Model<FanRecord>;
  private readonly reader: BatchLoader<FanRecord>;
  private readonly known = new SwrCache<FanRecord | null>(CACHE_MS, MOST);
  private linkedTo: Linked | null = null;
  private provedTo: Proved | null = null;
  private readonly newcomers: Newcomers;
  /** Grows with all news of any fan. */
  private news = 0;

  constructor(
    connection: Connection,
    readonly identities: Identities,
    readonly names: Names,
    private readonly sessions: SessionStore,
    private readonly audit: Audit,
    private readonly bus: Bus,
    clock: Clock,
    private readonly settings: Settings,
  ) {
    this.records = fanModel(connection);
    this.reader = new BatchLoader(async (ids) => {
      const found = await this.records.collection
        .find<FanRecord>({ _id: { $in: ids as never[] } })
        .toArray();
      return new Map(found.map((one) => [one._id, one]));
    });
    for (const topic of ['fans:changed', 'fans:signed_out'] as const)
      bus.on(topic, ({ fan }) => {
        this.forget(fan);
      });
    sessions.belongTo(this);
    this.newcomers = new Newcomers(this.records, identities, names, audit, clock, {
      require: (id) => this.require(id),
      proved: (fan, linked) => this.tellProved(fan, linked),
      linked: async (fan, network) => {
        await this.linkedTo?.linked(fan, network);
      },
    });
    bus.on('registry:changed', ({ network, account }) => this.yieldNames(network, account));
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
    return this.known.get(id, () => this.reader.load(id));
  }

  private forget(fan: string): void {
    this.news += 1;
    this.known.invalidate(fan);
  }

  /** How much news there has been: asked before a read whose fans shall be known. */
  get asOf(): number {
    return this.news;
  }

  /**
   * Somebody else has read this fan: whoever asks next need not, unless news came since the read
   * began, which it may have missed.
   */
  know(fan: FanRecord, asOf: number): void {
    if (asOf === this.news) void this.known.get(fan._id, () => Promise.resolve(fan));
  }

  async require(id: string): Promise<FanRecord> {
    const fan = await this.get(id);
    if (!fan) throw new VillageError('fan_not_found');
    return fan;
  }

  /**
   * What sockets stand on, as the store has it now: hashes are of ended sessions and of tokens
   * there are. Who is not in the answer does not exist.
   */
  async credentials(
    ids: string[],
  ): Promise<
    Map<string, { state: FanRecord['state']; version: number; ended: string[]; tokens: string[] }>
  > {
    const fields = { state: 1, version: 1, ended: 1, 'tokens.hash': 1 };
    const found = await this.records.collection
      .find<FanRecord>({ _id: { $in: ids as never[] } }, { projection: fields })
      .toArray();
    return new Map(
      found.map(({ _id, state, version, ended = [], tokens }) => [
        _id,
        { state, version, ended, tokens: tokens.map(({ hash }) => hash) },
      ]),
    );
  }

  /** How fans stand on boards (satisfies `Standing` of points). */
  async standings(
    ids: string[],
  ): Promise<Map<string, { rankable: boolean; name: string; country: string; revision: number }>> {
    const found =
      ids.length === 0
        ? []
        : await this.records
            .find({ _id: { $in: ids } }, { handle: 1, roles: 1, state: 1, country: 1, revision: 1 })
            .lean<FanRecord[]>();
    return new Map(
      found.map((fan) => [
        fan._id,
        { rankable: ranks(fan), name: fan.handle, country: fan.country, revision: fan.revision },
      ]),
    );
  }

  /** The number of a change that is about to be written. */
  nextChange(): Promise<number> {
    return this.settings.next(CHANGED);
  }

  /**
   * Fans changed behind a number of the count of changes: how they stand on boards, or what their
   * sockets stand on (satisfies `Standing` of points).
   */
  async changedSince(from: number): Promise<{ fans: string[]; to: number }> {
    // The count first: what is numbered after it is found by the next look.
    const to = (await this.settings.get<number>(CHANGED)) ?? 0;
    const found =
      to > from
        ? await this.records.find({ changed: { $gt: from } }, { _id: 1 }).lean<{ _id: string }[]>()
        : [];
    return { fans: found.map((one) => one._id), to };
  }

  /** What these fans are called now; unknown ones are absent. As fresh as `get`. */
  async called(ids: readonly string[]): Promise<Map<string, string>> {
    const found = await Promise.all([...new Set(ids)].map((id) => this.get(id)));
    return new Map(found.filter((fan) => fan !== null).map((fan) => [fan._id, fan.handle]));
  }

  /** Makes a fan of somebody who proved an account; see `Newcomers.create`. */
  create(linked: LinkedAccount, answers: Answers, demo = false): Promise<FanRecord> {
    return this.newcomers.create(linked, answers, demo);
  }

  /**
   * Links a further account, or renews one that is linked; see `Identities.link` for what is
   * refused.
   */
  async link(fan: string, linked: LinkedAccount): Promise<void> {
    const how = await this.identities.link(fan, linked);
    await this.tellProved(fan, linked);
    await this.keepNameGood(await this.require(fan));
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
    const $set = { ...(update['$set'] as object | undefined), changed: await this.nextChange() };
    const fan = await this.records
      .findOneAndUpdate({ _id: id }, { ...update, $set }, { returnDocument: 'after' })
      .lean<FanRecord>();
    if (!fan) throw new VillageError('fan_not_found');
    this.forget(id);
    this.bus.tell('fans:changed', { fan: id });
    return fan;
  }

  /**
   * Whether this fan may be called so: throws InputError (`name_taken`, `name_reserved` …); answers
   * the name as it would be shown.
   */
  async mayBeCalled(id: string, typed: string): Promise<string> {
    const name = asName(typed);
    refuse(await this.names.fault(name, await this.accountsOf(id), id));
    return name;
  }

  /**
   * The fan is called otherwise from now on, on boards and in rooms too. Throws InputError for a
   * name that cannot be had.
   */
  async rename(id: string, typed: string): Promise<FanRecord> {
    const name = await this.mayBeCalled(id, typed);
    const before = await this.require(id);
    if (name === before.handle && before.named === 'chosen') return before;
    const fan = await this.change(id, {
      $set: { handle: name, nameKey: nameKey(name), named: 'chosen' },
      $inc: { revision: 1 },
    }).catch(nameTaken);
    await this.audit.add({
      by: id,
      act: 'fan.renamed',
      on: `fan:${id}`,
      before: before.handle,
      after: name,
    });
    return fan;
  }

  private async accountsOf(
    id: string,
  ): Promise<Pick<LinkedAccount['account'], 'network' | 'id'>[]> {
    return (await this.identities.linkedBy(id)).map((one) => ({
      network: one.network as NetworkId,
      id: one.networkId,
    }));
  }

  /**
   * A name that the rules no longer allow (an earlier hub kept it raw, or an athlete of that name
   * was verified since) gives way to a proposed one, and its fan is told in the settings. Where
   * several processes do it at once, one does.
   */
  private async keepNameGood(fan: FanRecord, mayStay = true): Promise<void> {
    const own = await this.accountsOf(fan._id);
    const tidy = asName(fan.handle);
    if (
      mayStay &&
      tidy === fan.handle &&
      fan.nameKey !== undefined &&
      (await this.names.refused(tidy, own)) === null
    )
      return;
    const good = mayStay && (await this.names.fault(tidy, own, fan._id)) === null;
    const name = good ? tidy : await this.names.invent(languageFor(fan.language), own);
    const set = {
      handle: name,
      nameKey: nameKey(name),
      named: good ? 'chosen' : 'given',
      changed: await this.nextChange(),
    };
    const { modifiedCount } = await this.records.updateOne(
      { _id: fan._id, handle: fan.handle },
      { $set: set, $inc: { revision: 1 } },
    );
    if (modifiedCount === 0) return;
    this.forget(fan._id);
    this.bus.tell('fans:changed', { fan: fan._id });
    await this.audit.add({ by: 'hub', act: 'fan.renamed', on: `fan:${fan._id}`, after: name });
  }

  /**
   * An account became verified: a fan who is called like its athlete, and is not the athlete, is
   * called otherwise. Those missed here give way when they sign in.
   */
  private async yieldNames(network: string, account: string): Promise<void> {
    this.names.forget();
    const keys = (await this.names.ofAccount(network, account)).map(nameKey);
    if (keys.length === 0) return;
    for (const fan of await this.records.find({ nameKey: { $in: keys } }).lean<FanRecord[]>())
      await this.keepNameGood(fan);
  }

  /**
   * Puts in order what an earlier hub kept as networks sent it: identities lose the name that their
   * network has for the person, and a fan who was shown by it, or by a name that cannot stay, gets
   * another. Done once at a release; may be repeated, also after it was cut off.
   */
  async settleNames(): Promise<void> {
    for await (const fan of this.records
      .find({ nameKey: { $exists: false } })
      .lean<FanRecord>()
      .cursor())
      await this.keepNameGood(
        fan,
        !(await this.identities.privateNames(fan._id)).includes(fan.handle),
      );
    await this.identities.dropPrivateNames();
    await this.records.collection.updateMany({ name: { $exists: true } }, { $unset: { name: '' } });
  }

  /** Puts in order, once, what an earlier hub kept: a pass over all fans is not for every start. */
  async release(): Promise<void> {
    if ((await this.settings.get('fans.named')) === null) {
      await this.settleNames();
      await this.settings.set('fans.named', true);
    }
    await this.identities.release();
  }

  /** Gives or takes a role. Ends all the fan's sessions, whose rights would be old. */
  async setRole(id: string, role: Role, give: boolean, by: string): Promise<FanRecord> {
    const before = await this.require(id);
    const roles = ROLES.filter((one) => (one === role ? give : before.roles.includes(one)));
    if (roles.join() === before.roles.join()) return before;
    const fan = await this.change(id, { $set: { roles }, $inc: { version: 1, revision: 1 } });
    await this.audit.add({
      by,
      act: give ? 'role.given' : 'role.taken',
      on: `fan:${id}`,
      before: before.roles,
      after: roles,
    });
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
   * Whether a session of this fan still stands: the fan is active, their version is the session's,
   * and it was not ended by itself. Known from the fan's own document, so that no old copy of a
   * session can say otherwise; in other processes five seconds late at most.
   */
  async stands(id: string, version: number, session: string): Promise<boolean> {
    const fan = await this.get(id);
    return (
      fan?.state === 'active' && fan.version === version && fan.ended?.includes(session) !== true
    );
  }

  /**
   * Remembers that one session of a fan, by the hash of its id, is over, and closes its sockets.
   * Persisted first.
   */
  async ended(id: string, session: string): Promise<void> {
    const changed = await this.nextChange();
    await this.records.updateOne(
      { _id: id },
      { $push: { ended: { $each: [session], $slice: -MOST_ENDED } }, $set: { changed } },
    );
    this.forget(id);
    this.bus.tell('fans:signed_out', { fan: id, session });
  }

  private async endSessions(id: string): Promise<void> {
    await this.sessions.removeAllOf(id);
    this.bus.tell('fans:signed_out', { fan: id, session: null });
  }

  /**
   * Who is meant by a text of an operator: a hub id, `network:handle`, `name:` and what the fan is
   * called here, or (the demo's people) a plain handle. Always ends at the stable id. Null for
   * nobody.
   */
  async resolve(text: string): Promise<FanRecord | null> {
    const byId = await this.records.findById(text).lean<FanRecord>();
    if (byId) return byId;
    const [network, handle] = text.includes(':') ? text.split(':', 2) : [null, text];
    if (network === 'name')
      return this.records
        .findOne({ nameKey: { $eq: nameKey(asName(handle ?? '')), $ne: '' } })
        .lean<FanRecord>();
    for (const one of network ? [network] : ['x', 'facebook']) {
      const identity = await this.identities.byHandle(one as NetworkId, handle ?? '');
      if (identity) return this.get(identity.fan);
    }
    return null;
  }
}
