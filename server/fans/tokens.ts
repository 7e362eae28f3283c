import { randomBytes } from 'node:crypto';
import type { Connection, Model } from 'mongoose';
import { VillageError } from '../errors.js';
import type { Audit } from '../platform/audit.js';
import { BatchLoader } from '../platform/batch-loader.js';
import type { Bus } from '../platform/bus.js';
import type { Clock } from '../platform/clock.js';
import { SwrCache } from '../platform/swr-cache.js';
import { sha256 } from '../platform/ids.js';
import { fanModel, type FanRecord, type TokenRecord } from './fan.model.js';
import type { Fans } from './service.js';
import { type Scope, SCOPES } from '../platform/rights.js';

const CACHE_MS = 5000;
const MOST_CACHED = 10_000;
/** See `BatchLoader`: hundreds of unknown tokens come in a second when a chat begins. */
const REST_MS = 5;
/** Tokens of a fan. */
const MOST_TOKENS = 100;

/**
 * Makes, finds and ends personal API tokens (DESIGN 7): shown once, stored hashed in the document
 * of their fan, so that a single read answers who is asking.
 */
export class ApiTokens {
  private readonly records: Model<FanRecord>;
  private readonly fans: Fans;
  private readonly audit: Audit;
  private readonly clock: Clock;
  private readonly bus: Bus;
  private readonly loader: BatchLoader<{ fan: FanRecord; asOf: number }>;
  private readonly known = new SwrCache<{ fan: string; scopes: string[] } | null>(
    CACHE_MS,
    MOST_CACHED,
  );

  constructor(parts: { connection: Connection; fans: Fans; audit: Audit; clock: Clock; bus: Bus }) {
    this.records = fanModel(parts.connection);
    this.fans = parts.fans;
    this.audit = parts.audit;
    this.clock = parts.clock;
    this.bus = parts.bus;
    this.bus.on('fans:token_ended', ({ token }) => {
      this.known.invalidate(token);
    });
    this.loader = new BatchLoader(
      async (hashes) => {
        const { asOf } = this.fans;
        const found = await this.records.collection
          .find<FanRecord>({ 'tokens.hash': { $in: hashes } })
          .toArray();
        return new Map(found.flatMap((fan) => fan.tokens.map(({ hash }) => [hash, { fan, asOf }])));
      },
      500,
      REST_MS,
    );
  }

  /**
   * Makes a token and answers its text, which is never seen again. Throws `too_many_tokens`,
   * `fan_not_found`.
   */
  async create(fan: string, name: string, scopes: readonly Scope[] = SCOPES): Promise<string> {
    const text = `vlg_${randomBytes(32).toString('base64url')}`;
    const token: TokenRecord = {
      hash: sha256(text),
      name,
      scopes: [...scopes],
      createdAt: this.clock.now(),
    };
    const done = await this.records.updateOne(
      { _id: fan, [`tokens.${MOST_TOKENS - 1}`]: { $exists: false } },
      { $push: { tokens: token } },
    );
    if (done.matchedCount === 0)
      throw new VillageError(
        (await this.records.exists({ _id: fan })) ? 'too_many_tokens' : 'fan_not_found',
        { most: MOST_TOKENS },
      );
    try {
      await this.audit.add({
        by: fan,
        act: 'token.made',
        on: `fan:${fan}`,
        after: { name, scopes: token.scopes },
      });
    } catch (error) {
      // Nobody is shown a token that the log does not know of.
      await this.records
        .updateOne({ _id: fan }, { $pull: { tokens: { hash: token.hash } } })
        .catch(() => undefined);
      throw error;
    }
    return text;
  }

  /** Whose token this is, or null. A token that was ended lives on for five seconds at most. */
  find(text: string): Promise<{ fan: string; scopes: string[] } | null> {
    const hash = sha256(text);
    return this.known.get(hash, async () => {
      const { fan, asOf } = (await this.loader.load(hash)) ?? { fan: null, asOf: 0 };
      const token = fan?.tokens.find((each) => each.hash === hash);
      if (!fan || !token) return null;
      this.fans.know(fan, asOf);
      return { fan: fan._id, scopes: token.scopes };
    });
  }

  /** A fan's tokens, the newest first. */
  async list(fan: string): Promise<TokenRecord[]> {
    const found = await this.records.findById(fan, { tokens: 1 }).lean<Pick<FanRecord, 'tokens'>>();
    return [...(found?.tokens ?? [])].reverse();
  }

  /**
   * Ends a token of this fan by its hash, and whatever was opened with it. Answers whether there
   * was such a token.
   */
  async end(fan: string, hash: string): Promise<boolean> {
    if (!(await this.records.exists({ _id: fan, 'tokens.hash': hash }))) return false;
    // The log first: whoever tries again, because no answer came, ends it all the same.
    await this.audit.add({ by: fan, act: 'token.ended', on: `fan:${fan}` });
    const changed = await this.fans.nextChange();
    await this.records.updateOne({ _id: fan }, { $pull: { tokens: { hash } }, $set: { changed } });
    this.known.invalidate(hash);
    this.bus.tell('fans:token_ended', { fan, token: hash });
    return true;
  }
}
