import type { Model } from 'mongoose';
import type { ListedAccount } from '../athletes/needs.js';
import type { NetworkId } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { Changes } from '../platform/changes.js';
import { SwrCache } from '../platform/swr-cache.js';
import { accountModel, type AccountRecord } from './account.model.js';
import { caseModel, type CaseFile, type Signature } from './case.model.js';
import { Cases, type Dossier, type QueueState } from './cases.js';
import { decide } from './decision.js';
import { Handles } from './handles.js';
import { Listing, type VerifiedAccount } from './listing.js';
import { lookUp, type Lookup } from './lookup.js';
import { setOwner } from './ownership.js';
import { Owners } from './owners.js';
import type { RegistryNeeds, RegistryParts } from './parts.js';
import type { Actor } from './policy.js';
import { revoke } from './revocation.js';
import { submit } from './submission.js';

export type { AccountRecord } from './account.model.js';
export type { CaseFile } from './case.model.js';
export type { VerifiedAccount } from './listing.js';
export type { Lookup } from './lookup.js';
export type { Actor } from './policy.js';

/** What is known of accounts may be so old, in ms, when somebody opens their athlete's page. */
const PAGE_AFTER_MS = 10 * 60_000;
/** How long accounts are kept, in ms, while nothing is said to have changed. */
const KEPT_MS = 60_000;
/** Athletes whose accounts are kept at once. */
const MOST_KEPT = 5000;
/** Cases of a queue. */
const MOST_CASES = 50;
/** Accounts of a network that one sweep asks about. */
const MOST_SWEPT = 500;

/** The registry: whose account it really is. Only verified accounts are listed and earn. */
export class Registry {
  private readonly accounts: Model<AccountRecord>;
  private readonly parts: RegistryParts;
  private readonly networks: Networks;
  private readonly changes: Changes;
  private readonly cases: Cases;
  private readonly handles: Handles;
  private readonly owners: Owners;
  private readonly listing: Listing;
  private readonly shown = new SwrCache<AccountRecord[]>(KEPT_MS, MOST_KEPT);

  constructor(needs: RegistryNeeds) {
    const { connection, networks, athletes, fans, audit, bus, changes, clock } = needs;
    const accounts = accountModel(connection);
    const records = caseModel(connection);
    const tell = async (network: string, account: string): Promise<void> => {
      this.forget();
      await changes.mark('registry');
      bus.tell('registry:changed', { network, account });
    };
    const moved = (): Promise<void> => tell('', '');
    this.accounts = accounts;
    this.networks = networks;
    this.changes = changes;
    this.owners = new Owners(accounts, fans.identities);
    this.handles = new Handles({ connection, accounts, networks, changes, clock, moved });
    this.cases = new Cases({ accounts, records, athletes, handles: this.handles, audit });
    this.listing = new Listing(accounts, networks, athletes, changes);
    const { cases, handles, owners } = this;
    this.parts = {
      ...needs,
      ...{ accounts, records, cases, handles, owners },
      tell: ({ network, accountId }) => tell(network, accountId),
    };
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

  /** Opens a case; see `submit` of `submission.ts` for what is refused. */
  submit(actor: Actor, text: string, athleteSlug: string): Promise<CaseFile> {
    return submit(this.parts, actor, text, athleteSlug);
  }

  /** Signs a case, which may decide it; throws `already_decided`. */
  decide(
    actor: Actor,
    id: string,
    given: Pick<Signature, 'decision' | 'reason'>,
  ): Promise<CaseFile> {
    return decide(this.parts, actor, id, given);
  }

  /** Takes the account of a case off the list; throws `already_decided`. */
  revoke(actor: Actor, id: string, reason: string): Promise<CaseFile> {
    return revoke(this.parts, actor, id, reason);
  }

  /** Records that a fan owns the account of a case, or does not; throws `fan_not_found`. */
  setOwner(actor: Actor, id: string, fan: string, owns: boolean): Promise<CaseFile> {
    return setOwner(this.parts, actor, id, { fan, owns });
  }

  /** A case, or `account_not_found`: also for that of a hidden athlete. */
  requireCase(id: string): Promise<CaseFile> {
    return this.cases.require(id);
  }

  /** The last case of each account, by state, and how many are open; only for moderators. */
  queue(
    actor: Actor,
    state: QueueState,
    limit = MOST_CASES,
  ): Promise<{ items: CaseFile[]; open: number }> {
    return this.cases.queue(actor, state, limit);
  }

  /** A case with what is known beside it; only for moderators. */
  dossier(actor: Actor, id: string): Promise<Dossier> {
    return this.cases.dossier(actor, id);
  }

  /** Verified accounts of an athlete, as fresh as `Changes`. */
  async verifiedOf(athlete: string): Promise<VerifiedAccount[]> {
    return (await this.listing.read()).byAthlete.get(athlete) ?? [];
  }

  /** The same of several athletes, from one look. */
  async verifiedAmong(athletes: Iterable<string>): Promise<VerifiedAccount[]> {
    const { byAthlete } = await this.listing.read();
    return [...new Set(athletes)].flatMap((athlete) => byAthlete.get(athlete) ?? []);
  }

  /** Every verified account, of one network if given. */
  async verified(network?: NetworkId): Promise<VerifiedAccount[]> {
    return [...(await this.listing.read()).byAccount.values()].filter(
      (account) => !network || account.network === network,
    );
  }

  /** The verified account with this id of its network, or null. */
  async verifiedAccount(network: string, accountId: string): Promise<VerifiedAccount | null> {
    return (await this.listing.read()).byAccount.get(`${network}:${accountId}`) ?? null;
  }

  /** The verified accounts of these athletes (satisfies `Accounts` of the directory). */
  async listed(athletes: string[]): Promise<Map<string, ListedAccount[]>> {
    const { byAthlete } = await this.listing.read();
    const asListed = ({ accountId, network, handle, url, since }: VerifiedAccount) => ({
      ...{ id: accountId, network, handle, url, since },
    });
    return new Map(athletes.map((id) => [id, (byAthlete.get(id) ?? []).map(asListed)]));
  }

  /**
   * Everything the public may know of an athlete's accounts, whatever their state, except refused
   * ones.
   */
  async publicOf(athlete: string): Promise<AccountRecord[]> {
    await this.changes.look();
    return this.shown.get(athlete, () =>
      this.accounts
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

  /** A fan has shown these accounts of a network to be theirs (satisfies `Proved` of sign-in). */
  proved(fan: string, network: NetworkId, accounts: string[]): Promise<void> {
    return this.owners.proved(fan, network, accounts);
  }

  /** Where an account is on its network, whatever its handle. */
  urlOf(account: Pick<AccountRecord, 'network' | 'accountId'>): string {
    return this.networks.adapter(account.network).accountUrl(account.accountId);
  }

  /**
   * Asks networks about the accounts of an athlete at whom somebody looks, where nothing was heard
   * of them for a while. Resolves when what came is stored.
   */
  async refresh(athlete: string): Promise<void> {
    await this.handles.refresh(await this.publicOf(athlete), PAGE_AFTER_MS);
  }

  /**
   * Asks about accounts not heard of for a day, and looks who owns them: a process that died
   * between a sign-in and its proof has told nobody. The worker calls it; `limit` bounds the
   * accounts of a network in one pass.
   */
  async sweep(limit = MOST_SWEPT): Promise<void> {
    for (const { _id, network, accountId } of await this.handles.sweep(limit))
      await this.owners.find(_id, network, accountId);
  }

  /** What the registry knows of an address or handle of any form (DESIGN 7). */
  lookup(text: string): Promise<Lookup> {
    return lookUp(this.parts, text);
  }
}
