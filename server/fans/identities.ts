import type { Connection, Model } from 'mongoose';
import { VillageError } from '../errors.js';
import {
  NetworkError,
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
/** How long after a link without its first asking a sweep makes up for it, in ms. */
const UNASKED_MS = 60_000;
const owner = (fan: string, network: string): string => `${fan}:${network}`;

function byFan(found: IdentityRecord[]): Map<string, IdentityRecord[]> {
  const lists = new Map<string, IdentityRecord[]>();
  for (const one of found) lists.set(one.fan, [...(lists.get(one.fan) ?? []), one]);
  return lists;
}

/** Fans' own accounts on networks, and the tokens behind them. */
export class Identities {
  private readonly records: Model<IdentityRecord>;
  private readonly links: BatchLoader<IdentityRecord[]>;
  /** With their tokens: askings of many fans begin together. */
  private readonly whole: BatchLoader<IdentityRecord[]>;

  constructor(
    connection: Connection,
    private readonly vault: TokenVault,
    private readonly networks: Networks,
    private readonly leases: Leases,
    private readonly clock: Clock,
  ) {
    this.records = identityModel(connection);
    this.links = new BatchLoader(async (fans) => {
      const found = await this.records.collection
        .find<IdentityRecord>(
          { fan: { $in: fans } },
          { projection: { sealed: 0 }, readConcern: { level: 'majority' } },
        )
        .toArray();
      return byFan(found);
    });
    this.whole = new BatchLoader(async (fans) =>
      byFan(await this.records.find({ fan: { $in: fans } }).lean<IdentityRecord[]>()),
    );
  }

  /**
   * The identity behind a network's stable id; handles and mail addresses are never the key (ASVS
   * 6.8.1).
   */
  async find(network: NetworkId, networkId: string): Promise<IdentityRecord | null> {
    return this.records.findOne({ network, networkId }).lean<IdentityRecord>();
  }

  async linkedBy(fan: string): Promise<IdentityRecord[]> {
    return this.records.find({ fan }).sort({ linkedAt: 1 }).lean<IdentityRecord[]>();
  }

  /** Whether this link of a fan still stands, as the store has it now. */
  async linkStands(fan: string, link: string): Promise<boolean> {
    return ((await this.links.load(fan)) ?? []).some((one) => one.link === link);
  }

  /** Fans whose account on a network this is, or who speak for it there. */
  async owning(network: NetworkId, account: string): Promise<string[]> {
    const found = await this.records
      .find({ network, $or: [{ networkId: account }, { manages: account }] }, { fan: 1 })
      .lean<Pick<IdentityRecord, 'fan'>[]>();
    return [...new Set(found.map((one) => one.fan))];
  }

  /** Whoever has this public handle on a network; nobody where people have none. */
  async byHandle(network: NetworkId, handle: string): Promise<IdentityRecord | null> {
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
    const { network, id: networkId, handle } = linked.account;
    const held = await this.find(network, networkId);
    if (held && held.fan !== fan) throw new VillageError('identity_taken', { network });
    const tokens = this.sealed(fan, network, linked.tokens);
    if (held) {
      await this.records.updateOne(
        { _id: held._id },
        { $set: { handle, manages: linked.manages, ...tokens } },
      );
      return isLost(held) ? 'regained' : 'renewed';
    }
    try {
      await this.records.create({
        _id: randomId(),
        fan,
        network,
        networkId,
        handle,
        ...tokens,
        manages: linked.manages,
        link: randomId(),
        linkedAt: this.clock.now(),
        checkedAt: null,
        // The job that asks is made right behind; should this process die before that, the sweep
        // makes it.
        askAt: new Date(this.clock.now().getTime() + UNASKED_MS),
      });
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      const now = await this.find(network, networkId);
      if (now?.fan === fan) return 'renewed';
      throw new VillageError(now ? 'identity_taken' : 'network_already_linked', { network });
    }
    return 'new';
  }

  private sealed(
    fan: string,
    network: string,
    tokens: TokenSet,
  ): Pick<IdentityRecord, 'sealed' | 'expiresAt' | 'scopes'> {
    return {
      sealed: this.vault.seal(JSON.stringify(tokens), owner(fan, network)),
      expiresAt: tokens.expiresAt,
      scopes: tokens.scopes,
    };
  }

  private open(identity: IdentityRecord): TokenSet | null {
    if (!identity.sealed) return null;
    const kept = JSON.parse(
      this.vault.open(identity.sealed, owner(identity.fan, identity.network)),
    ) as Omit<TokenSet, 'expiresAt'> & {
      expiresAt: string | null;
    };
    return { ...kept, expiresAt: kept.expiresAt ? new Date(kept.expiresAt) : null };
  }

  /**
   * The fan's identity on a network with tokens that are good now, refreshed if need be (one
   * refresh at a time a person, stored before use). Null when there is no identity or the network
   * dropped its permission; `tokens` null when they cannot be had just now.
   */
  async usable(
    fan: string,
    network: NetworkId,
  ): Promise<{ identity: IdentityRecord; tokens: TokenSet | null } | null> {
    const identity = (await this.whole.load(fan))?.find((one) => one.network === network);
    if (!identity) return null;
    const tokens = this.open(identity);
    if (!tokens) return null;
    if (
      tokens.expiresAt === null ||
      tokens.expiresAt.getTime() > this.clock.now().getTime() + 60_000
    )
      return { identity, tokens };
    const lease = await this.leases.take(`refresh:${owner(fan, network)}`, 15_000);
    if (!lease) return { identity, tokens: null };
    try {
      const now = await this.records.findById(identity._id).lean<IdentityRecord>();
      if (!now) return null;
      const latest = this.open(now);
      if (latest && latest.accessToken !== tokens.accessToken)
        return { identity: now, tokens: latest };
      const next = await this.networks.adapter(network).refresh(tokens);
      await this.records.updateOne(
        { _id: identity._id },
        { $set: this.sealed(fan, network, next) },
      );
      return { identity: now, tokens: next };
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      if (error.code !== 'auth_revoked' && error.code !== 'auth_expired')
        return { identity, tokens: null };
      await this.records.updateOne(
        { _id: identity._id, sealed: identity.sealed },
        { $set: { sealed: null } },
      );
      return null;
    } finally {
      await lease.release();
    }
  }

  /**
   * The network refused these tokens before their time: they count as expired, so that the next use
   * asks for new ones, and only if those are refused too is the permission lost.
   */
  async distrust(identity: IdentityRecord, tokens: TokenSet): Promise<void> {
    const doubted = this.sealed(identity.fan, identity.network, {
      ...tokens,
      expiresAt: new Date(0),
    });
    await this.records.updateOne({ _id: identity._id, sealed: identity.sealed }, { $set: doubted });
  }

  /**
   * Names that an earlier hub kept as handles where people have none: they are those of the people
   * themselves.
   */
  async privateNames(fan: string): Promise<string[]> {
    return (await this.linkedBy(fan))
      .filter(
        (one) =>
          !this.networks.adapter(one.network as NetworkId).publicHandles && one.handle !== '',
      )
      .map((one) => one.handle);
  }

  /** Forgets those names, and the others that an earlier hub kept beside public handles. */
  async dropPrivateNames(): Promise<void> {
    const networks = this.networks.all().filter((one) => !one.publicHandles);
    await this.records.updateMany(
      { network: { $in: networks.map((one) => one.id) }, handle: { $ne: '' } },
      { $set: { handle: '' } },
    );
    await this.records.collection.updateMany({ name: { $exists: true } }, { $unset: { name: '' } });
  }

  /**
   * All these fans' deeds on a network were asked about, and are to be asked about again from
   * `next` on.
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
    return new Set(found.map((one) => one.fan));
  }

  /**
   * Every identity that comes due between two instants, so many at a time, in no order: a store
   * that sorts to find the first few would do that anew for each few.
   */
  async *due(from: Date, to: Date, size: number): AsyncGenerator<DueIdentity[]> {
    let batch: DueIdentity[] = [];
    const fields = { _id: 0, fan: 1, network: 1, checkedAt: 1 };
    for await (const one of this.records
      .find({ askAt: { $gt: from, $lte: to } }, fields)
      .lean<DueIdentity[]>()
      .cursor({ batchSize: 1000 })) {
      batch.push(one);
      if (batch.length < size) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }

  /**
   * Identities that were linked before there was a time to ask are asked about next. A step of the
   * release.
   */
  async release(): Promise<void> {
    await this.records.updateMany(
      { askAt: { $exists: false } },
      { $set: { askAt: this.clock.now() } },
    );
  }
}
