import { Schema, type Connection, type Model } from 'mongoose';
import { NetworkError, type NetworkId, type Post } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { Clock } from '../platform/clock.js';
import { isDuplicate, model } from '../platform/mongo.js';
import { SwrCache } from '../platform/swr-cache.js';
import type { Registry } from '../registry/service.js';

/** What a verified account published. Shard key: `athlete`. */
export interface PostRecord {
  /** Network and the network's own id, as `x:123`. */
  _id: string;
  network: NetworkId;
  postId: string;
  /** The network's id of the account. */
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

/** Posts that an account is asked for. */
const NEWEST = 10;
const CACHE_MS = 30_000;
const MOST_CACHED = 5000;

/** Posts of verified accounts, stored so that no page asks a network. */
export class Posts {
  private readonly records: Model<PostRecord>;
  private readonly shown = new SwrCache<PostRecord[]>(CACHE_MS, MOST_CACHED);

  constructor(
    private readonly parts: {
      connection: Connection;
      networks: Networks;
      registry: Registry;
      clock: Clock;
    },
  ) {
    this.records = model(parts.connection, 'Post', schema, 'posts');
  }

  /**
   * Fetches the newest posts of up to `most` verified accounts, in the order of their keys, those
   * behind `after`; a network that is down is skipped. Answers the key to go on behind, or null
   * when these were the last. Throws the reason of `signal` when that aborts.
   */
  async fetch(after: string, most: number, signal?: AbortSignal): Promise<string | null> {
    const rest = (await this.parts.registry.verified())
      .map((account) => ({ account, key: `${account.network}:${account.accountId}` }))
      .filter(({ key }) => key > after)
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    const part = rest.slice(0, most);
    const down = new Set<NetworkId>();
    for (const { account } of part) {
      signal?.throwIfAborted();
      if (down.has(account.network)) continue;
      try {
        const posts = await this.parts.networks
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

  /** Stores the posts that are not stored yet; a stored one stays as it was first seen. */
  private async keep(athlete: string, posts: Post[]): Promise<void> {
    if (posts.length === 0) return;
    const fetchedAt = this.parts.clock.now();
    const records = posts.map((post): PostRecord => ({
      _id: `${post.network}:${post.id}`,
      network: post.network,
      postId: post.id,
      account: post.author,
      athlete,
      url: post.url,
      text: post.text,
      createdAt: post.createdAt,
      fetchedAt,
    }));
    const ids = records.map(({ _id }) => _id);
    const stored = await this.records.find({ _id: { $in: ids } }, { _id: 1 }).lean();
    const known = new Set(stored.map(({ _id }) => _id));
    const fresh = records.filter(({ _id }) => !known.has(_id));
    if (fresh.length === 0) return;
    await this.records.insertMany(fresh, { ordered: false }).catch((error: unknown) => {
      if (!isDuplicate(error)) throw error;
    });
  }

  /** An athlete's newest posts, of accounts that are verified now; up to half a minute old. */
  async newest(athlete: string, limit: number): Promise<PostRecord[]> {
    const verified = await this.parts.registry.verifiedOf(athlete);
    if (verified.length === 0) return [];
    const accounts = verified.map(({ accountId }) => accountId);
    return this.shown.get(`${athlete}|${limit}|${accounts.join()}`, () =>
      this.records
        .find({ athlete, account: { $in: accounts } })
        .sort({ createdAt: -1 })
        .limit(limit)
        .lean<PostRecord[]>()
        .exec(),
    );
  }
}
