import { Schema, type Connection, type Model } from 'mongoose';
import { NetworkError, type NetworkId, type Post } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { Clock } from '../platform/clock.js';
import { SwrCache } from '../platform/swr-cache.js';
import { isDuplicate, model } from '../platform/mongo.js';
import type { Registry } from '../registry/service.js';

/**
 * What a verified account published. `_id` = network and the network's id. Shard key: `athlete`.
 */
export interface PostRecord {
  _id: string;
  network: NetworkId;
  postId: string;
  account: string;
  athlete: string;
  url: string;
  text: string;
  createdAt: Date;
  fetchedAt: Date;
}
const schema = new Schema<PostRecord>({
  _id: String,
  network: String,
  postId: String,
  account: String,
  athlete: String,
  url: String,
  text: String,
  createdAt: Date,
  fetchedAt: Date,
});
schema.index({ athlete: 1, createdAt: -1 });

const NEWEST = 10;

/** Posts of verified accounts, stored so that no page asks a network. */
export class Posts {
  private readonly records: Model<PostRecord>;
  private readonly shown = new SwrCache<PostRecord[]>(30_000, 5000);

  constructor(
    connection: Connection,
    private readonly networks: Networks,
    private readonly registry: Registry,
    private readonly clock: Clock,
  ) {
    this.records = model(connection, 'Post', schema, 'posts');
  }

  /**
   * Fetches the newest posts of so many verified accounts, those behind `after`; a network that is
   * down is skipped. Answers behind which account to go on, or null when these were the last. Ends
   * early when `signal` says so.
   */
  async fetch(after: string, most: number, signal?: AbortSignal): Promise<string | null> {
    const down = new Set<NetworkId>();
    const all = (await this.registry.verified()).map((account) => ({
      account,
      key: `${account.network}:${account.accountId}`,
    }));
    const rest = all.filter(({ key }) => key > after).sort((a, b) => (a.key < b.key ? -1 : 1));
    const part = rest.slice(0, most);
    for (const { account } of part) {
      signal?.throwIfAborted();
      if (down.has(account.network)) continue;
      try {
        const posts = await this.networks
          .adapter(account.network)
          .fetchPosts({ account: account.accountId, limit: NEWEST });
        await this.keep(account.athlete.id, posts);
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error;
        if (error.code === 'network_down' || error.code === 'rate_limited')
          down.add(account.network);
      }
    }
    return rest.length > part.length ? (part.at(-1)?.key ?? null) : null;
  }

  private async keep(athlete: string, posts: Post[]): Promise<void> {
    if (posts.length === 0) return;
    const now = this.clock.now();
    const records = posts.map((one): PostRecord => ({
      _id: `${one.network}:${one.id}`,
      network: one.network,
      postId: one.id,
      account: one.author,
      athlete,
      url: one.url,
      text: one.text,
      createdAt: one.createdAt,
      fetchedAt: now,
    }));
    const known = new Set(
      (
        await this.records.find({ _id: { $in: records.map((one) => one._id) } }, { _id: 1 }).lean()
      ).map((one) => one._id),
    );
    const fresh = records.filter((one) => !known.has(one._id));
    if (fresh.length > 0)
      await this.records.insertMany(fresh, { ordered: false }).catch((error: unknown) => {
        if (!isDuplicate(error)) throw error;
      });
  }

  /** An athlete's newest posts, of accounts that are verified now. */
  async newest(athlete: string, limit: number): Promise<PostRecord[]> {
    const accounts = await this.registry.verifiedOf(athlete);
    if (accounts.length === 0) return [];
    return this.shown.get(
      `${athlete}|${limit}|${accounts.map((one) => one.accountId).join()}`,
      () =>
        this.records
          .find({ athlete, account: { $in: accounts.map((one) => one.accountId) } })
          .sort({ createdAt: -1 })
          .limit(limit)
          .lean<PostRecord[]>()
          .exec(),
    );
  }
}
