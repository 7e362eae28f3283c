import type { Model } from 'mongoose';
import { NETWORKS, NetworkError, type NetworkId, type Profile } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import { BatchLoader } from '../platform/batch-loader.js';
import type { Clock } from '../platform/clock.js';
import { isDuplicate } from '../platform/mongo.js';
import type { AccountRecord } from './account.model.js';
import { skeleton } from '../platform/skeleton.js';

/** How old what is known of an account may be before the sweep asks. */
const SWEEP_AFTER_MS = 24 * 3_600_000;
/** How long a network that did not answer is left alone. */
const PAUSE_MS = 60_000;
const TRIES = 4;

const keyed = (network: NetworkId, accountId: string): string => `${network}:${accountId}`;

/** What of a record a profile says. */
export const seen = (profile: Profile, at: Date): AccountRecord['profile'] => ({
  name: profile.name,
  about: profile.about,
  createdAt: profile.createdAt,
  followers: profile.followers,
  badge: profile.badge,
  fetchedAt: at,
});

/**
 * Accounts as their network knows them now. They are asked for by their stable id: a handle may
 * change hands, and then it names whoever bears it now, and the account it was taken from has it
 * among its former ones.
 */
export class Handles {
  /**
   * Whoever wants the same account joins the request under way; what is wanted meanwhile is the
   * next one, together.
   */
  private readonly asks: BatchLoader<true>;
  private readonly pausedUntil = new Map<NetworkId, number>();

  /** @param changed hears that handles have changed and that this is stored */
  constructor(
    private readonly records: Model<AccountRecord>,
    private readonly networks: Networks,
    private readonly clock: Clock,
    private readonly changed: () => Promise<void>,
  ) {
    this.asks = new BatchLoader(async (keys) => {
      await Promise.all(NETWORKS.map((network) => this.askNetwork(network, keys)));
      return new Map(keys.map((key) => [key, true]));
    });
  }

  /**
   * Asks about those of these accounts of which nothing was heard for so many ms, or whose handle
   * somebody else was seen with. Resolves when what came is stored; a network that is away is no
   * error.
   */
  async refresh(accounts: AccountRecord[], olderThan: number): Promise<void> {
    const now = this.clock.now().getTime();
    const due = accounts.filter((one) => {
      const unheard =
        Math.abs(now - one.profile.fetchedAt.getTime()) >= olderThan ||
        (one.handleKey === null && !one.gone);
      return unheard && (this.pausedUntil.get(one.network) ?? -Infinity) <= now;
    });
    await Promise.all(due.map((one) => this.asks.load(keyed(one.network, one.accountId))));
  }

  /**
   * Asks about accounts not heard of for a day, and first about those whose handle somebody else
   * was seen with; at most so many of a network. Answers which.
   */
  async sweep(limit: number): Promise<AccountRecord[]> {
    const swept: AccountRecord[] = [];
    const before = new Date(this.clock.now().getTime() - SWEEP_AFTER_MS);
    for (const network of NETWORKS) {
      const lost = await this.records
        .find({ network, handleKey: null, gone: { $ne: true } })
        .limit(limit)
        .lean<AccountRecord[]>();
      const old = await this.records
        .find({ network, 'profile.fetchedAt': { $lt: before } })
        .sort({ 'profile.fetchedAt': 1 })
        .limit(limit)
        .lean<AccountRecord[]>();
      await this.refresh([...lost, ...old], 0);
      swept.push(...lost, ...old);
    }
    return swept;
  }

  private async askNetwork(network: NetworkId, keys: string[]): Promise<void> {
    const ids = keys
      .filter((key) => key.startsWith(`${network}:`))
      .map((key) => key.slice(network.length + 1));
    if (ids.length === 0) return;
    const askedAt = this.clock.now();
    try {
      const moved = await this.hear(
        network,
        await this.networks.adapter(network).profiles(ids),
        askedAt,
      );
      if (moved) await this.changed();
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      this.pausedUntil.set(
        network,
        Math.max(askedAt.getTime() + PAUSE_MS, error.retryAt?.getTime() ?? 0),
      );
    }
  }

  private async hear(
    network: NetworkId,
    profiles: Map<string, Profile | null>,
    askedAt: Date,
  ): Promise<boolean> {
    let moved = false;
    for (const [accountId, profile] of profiles)
      moved = (await this.apply(network, accountId, profile, askedAt)) || moved;
    return moved;
  }

  /**
   * Stores what a network said; whoever was heard of later is left as they are. Answers whether a
   * handle moved.
   */
  private async apply(
    network: NetworkId,
    accountId: string,
    profile: Profile | null,
    askedAt: Date,
  ): Promise<boolean> {
    const key = profile && this.networks.adapter(network).handleKey(profile.handle);
    for (let tries = 0; tries < TRIES; tries += 1) {
      const record = await this.records.findOne({ network, accountId }).lean<AccountRecord>();
      if (!record || record.profile.fetchedAt > askedAt) return false;
      if (key !== null && !(await this.take(network, key, accountId, askedAt))) return false;
      const lost =
        record.handleKey !== null && record.handleKey !== key
          ? [{ handle: record.handle, key: record.handleKey, until: askedAt }]
          : [];
      const former = [...record.former.filter((one) => one.key !== key), ...lost];
      const set = profile
        ? {
            handle: profile.handle,
            handleKey: key,
            skeleton: skeleton(profile.handle),
            former,
            gone: false,
            profile: seen(profile, askedAt),
          }
        : { handleKey: null, former, gone: true, 'profile.fetchedAt': askedAt };
      try {
        const { matchedCount } = await this.records.updateOne(
          {
            _id: record._id,
            handleKey: record.handleKey,
            'profile.fetchedAt': record.profile.fetchedAt,
          },
          { $set: set },
        );
        if (matchedCount === 1)
          return (
            record.handleKey !== key ||
            record.handle !== (profile?.handle ?? record.handle) ||
            record.gone !== (profile === null)
          );
      } catch (error) {
        // Another account was given this handle in between: whose it is now is looked at again.
        if (!isDuplicate(error)) throw error;
      }
    }
    return false;
  }

  /**
   * A handle is this account's as of `at`: whoever is on record with it has lost it. Answers false
   * when another was seen with it later than that. The account it was taken from is asked about at
   * the next sweep.
   */
  async take(network: NetworkId, key: string, accountId: string, at: Date): Promise<boolean> {
    const bearer = await this.records
      .findOne({ network, handleKey: key, accountId: { $ne: accountId } })
      .lean<AccountRecord>();
    if (!bearer) return true;
    if (bearer.profile.fetchedAt > at) return false;
    await this.records.updateOne(
      { _id: bearer._id, handleKey: key },
      {
        $set: { handleKey: null, 'profile.fetchedAt': at },
        $push: { former: { handle: bearer.handle, key, until: at } },
      },
    );
    await this.changed();
    return true;
  }
}
