import type { Connection, Model } from 'mongoose';
import type { Athletes, AthleteRecord } from '../athletes/service.js';
import type { ListedAccount } from '../athletes/needs.js';
import { VillageError } from '../errors.js';
import { mayModerate } from '../fans/service.js';
import { NetworkError, type NetworkId } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { Audit, AuditRecord } from '../platform/audit.js';
import { Batcher } from '../platform/batcher.js';
import type { Bus } from '../platform/bus.js';
import type { Changes } from '../platform/changes.js';
import type { Clock } from '../platform/clock.js';
import { Fresh } from '../platform/fresh.js';
import { randomId } from '../platform/ids.js';
import { isDuplicate } from '../platform/mongo.js';
import { accountModel, EARNS, type AccountRecord, type AccountState } from './account.model.js';
import { lookUp, type Lookup } from './lookup.js';
import { skeleton } from '../platform/skeleton.js';

export type { AccountRecord } from './account.model.js';
export type { Lookup } from './lookup.js';
/** Who acts: rights are checked here, not only in the screens. */
export interface Actor {
  id: string;
  roles: readonly string[];
}
/** A verified account with what points need to know of its athlete. */
export interface VerifiedAccount {
  id: string;
  network: NetworkId;
  accountId: string;
  handle: string;
  url: string;
  since: Date;
  epoch: number;
  athlete: { id: string; slug: string; name: string; disciplines: string[] };
}

const QUORUM = 1;
/** How long accounts are kept while nothing is said to have changed. */
const KEPT_MS = 60_000;

interface Listed {
  byAthlete: Map<string, VerifiedAccount[]>;
  byAccount: Map<string, VerifiedAccount>;
}

/** The registry: whose account it really is. Only verified accounts are listed and earn. */
export class Registry {
  private readonly records: Model<AccountRecord>;
  private readonly lists = new Fresh<Listed>(KEPT_MS);
  private readonly shown = new Fresh<AccountRecord[]>(KEPT_MS, 5000);
  /** Uncached, because a give re-reads them when it decides (LEDGER 4); a flush of the ledger pays for one read. */
  private readonly epochs: Batcher<number>;

  constructor(
    connection: Connection,
    private readonly networks: Networks,
    private readonly athletes: Athletes,
    private readonly audit: Audit,
    private readonly bus: Bus,
    private readonly changes: Changes,
    private readonly clock: Clock,
  ) {
    this.records = accountModel(connection);
    this.epochs = new Batcher(async (ids) => {
      const found = await this.records.collection
        .find<AccountRecord>({ _id: { $in: ids as never[] } }, { projection: { epoch: 1, state: 1 }, readConcern: { level: 'majority' } })
        .toArray();
      return new Map(found.filter((one) => EARNS.includes(one.state)).map((one) => [one._id, one.epoch]));
    });
    const forget = (): void => {
      this.shown.forget();
      this.lists.forget();
    };
    bus.on('registry:changed', forget);
    bus.on('athletes:changed', forget);
    changes.on('registry', forget);
    changes.on('athletes', forget);
  }

  private requireModerator(actor: Actor): void {
    if (!mayModerate(actor.roles)) throw new VillageError('not_allowed');
  }

  /**
   * Opens a case: a moderator pastes an address or handle of any form; the network says which account that is now.
   * Throws `not_an_account` as bad input, `account_not_found`, `account_taken` (with its case), `network_down`.
   */
  async submit(actor: Actor, text: string, athleteSlug: string): Promise<AccountRecord> {
    this.requireModerator(actor);
    const athlete = await this.athletes.require(athleteSlug);
    const found = this.networks.parse(text);
    if (!found || found.parsed === 'none')
      throw new VillageError('bad_input', { field: 'account' }, { issues: [{ path: 'account', issue: 'not_an_account' }] });
    const adapter = this.networks.of(found.network);
    const profile = await adapter.resolve(found.parsed).catch((error: unknown) => {
      throw error instanceof NetworkError ? new VillageError('network_down', { network: found.network }) : error;
    });
    if (!profile) throw new VillageError('account_not_found', { account: text.slice(0, 100) });
    const now = this.clock.now();
    const record: AccountRecord = {
      _id: randomId(),
      network: profile.network,
      accountId: profile.id,
      handle: profile.handle,
      handleKey: profile.handle.toLowerCase(),
      skeleton: skeleton(profile.handle),
      url: profile.url,
      athlete: athlete._id,
      state: 'candidate',
      epoch: 0,
      signatures: [],
      quorum: QUORUM,
      since: null,
      decidedAt: null,
      reason: null,
      fake: false,
      profile: { name: profile.name, about: profile.about, createdAt: profile.createdAt, followers: profile.followers, badge: profile.badge, fetchedAt: now },
      submittedBy: actor.id,
      submittedAt: now,
    };
    try {
      await this.records.create(record);
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      const known = await this.records.findOne({ network: profile.network, accountId: profile.id }).lean<AccountRecord>();
      if (!known) throw error;
      // A refused or revoked account may be looked at again, for this athlete.
      if (known.state !== 'refused' && known.state !== 'revoked') throw new VillageError('account_taken', { account: profile.handle }, { case: known._id });
      const { _id, epoch: _epoch, ...fresh } = record;
      await this.records.updateOne({ _id: known._id, state: known.state }, { $set: fresh });
      record._id = known._id;
    }
    this.shown.forget(athlete._id);
    await this.changes.mark('registry');
    await this.audit.add({
      by: actor.id,
      act: 'account.submitted',
      on: `account:${record._id}`,
      after: { network: record.network, accountId: record.accountId, athlete: athlete._id },
    });
    return record;
  }

  /** Grants (one more signature; verified when the quorum is reached) or refuses. Throws `already_decided` when another was faster. */
  async decide(actor: Actor, id: string, decision: { grant: boolean; fake?: boolean; reason: string }): Promise<AccountRecord> {
    this.requireModerator(actor);
    const before = await this.requireCase(id);
    if (before.state !== 'candidate' || before.signatures.some((one) => one.by === actor.id))
      throw new VillageError('already_decided', { state: before.state });
    const now = this.clock.now();
    const signatures = [...before.signatures, { by: actor.id, at: now, reason: decision.reason }];
    const reached = decision.grant && signatures.length >= before.quorum;
    const state: AccountState = decision.grant ? (reached ? 'verified' : 'candidate') : 'refused';
    const set = {
      state,
      signatures: decision.grant ? signatures : before.signatures,
      reason: decision.reason,
      fake: !decision.grant && decision.fake === true,
      ...(state === 'candidate' ? {} : { decidedAt: now }),
      ...(reached ? { since: now } : {}),
    };
    const after = await this.records
      .findOneAndUpdate(
        { _id: id, state: 'candidate', epoch: before.epoch, [`signatures.${before.signatures.length}`]: { $exists: false } },
        { $set: set, ...(reached ? { $inc: { epoch: 1 } } : {}) },
        { returnDocument: 'after' },
      )
      .lean<AccountRecord>();
    if (!after) throw new VillageError('already_decided', { state: (await this.requireCase(id)).state });
    await this.audit.add({
      by: actor.id,
      act: decision.grant ? 'account.granted' : 'account.refused',
      on: `account:${id}`,
      reason: decision.reason,
      before: { state: before.state },
      after: { state },
    });
    await this.changed(after);
    return after;
  }

  /** Takes a verified account off the list: the epoch rises first, so nothing new is given from that instant. */
  async revoke(actor: Actor, id: string, reason: string): Promise<AccountRecord> {
    this.requireModerator(actor);
    const after = await this.records
      .findOneAndUpdate(
        { _id: id, state: { $in: ['verified', 'lapsed'] } },
        { $set: { state: 'revoked', reason, decidedAt: this.clock.now(), signatures: [] }, $inc: { epoch: 1 } },
        { returnDocument: 'after' },
      )
      .lean<AccountRecord>();
    if (!after) throw new VillageError('already_decided', { state: (await this.requireCase(id)).state });
    await this.audit.add({ by: actor.id, act: 'account.revoked', on: `account:${id}`, reason, before: { state: 'verified' }, after: { state: 'revoked' } });
    await this.changed(after);
    return after;
  }

  private async changed(account: AccountRecord): Promise<void> {
    this.lists.forget();
    this.shown.forget(account.athlete);
    const verified = await this.records.find({ athlete: account.athlete, state: { $in: EARNS } }, { network: 1 }).lean<AccountRecord[]>();
    await this.changes.mark('registry');
    await this.athletes.setNetworks(account.athlete, [...new Set(verified.map((one) => one.network))]);
    this.bus.tell('registry:changed', { network: account.network, account: account.accountId });
  }

  async requireCase(id: string): Promise<AccountRecord> {
    const found = await this.records.findById(id).lean<AccountRecord>();
    if (!found) throw new VillageError('account_not_found', { account: '' });
    return found;
  }

  /** Cases by state, oldest first; only for moderators. */
  async queue(actor: Actor, state: AccountState, limit = 50): Promise<{ items: AccountRecord[]; open: number }> {
    this.requireModerator(actor);
    const [items, open] = await Promise.all([
      this.records
        .find({ state })
        .sort({ submittedAt: state === 'candidate' ? 1 : -1 })
        .limit(limit)
        .lean<AccountRecord[]>(),
      this.records.countDocuments({ state: 'candidate' }),
    ]);
    return { items, open };
  }

  /** A case with what is known beside it: the athlete, their other accounts, accounts that look alike, the decisions so far. */
  async caseOf(
    actor: Actor,
    id: string,
  ): Promise<{ account: AccountRecord; athlete: AthleteRecord | null; others: AccountRecord[]; alike: AccountRecord[]; log: AuditRecord[] }> {
    this.requireModerator(actor);
    const account = await this.requireCase(id);
    const [athletes, others, alike, log] = await Promise.all([
      this.athletes.byIds([account.athlete]),
      this.records.find({ athlete: account.athlete, _id: { $ne: id } }).lean<AccountRecord[]>(),
      this.records
        .find({ skeleton: account.skeleton, _id: { $ne: id } })
        .limit(10)
        .lean<AccountRecord[]>(),
      this.audit.about(`account:${id}`),
    ]);
    return { account, athlete: athletes.get(account.athlete) ?? null, others, alike, log };
  }

  private async load(): Promise<Listed> {
    const fields = { network: 1, accountId: 1, handle: 1, since: 1, submittedAt: 1, epoch: 1, athlete: 1 };
    const found = await this.records.collection.find<AccountRecord>({ state: { $in: [...EARNS] } }, { projection: fields }).toArray();
    const athletes = await this.athletes.byIds(found.map((one) => one.athlete));
    const listed: Listed = { byAthlete: new Map(), byAccount: new Map() };
    for (const one of found) {
      const athlete = athletes.get(one.athlete);
      if (!athlete || athlete.hidden) continue;
      const account: VerifiedAccount = {
        id: one._id,
        network: one.network,
        accountId: one.accountId,
        handle: one.handle,
        url: this.networks.of(one.network).accountUrl({ id: one.accountId, handle: one.handle }),
        since: one.since ?? one.submittedAt,
        epoch: one.epoch,
        athlete: { id: athlete._id, slug: athlete.slugs[0] ?? athlete._id, name: athlete.name, disciplines: athlete.disciplines },
      };
      listed.byAccount.set(`${one.network}:${one.accountId}`, account);
      const list = listed.byAthlete.get(one.athlete);
      if (list) list.push(account);
      else listed.byAthlete.set(one.athlete, [account]);
    }
    return listed;
  }

  private async read(): Promise<Listed> {
    await this.changes.look();
    return this.lists.get('all', () => this.load());
  }

  /** Verified accounts of an athlete, as fresh as `Changes`. */
  async verifiedOf(athlete: string): Promise<VerifiedAccount[]> {
    return (await this.read()).byAthlete.get(athlete) ?? [];
  }

  /** Every verified account, of one network if given. */
  async verified(network?: NetworkId): Promise<VerifiedAccount[]> {
    return [...(await this.read()).byAccount.values()].filter((one) => !network || one.network === network);
  }

  async verifiedAccount(network: string, accountId: string): Promise<VerifiedAccount | null> {
    return (await this.read()).byAccount.get(`${network}:${accountId}`) ?? null;
  }

  /** Satisfies `Accounts` of the directory. */
  async listed(athletes: string[]): Promise<Map<string, ListedAccount[]>> {
    const { byAthlete } = await this.read();
    return new Map(athletes.map((id) => [id, (byAthlete.get(id) ?? []).map(({ network, handle, url, since }) => ({ network, handle, url, since }))]));
  }

  /** Everything the public may know of an athlete's accounts, whatever their state, except refused ones. */
  async publicOf(athlete: string): Promise<AccountRecord[]> {
    await this.changes.look();
    return this.shown.get(athlete, () =>
      this.records
        .find({ athlete, state: { $ne: 'refused' } })
        .sort({ network: 1 })
        .lean<AccountRecord[]>()
        .exec(),
    );
  }

  /** The epoch of a verified account as the store has it now, null when it is not verified. */
  epoch(id: string): Promise<number | null> {
    return this.epochs.get(id);
  }

  /** What the registry knows of an address or handle of any form (DESIGN 7). Asks no network. */
  lookup(text: string): Promise<Lookup> {
    return lookUp({ records: this.records, networks: this.networks, athletes: this.athletes }, text);
  }
}
