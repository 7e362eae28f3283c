import session, { Store, type SessionData } from 'express-session';
import { randomBytes } from 'node:crypto';
import { Schema, type Connection, type Model } from 'mongoose';
import type { RequestHandler } from 'express';
import type { Clock } from './clock.js';
import { sha256 } from './ids.js';
import { model } from './mongo.js';
import type { RedisClients } from './redis.js';

declare module 'express-session' {
  interface SessionData {
    fan: string;
    /** The fan's session version when this session began; a newer one in the fan's document ends it. */
    version: number;
    since: number;
    /** When the session was last used, to the hour; the store keeps it. */
    seenAt: number;
    /** Logins under way, by state (RFC 6749, 10.12): single use, ten minutes. */
    logins: Record<string, { network: string; secret: Record<string, string>; at: number; returnTo: string; link: boolean }>;
    /** A person who has proved an account and has not answered the first page yet; sealed, because it holds tokens. */
    newcomer: { sealed: string; returnTo: string; at: number };
  }
}

interface SessionRecord {
  _id: string;
  fan: string | null;
  data: string;
  createdAt: Date;
  seenAt: Date;
  expires: Date;
}
const schema = new Schema<SessionRecord>({ _id: String, fan: String, data: String, createdAt: Date, seenAt: Date, expires: Date });
schema.index({ expires: 1 }, { expireAfterSeconds: 0 });
schema.index({ fan: 1 }, { partialFilterExpression: { fan: { $type: 'string' } } });

const DAY = 86_400_000;
const IDLE = 14 * DAY;
const ABSOLUTE = 30 * DAY;
const HOUR = 3_600_000;
/** How long the copy in Redis serves before MongoDB is asked again. */
const CACHE_S = 600;

/**
 * Sessions written through to MongoDB, Redis in front. Ids are stored hashed (ASVS 7.2.3). The cache key carries the run id of
 * Redis, so a Redis that comes back from an old file cannot bring back a session that was ended meanwhile.
 */
export class SessionStore extends Store {
  private readonly records: Model<SessionRecord>;

  constructor(
    connection: Connection,
    private readonly redis: RedisClients,
    private readonly clock: Clock,
  ) {
    super();
    this.records = model(connection, 'Session', schema, 'sessions');
  }

  private async key(hash: string): Promise<string> {
    return `${this.redis.prefix}session:${await this.redis.runId()}:${hash}`;
  }

  private async cached(hash: string): Promise<string | null> {
    try {
      return await this.redis.commands.get(await this.key(hash));
    } catch {
      return null;
    }
  }

  private async cache(hash: string, data: SessionData | null, expires = new Date(0)): Promise<void> {
    try {
      const key = await this.key(hash);
      const seconds = Math.min(CACHE_S, Math.floor((expires.getTime() - this.clock.now().getTime()) / 1000));
      if (data === null || seconds < 1) await this.redis.commands.del(key);
      else await this.redis.commands.set(key, JSON.stringify(data), 'EX', seconds);
    } catch {
      /* Redis is away: MongoDB answers. */
    }
  }

  /** The stored session of this id, or null. */
  async read(sid: string): Promise<SessionData | null> {
    const hash = sha256(sid);
    const quick = await this.cached(hash);
    if (quick !== null) return JSON.parse(quick) as SessionData;
    const found = await this.records.findById(hash).lean();
    if (!found || found.expires <= this.clock.now()) return null;
    const data = { ...(JSON.parse(found.data) as SessionData), seenAt: found.seenAt.getTime() };
    await this.cache(hash, data, found.expires);
    return data;
  }

  /** Which of these sessions, named by their hashes, the store has now; copies in Redis are not asked. */
  async living(hashes: string[]): Promise<Set<string>> {
    if (hashes.length === 0) return new Set();
    const found = await this.records.find({ _id: { $in: hashes }, expires: { $gt: this.clock.now() } }, { _id: 1 }).lean();
    return new Set(found.map(({ _id }) => _id));
  }

  /** Two weeks after the last use, a month after the sign-in (ASVS 7.3.1, 7.3.2). */
  private expiry(data: SessionData): Date {
    const now = this.clock.now().getTime();
    return new Date(Math.min(now + IDLE, (data.since ?? now) + ABSOLUTE));
  }

  private async write(sid: string, data: SessionData): Promise<void> {
    const hash = sha256(sid);
    const now = this.clock.now();
    const expires = this.expiry(data);
    await this.records.updateOne(
      { _id: hash },
      { $set: { fan: data.fan ?? null, data: JSON.stringify(data), seenAt: now, expires }, $setOnInsert: { createdAt: now } },
      { upsert: true },
    );
    await this.cache(hash, { ...data, seenAt: now.getTime() }, expires);
  }

  private async remove(sid: string): Promise<void> {
    const hash = sha256(sid);
    await this.records.deleteOne({ _id: hash });
    await this.cache(hash, null);
  }

  /** Removes every session of a fan. Copies in Redis die with the fan's version, which the caller has raised. */
  async removeAllOf(fan: string): Promise<void> {
    await this.records.deleteMany({ fan });
  }

  override get(sid: string, done: (error: unknown, session?: SessionData | null) => void): void {
    this.read(sid).then(
      (found) => {
        done(null, found);
      },
      (error: unknown) => {
        done(error);
      },
    );
  }

  override set(sid: string, data: SessionData, done?: (error?: unknown) => void): void {
    this.write(sid, data).then(
      () => done?.(),
      (error: unknown) => done?.(error),
    );
  }

  override destroy(sid: string, done?: (error?: unknown) => void): void {
    this.remove(sid).then(
      () => done?.(),
      (error: unknown) => done?.(error),
    );
  }

  /** Prolongs a session at most once an hour: a write a page view would be too dear. What the session holds is not written, another request may just have. */
  override touch(sid: string, data: SessionData, done?: () => void): void {
    const now = this.clock.now();
    if (now.getTime() - (data.seenAt ?? 0) < HOUR) {
      done?.();
      return;
    }
    const hash = sha256(sid);
    this.records
      .updateOne({ _id: hash }, { $set: { seenAt: now, expires: this.expiry(data) } })
      .then(() => this.cache(hash, null))
      .catch(() => undefined)
      .finally(() => done?.());
  }
}

/** Name of the session cookie: `__Host-village` under https; under http, on loopback only, one a port. */
export function sessionCookie(publicUrl: string): { name: string; secure: boolean } {
  const { protocol, port } = new URL(publicUrl);
  return protocol === 'https:' ? { name: '__Host-village', secure: true } : { name: `village-${port || '80'}`, secure: false };
}

/** The middleware that reads and writes sessions; nothing is stored for a visitor who has none. */
export function sessions(store: SessionStore, secret: string, publicUrl: string): RequestHandler {
  const { name, secure } = sessionCookie(publicUrl);
  return session({
    store,
    name,
    secret,
    resave: false,
    saveUninitialized: false,
    rolling: false,
    genid: () => randomBytes(24).toString('base64url'),
    proxy: secure,
    // The browser keeps it to the end; when it has gone unused for too long the store says so.
    cookie: { httpOnly: true, sameSite: 'lax', path: '/', secure, maxAge: ABSOLUTE },
  });
}
