import { randomBytes } from 'node:crypto';
import type { Connection, Model } from 'mongoose';
import { Batcher } from '../platform/batcher.js';
import type { Clock } from '../platform/clock.js';
import { Fresh } from '../platform/fresh.js';
import { sha256 } from '../platform/ids.js';
import { tokenModel, type TokenRecord } from './fan.model.js';

/** What a token may be allowed: read what its fan reads, follow, chat, moderate, organise. */
export const SCOPES = ['read', 'follow', 'chat', 'moderate', 'organise'] as const;
export type Scope = (typeof SCOPES)[number];

const CACHE_MS = 5000;
const MOST = 10_000;

/** Personal API tokens (DESIGN 7): shown once, stored hashed. */
export class ApiTokens {
  private readonly records: Model<TokenRecord>;
  private readonly reader: Batcher<TokenRecord>;
  private readonly known = new Fresh<TokenRecord | null>(CACHE_MS, MOST);

  constructor(
    connection: Connection,
    private readonly clock: Clock,
  ) {
    this.records = tokenModel(connection);
    this.reader = new Batcher(async (ids) => {
      const found = await this.records.collection.find<TokenRecord>({ _id: { $in: ids as never[] } }).toArray();
      return new Map(found.map((one) => [one._id, one]));
    });
  }

  /** Makes a token and answers its text, which is never seen again. */
  async create(fan: string, name: string, scopes: readonly Scope[] = SCOPES): Promise<string> {
    const text = `vlg_${randomBytes(32).toString('base64url')}`;
    await this.records.create({ _id: sha256(text), fan, name, scopes: [...scopes], createdAt: this.clock.now() });
    return text;
  }

  /** Whose token this is, or null. A token that was ended lives on for five seconds at most. */
  find(text: string): Promise<TokenRecord | null> {
    const id = sha256(text);
    return this.known.get(id, () => this.reader.get(id));
  }

  async list(fan: string): Promise<TokenRecord[]> {
    return this.records.find({ fan }).sort({ createdAt: -1 }).lean<TokenRecord[]>();
  }

  /** Ends a token of this fan by its id (the hash); answers whether there was one. */
  async end(fan: string, id: string): Promise<boolean> {
    const { deletedCount } = await this.records.deleteOne({ _id: id, fan });
    this.known.forget(id);
    return deletedCount === 1;
  }
}
