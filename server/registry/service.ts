import type { Connection, Model } from 'mongoose';
import type { Athletes, AthleteRecord } from '../athletes/service.js';
import type { ListedAccount } from '../athletes/needs.js';
import { VillageError } from '../errors.js';
import { type Fans } from '../fans/service.js';
import { NetworkError, type NetworkId, type Profile } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { Audit, AuditRecord } from '../platform/audit.js';
import type { Bus } from '../platform/bus.js';
import type { Changes } from '../platform/changes.js';
import { within, type Clock } from '../platform/clock.js';
import { SwrCache } from '../platform/swr-cache.js';
import { isDuplicate } from '../platform/mongo.js';
import {
  accountModel,
  EARNS,
  type AccountRecord,
  type AccountState,
  type Warning,
} from './account.model.js';
import { claimOf, newAccount } from './candidate.js';
import { Handles } from './handles.js';
import { Listing, type VerifiedAccount } from './listing.js';
import { lookUp, type Lookup } from './lookup.js';
import { makeWhole } from './migration.js';
import { Owners } from './owners.js';
import { may } from '../platform/rights.js';

export type { AccountRecord } from './account.model.js';
export type { VerifiedAccount } from './listing.js';
export type { Lookup } from './lookup.js';
/** Who acts: rights are checked here, not only in the screens. */
export interface Actor {
  id: string;
  roles: readonly string[];
}
/**
 * What is known of an account may be so old when a moderator, or the public, opens its page; how
 * long a page waits for a network.
 */
const CASE_AFTER_MS = 60_000;
const PAGE_AFTER_MS = 10 * 60_000;
const PATIENCE_MS = 1500;
/** How long accounts are kept while nothing is said to have changed. */
const KEPT_MS = 60_000;

const warn = (account: AccountRecord, as: Warning['as'], reason: string, at: Date): Warning => ({
  as,
  athlete: account.athlete,
  reason,
  at,
});

/** The registry: whose account it really is. Only verified accounts are listed and earn. */
export class Registry {
  private readonly records: Model<AccountRecord>;
  private readonly listing: Listing;
  private readonly owners: Owners;
  private readonly handles: Handles;
  private readonly shown = new SwrCache<AccountRecord[]>(KEPT_MS, 5000);

  constructor(
    connection: Connection,
    private readonly networks: Networks,
    private readonly athletes: Athletes,
    private readonly fans: Fans,
    private readonly audit: Audit,
    private readonly bus: Bus,
    private readonly changes: Changes,
    private readonly clock: Clock,
  ) {
    this.records = accountModel(connection);
    this.listing = new Listing(this.records, networks, athletes, changes);
    this.owners = new Owners(this.records, fans.identities);
    this.handles = new Handles(this.records, networks, clock, () => this.tell('handle'));
    const forget = (): void => {
      this.forget();
    };
    bus.on('registry:changed', forget);
    bus.on('athletes:changed', forget);
    changes.on('registry', forget);
    changes.on('athletes', forget);
  }

  private forget(): void {
    this.shown.invalidate();
    this.listing.forget();
  }

  /** Accounts were changed, and that is stored. */
  private async tell(account: string, network = ''): Promise<void> {
    this.forget();
    await this.changes.mark('registry');
    this.bus.tell('registry:changed', { network, account });
  }

  /**
   * Makes records of an earlier version whole. To be run before indexes are made: one of them would
   * refuse what the earlier version allowed.
   */
  prepare(): Promise<void> {
    return makeWhole(this.records, this.networks, this.owners);
  }

  private requireModerator(actor: Actor): void {
    if (!may(actor.roles, 'moderate')) throw new VillageError('not_allowed');
  }

  /**
   * Opens a case: a moderator pastes an address or handle of any form; the network says which
   * account that is now. Throws `not_an_account` as bad input, `account_not_found`, `account_taken`
   * (with its case), `network_down`.
   */
  async submit(actor: Actor, text: string, athleteSlug: string): Promise<AccountRecord> {
    this.requireModerator(actor);
    const athlete = await this.athletes.require(athleteSlug);
    const found = this.networks.parse(text);
    if (!found || found.parsed === 'none')
      throw new VillageError(
        'bad_input',
        { field: 'account' },
        { issues: [{ path: 'account', issue: 'not_an_account' }] },
      );
    const adapter = this.networks.adapter(found.network);
    const profile = await adapter.resolve(found.parsed).catch((error: unknown) => {
      throw error instanceof NetworkError
        ? new VillageError('network_down', { network: found.network })
        : error;
    });
    if (!profile) throw new VillageError('account_not_found', { account: text.slice(0, 100) });
    const now = this.clock.now();
    const claim = claimOf(profile, adapter.handleKey(profile.handle), athlete._id, actor.id, now);
    const id = await this.store(profile, claim, now);
    await this.owners.find(id, profile.network, profile.id);
    const after = { network: profile.network, accountId: profile.id, athlete: athlete._id };
    await this.audit.add({ by: actor.id, act: 'account.submitted', on: `account:${id}`, after });
    await this.tell(profile.id, profile.network);
    return this.requireCase(id);
  }

  /**
   * Stores a claim; answers its case. Its handle is taken from whoever else is on record with it.
   */
  private async store(
    profile: Profile,
    claim: ReturnType<typeof claimOf>,
    now: Date,
  ): Promise<string> {
    const { network, id: accountId } = profile;
    for (let tries = 0; ; tries += 1) {
      await this.handles.take(network, claim.handleKey, accountId, now);
      try {
        const known = await this.records.findOne({ network, accountId }).lean<AccountRecord>();
        if (!known) return (await this.records.create(newAccount(profile, claim)))._id;
        // A refused or revoked account may be looked at again; what the public was warned of stands
        // until it is decided.
        if (known.state !== 'refused' && known.state !== 'revoked')
          throw new VillageError('account_taken', { account: profile.handle }, { case: known._id });
        const { matchedCount } = await this.records.updateOne(
          { _id: known._id, state: known.state },
          { $set: claim },
        );
        if (matchedCount === 1) return known._id;
      } catch (error) {
        // Somebody else stored this account, or gave its handle to another, at the same time:
        // looked at again.
        if (!isDuplicate(error) || tries >= 3) throw error;
      }
    }
  }

  /**
   * Grants (one more signature; verified when the quorum is reached) or refuses. Throws
   * `already_decided` when another was faster.
   */
  async decide(
    actor: Actor,
    id: string,
    decision: { grant: boolean; fake?: boolean; reason: string },
  ): Promise<AccountRecord> {
    this.requireModerator(actor);
    const before = await this.requireCase(id);
    if (before.state !== 'candidate' || before.signatures.some((one) => one.by === actor.id))
      throw new VillageError('already_decided', { state: before.state });
    // Before it may earn: nobody earns for their own account.
    if (decision.grant) await this.owners.find(id, before.network, before.accountId);
    const now = this.clock.now();
    const signatures = [...before.signatures, { by: actor.id, at: now, reason: decision.reason }];
    const reached = decision.grant && signatures.length >= before.quorum;
    const state: AccountState = decision.grant ? (reached ? 'verified' : 'candidate') : 'refused';
    const set = {
      state,
      signatures: decision.grant ? signatures : before.signatures,
      reason: decision.reason,
      ...(state === 'candidate'
        ? {}
        : {
            decidedAt: now,
            warning: decision.fake ? warn(before, 'fake', decision.reason, now) : null,
          }),
      ...(reached ? { since: now } : {}),
    };
    const after = await this.records
      .findOneAndUpdate(
        {
          _id: id,
          state: 'candidate',
          epoch: before.epoch,
          [`signatures.${before.signatures.length}`]: { $exists: false },
        },
        { $set: set, ...(reached ? { $inc: { epoch: 1 } } : {}) },
        { returnDocument: 'after' },
      )
      .lean<AccountRecord>();
    if (!after)
      throw new VillageError('already_decided', { state: (await this.requireCase(id)).state });
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

  /**
   * Takes a verified account off the list: the epoch rises first, so nothing new is given from that
   * instant.
   */
  async revoke(actor: Actor, id: string, reason: string): Promise<AccountRecord> {
    this.requireModerator(actor);
    const now = this.clock.now();
    const before = await this.requireCase(id);
    const after = await this.records
      .findOneAndUpdate(
        { _id: id, state: { $in: ['verified', 'lapsed'] } },
        {
          $set: {
            state: 'revoked',
            reason,
            decidedAt: now,
            signatures: [],
            warning: warn(before, 'revoked', reason, now),
          },
          $inc: { epoch: 1 },
        },
        { returnDocument: 'after' },
      )
      .lean<AccountRecord>();
    if (!after)
      throw new VillageError('already_decided', { state: (await this.requireCase(id)).state });
    await this.audit.add({
      by: actor.id,
      act: 'account.revoked',
      on: `account:${id}`,
      reason,
      before: { state: 'verified' },
      after: { state: 'revoked' },
    });
    await this.changed(after);
    return after;
  }

  private async changed(account: AccountRecord): Promise<void> {
    this.forget();
    const verified = await this.records
      .find({ athlete: account.athlete, state: { $in: EARNS } }, { network: 1 })
      .lean<AccountRecord[]>();
    await this.changes.mark('registry');
    await this.athletes.setNetworks(account.athlete, [
      ...new Set(verified.map((one) => one.network)),
    ]);
    this.bus.tell('registry:changed', { network: account.network, account: account.accountId });
  }

  /**
   * A moderator records that a fan (an id, or `network:handle`) owns an account, or does not: who
   * owns an account of an athlete earns nothing by any of theirs. What a network itself said stays.
   * Throws `fan_not_found`.
   */
  async setOwner(actor: Actor, id: string, who: string, owns: boolean): Promise<AccountRecord> {
    this.requireModerator(actor);
    await this.requireCase(id);
    const fan = await this.fans.resolve(who);
    if (!fan) throw new VillageError('fan_not_found');
    if (await this.owners.record(id, fan._id, owns, actor.id))
      await this.audit.add({
        by: actor.id,
        act: owns ? 'account.owner' : 'account.not_owner',
        on: `account:${id}`,
        after: { fan: fan._id },
      });
    return this.requireCase(id);
  }

  /** A case, or `account_not_found`: also for that of a hidden athlete. */
  async requireCase(id: string): Promise<AccountRecord> {
    const found = await this.records.findById(id).lean<AccountRecord>();
    if (!found || (await this.athletes.hidden()).has(found.athlete))
      throw new VillageError('account_not_found', { account: '' });
    return found;
  }

  /**
   * Cases by state, oldest first; only for moderators. Those of hidden athletes wait unseen (RULES
   * R13).
   */
  async queue(
    actor: Actor,
    state: AccountState,
    limit = 50,
  ): Promise<{ items: AccountRecord[]; open: number }> {
    this.requireModerator(actor);
    const shown = { athlete: { $nin: [...(await this.athletes.hidden())] } };
    const [items, open] = await Promise.all([
      this.records
        .find({ state, ...shown })
        .sort({ submittedAt: state === 'candidate' ? 1 : -1 })
        .limit(limit)
        .lean<AccountRecord[]>(),
      this.records.countDocuments({ state: 'candidate', ...shown }),
    ]);
    return { items, open };
  }

  /**
   * A case with what is known beside it: the athlete, their other accounts, accounts that look
   * alike, the decisions so far.
   */
  async caseOf(
    actor: Actor,
    id: string,
  ): Promise<{
    account: AccountRecord;
    athlete: AthleteRecord | null;
    others: AccountRecord[];
    alike: AccountRecord[];
    log: AuditRecord[];
  }> {
    this.requireModerator(actor);
    await within(this.handles.refresh([await this.requireCase(id)], CASE_AFTER_MS), PATIENCE_MS);
    const account = await this.requireCase(id);
    const hidden = [...(await this.athletes.hidden())];
    const [athletes, others, alike, log] = await Promise.all([
      this.athletes.byIds([account.athlete]),
      this.records.find({ athlete: account.athlete, _id: { $ne: id } }).lean<AccountRecord[]>(),
      this.records
        .find({ skeleton: account.skeleton, _id: { $ne: id }, athlete: { $nin: hidden } })
        .limit(10)
        .lean<AccountRecord[]>(),
      this.audit.about(`account:${id}`),
    ]);
    return { account, athlete: athletes.get(account.athlete) ?? null, others, alike, log };
  }

  /** Verified accounts of an athlete, as fresh as `Changes`. */
  async verifiedOf(athlete: string): Promise<VerifiedAccount[]> {
    return (await this.listing.read()).byAthlete.get(athlete) ?? [];
  }

  /** The same of several athletes, from one look. */
  async verifiedAmong(athletes: Iterable<string>): Promise<VerifiedAccount[]> {
    const { byAthlete } = await this.listing.read();
    return [...new Set(athletes)].flatMap((one) => byAthlete.get(one) ?? []);
  }

  /** Every verified account, of one network if given. */
  async verified(network?: NetworkId): Promise<VerifiedAccount[]> {
    return [...(await this.listing.read()).byAccount.values()].filter(
      (one) => !network || one.network === network,
    );
  }

  async verifiedAccount(network: string, accountId: string): Promise<VerifiedAccount | null> {
    return (await this.listing.read()).byAccount.get(`${network}:${accountId}`) ?? null;
  }

  /** Satisfies `Accounts` of the directory. */
  async listed(athletes: string[]): Promise<Map<string, ListedAccount[]>> {
    const { byAthlete } = await this.listing.read();
    return new Map(
      athletes.map((id) => [
        id,
        (byAthlete.get(id) ?? []).map(({ accountId, network, handle, url, since }) => ({
          id: accountId,
          network,
          handle,
          url,
          since,
        })),
      ]),
    );
  }

  /**
   * Everything the public may know of an athlete's accounts, whatever their state, except refused
   * ones.
   */
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

  /**
   * Whether this fan may earn by an account as the store has it now: verified under the epoch it
   * was read with, and not their own.
   */
  mayEarn(
    fan: string,
    account: Pick<VerifiedAccount, 'id' | 'epoch'> & { athlete: { id: string } },
  ): Promise<boolean> {
    return this.owners.mayEarn(fan, account);
  }

  /** Whether a fan owns a verified account of this athlete, as the store has it now. */
  owns(fan: string, athlete: string): Promise<boolean> {
    return this.owners.owns(fan, athlete);
  }

  /** The athletes of whom a fan owns a verified account. */
  ownedBy(fan: string): Promise<Set<string>> {
    return this.owners.athletesOf(fan);
  }

  /** Satisfies `Proved` of sign-in. */
  proved(fan: string, network: NetworkId, accounts: string[]): Promise<void> {
    return this.owners.proved(fan, network, accounts);
  }

  /** Where an account is on its network, whatever its handle. */
  urlOf(account: Pick<AccountRecord, 'network' | 'accountId'>): string {
    return this.networks.adapter(account.network).accountUrl(account.accountId);
  }

  /**
   * Somebody looks at an athlete: their accounts are asked for by id where nothing was heard for a
   * while. Resolves when what came is stored.
   */
  async refresh(athlete: string): Promise<void> {
    await this.handles.refresh(await this.publicOf(athlete), PAGE_AFTER_MS);
  }

  /**
   * Asks about accounts not heard of for a day, and looks who owns them: a process that died
   * between a sign-in and its proof has told nobody. The worker calls it; `limit` bounds the
   * accounts of a network in one pass.
   */
  async sweep(limit = 500): Promise<void> {
    for (const { _id, network, accountId } of await this.handles.sweep(limit))
      await this.owners.find(_id, network, accountId);
  }

  /** What the registry knows of an address or handle of any form (DESIGN 7). */
  lookup(text: string): Promise<Lookup> {
    return lookUp(
      {
        records: this.records,
        networks: this.networks,
        athletes: this.athletes,
        handles: this.handles,
      },
      text,
    );
  }
}
