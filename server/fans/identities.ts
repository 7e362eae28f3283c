import type { Connection, Model } from 'mongoose';
import { VillageError } from '../errors.js';
import {
  NetworkError,
  type AccountRef,
  type LinkedAccount,
  type NetworkId,
  type TokenSet,
} from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import { BatchLoader } from '../platform/batch-loader.js';
import type { Clock } from '../platform/clock.js';
import { randomId } from '../platform/ids.js';
import type { Leases } from '../platform/leases.js';
import { isDuplicate } from '../platform/mongo.js';
import type { TokenVault } from '../platform/secrets.js';
import { identityModel, isLost, type IdentityRecord } from './fan.model.js';

/** An identity whose time has come, as far as a sweep needs it. */
export type DueIdentity = Pick<IdentityRecord, 'fan' | 'network' | 'checkedAt'>;
/** An identity with tokens that are good now; null where they cannot be had just now. */
export interface UsableIdentity {
  identity: IdentityRecord;
  tokens: TokenSet | null;
}

/** How long after a link whose first check was never begun the sweep begins it, in ms. */
const UNASKED_MS = 60_000;
/** Tokens that run out sooner than this, in ms, are refreshed before use. */
const REFRESH_BEFORE_MS = 60_000;
const REFRESH_LEASE_MS = 15_000;

/** Whom sealed tokens are bound to. */
const ownerOf = (fan: string, network: string): string => `${fan}:${network}`;

function groupByFan(identities: IdentityRecord[]): Map<string, IdentityRecord[]> {
  const groups = new Map<string, IdentityRecord[]>();
  for (const identity of identities)
    groups.set(identity.fan, [...(groups.get(identity.fan) ?? []), identity]);
  return groups;
}

/** Fans' own accounts on networks, and the tokens behind them. */
export class Identities {
  private readonly records: Model<IdentityRecord>;
  private readonly vault: TokenVault;
  private readonly networks: Networks;
  private readonly leases: Leases;
  private readonly clock: Clock;
  private readonly links: BatchLoader<IdentityRecord[]>;
  /** The same with their tokens: checks of many fans begin together. */
  private readonly withTokens: BatchLoader<IdentityRecord[]>;

  constructor(parts: {
    connection: Connection;
    vault: TokenVault;
    networks: Networks;
    leases: Leases;
    clock: Clock;
  }) {
    this.records = identityModel(parts.connection);
    this.vault = parts.vault;
    this.networks = parts.networks;
    this.leases = parts.leases;
    this.clock = parts.clock;
    this.links = new BatchLoader(async (fans) => {
      const found = await this.records.collection
        .find<IdentityRecord>(
          { fan: { $in: fans } },
          { projection: { sealed: 0 }, readConcern: { level: 'majority' } },
        )
        .toArray();
      return groupByFan(found);
    });
    this.withTokens = new BatchLoader(async (fans) =>
      groupByFan(await this.records.find({ fan: { $in: fans } }).lean<IdentityRecord[]>()),
    );
  }

  /**
   * The identity behind a network's stable id, or null; handles and mail addresses are never the
   * key (ASVS 6.8.1).
   */
  async find(network: NetworkId, networkId: string): Promise<IdentityRecord | null> {
    return this.records.findOne({ network, networkId }).lean<IdentityRecord>();
  }

  /** A fan's identities, the oldest link first. */
  async linkedBy(fan: string): Promise<IdentityRecord[]> {
    return this.records.find({ fan }).sort({ linkedAt: 1 }).lean<IdentityRecord[]>();
  }

  /** The accounts behind a fan's identities. */
  async accountsOf(fan: string): Promise<Pick<AccountRef, 'network' | 'id'>[]> {
    return (await this.linkedBy(fan)).map(({ network, networkId }) => ({
      network: network as NetworkId,
      id: networkId,
    }));
  }

  /** Whether this link of a fan still stands, as the store has it now. */
  async linkStands(fan: string, link: string): Promise<boolean> {
    return ((await this.links.load(fan)) ?? []).some((identity) => identity.link === link);
  }

  /** The fans whose account on a network this is, or who speak for it there. */
  async owning(network: NetworkId, account: string): Promise<string[]> {
    const found = await this.records
      .find({ network, $or: [{ networkId: account }, { manages: account }] }, { fan: 1 })
      .lean<Pick<IdentityRecord, 'fan'>[]>();
    return [...new Set(found.map(({ fan }) => fan))];
  }

  /** Whoever has this public handle on a network; null where people have none. */
  async findByHandle(network: NetworkId, handle: string): Promise<IdentityRecord | null> {
    if (handle === '') return null;
    return this.records
      .findOne({ network, handle })
      .collation({ locale: 'en', strength: 2 })
      .lean<IdentityRecord>();
  }

  /**
   * Links a proved account to a fan, or renews the tokens of the one that is linked. Throws
   * `identity_taken` when it belongs to another fan (it is refused, never moved) and
   * `network_already_linked` when the fan has another account there. Answers whether the link is
   * `new`, `regained` (the network had dropped it) or was there and has `renewed` tokens.
   */
  async link(fan: string, linked: LinkedAccount): Promise<'new' | 'regained' | 'renewed'> {
    const { network, id } = linked.account;
    const held = await this.find(network, id);
    if (!held) return this.insert(fan, linked);
    if (held.fan !== fan) throw new VillageError('identity_taken', { network });
    await this.records.updateOne({ _id: held._id }, { $set: this.provedFields(fan, linked) });
    return isLost(held) ? 'regained' : 'renewed';
  }

  private async insert(fan: string, linked: LinkedAccount): Promise<'new' | 'renewed'> {
    const { network, id: networkId } = linked.account;
    const now = this.clock.now();
    try {
      await this.records.create({
        _id: randomId(),
        fan,
        network,
        networkId,
        ...this.provedFields(fan, linked),
        link: randomId(),
        linkedAt: now,
        checkedAt: null,
        // The job that asks is made right after; should this process die before that, the sweep
        // makes it.
        askAt: new Date(now.getTime() + UNASKED_MS),
      });
      return 'new';
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      const holder = await this.find(network, networkId);
      if (holder?.fan === fan) return 'renewed';
      throw new VillageError(holder ? 'identity_taken' : 'network_already_linked', { network });
    }
  }

  /** What an identity takes over from each proof of its account. */
  private provedFields(fan: string, { account, manages, tokens }: LinkedAccount) {
    return { handle: account.handle, manages, ...this.sealTokens(fan, account.network, tokens) };
  }

  private sealTokens(
    fan: string,
    network: string,
    tokens: TokenSet,
  ): Pick<IdentityRecord, 'sealed' | 'expiresAt' | 'scopes'> {
    return {
      sealed: this.vault.seal(JSON.stringify(tokens), ownerOf(fan, network)),
      expiresAt: tokens.expiresAt,
      scopes: tokens.scopes,
    };
  }

  /** The tokens of an identity; null when the network has dropped them. */
  private openTokens({ fan, network, sealed }: IdentityRecord): TokenSet | null {
    if (!sealed) return null;
    const kept = JSON.parse(this.vault.open(sealed, ownerOf(fan, network))) as Omit<
      TokenSet,
      'expiresAt'
    > & { expiresAt: string | null };
    return { ...kept, expiresAt: kept.expiresAt ? new Date(kept.expiresAt) : null };
  }

  /**
   * The fan's identity on a network with tokens that are good now, refreshed if need be (one
   * refresh at a time a person, stored before use). Null when there is no identity or the network
   * dropped its permission; `tokens` null when they cannot be had just now.
   */
  async usable(fan: string, network: NetworkId): Promise<UsableIdentity | null> {
    const identity = (await this.withTokens.load(fan))?.find((each) => each.network === network);
    const tokens = identity ? this.openTokens(identity) : null;
    if (!identity || !tokens) return null;
    if (!this.runsOut(tokens)) return { identity, tokens };
    const lease = await this.leases.take(`refresh:${ownerOf(fan, network)}`, REFRESH_LEASE_MS);
    if (!lease) return { identity, tokens: null };
    try {
      return await this.refresh(identity, network, tokens);
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      if (error.code !== 'auth_revoked' && error.code !== 'auth_expired')
        return { identity, tokens: null };
      await this.noteLost(identity);
      return null;
    } finally {
      await lease.release();
    }
  }

  private runsOut({ expiresAt }: TokenSet): boolean {
    const soon = this.clock.now().getTime() + REFRESH_BEFORE_MS;
    return expiresAt !== null && expiresAt.getTime() <= soon;
  }

  /** Refreshes tokens under the lease, unless somebody else has done so since they were read. */
  private async refresh(
    { _id, fan }: IdentityRecord,
    network: NetworkId,
    tokens: TokenSet,
  ): Promise<UsableIdentity | null> {
    const identity = await this.records.findById(_id).lean<IdentityRecord>();
    if (!identity) return null;
    const stored = this.openTokens(identity);
    if (stored && stored.accessToken !== tokens.accessToken) return { identity, tokens: stored };
    const fresh = await this.networks.adapter(network).refresh(tokens);
    await this.records.updateOne({ _id }, { $set: this.sealTokens(fan, network, fresh) });
    return { identity, tokens: fresh };
  }

  /**
   * Notes that the network has dropped its permission, unless the tokens were renewed meanwhile.
   */
  private async noteLost({ _id, sealed }: IdentityRecord): Promise<void> {
    await this.records.updateOne({ _id, sealed }, { $set: { sealed: null } });
  }

  /**
   * Marks tokens that the network refused before their time as expired: the next use asks for new
   * ones, and only if those are refused too is the permission lost.
   */
  async distrust({ _id, fan, network, sealed }: IdentityRecord, tokens: TokenSet): Promise<void> {
    const expired = this.sealTokens(fan, network, { ...tokens, expiresAt: new Date(0) });
    await this.records.updateOne({ _id, sealed }, { $set: expired });
  }

  /**
   * Notes that all deeds of these fans on a network were asked about at an instant, and are to be
   * asked about again from `next` on.
   */
  async checked(fans: string[], network: string, at: Date, next: Date): Promise<void> {
    await this.records.updateMany(
      { fan: { $in: fans }, network },
      { $set: { checkedAt: at, askAt: next } },
    );
  }

  /** Those of these fans whose deeds on a network were all asked about after an instant. */
  async checkedSince(fans: string[], network: string, at: Date): Promise<Set<string>> {
    const found = await this.records
      .find({ fan: { $in: fans }, network, checkedAt: { $gt: at } }, { fan: 1 })
      .lean<Pick<IdentityRecord, 'fan'>[]>();
    return new Set(found.map(({ fan }) => fan));
  }

  /**
   * Every identity that comes due between two instants, `size` at a time, in no order: a store that
   * sorts to find the first few would do so again for each few.
   */
  async *due(from: Date, to: Date, size: number): AsyncGenerator<DueIdentity[]> {
    let batch: DueIdentity[] = [];
    const fields = { _id: 0, fan: 1, network: 1, checkedAt: 1 };
    for await (const identity of this.records
      .find({ askAt: { $gt: from, $lte: to } }, fields)
      .lean<DueIdentity[]>()
      .cursor({ batchSize: 1000 })) {
      batch.push(identity);
      if (batch.length < size) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }
}
