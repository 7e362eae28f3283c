import session, { Store, type Session, type SessionData } from 'express-session';
import { Schema, type Connection, type Model } from 'mongoose';
import type { Request, RequestHandler } from 'express';
import { VillageError } from '../errors.js';
import { BatchLoader } from './batch-loader.js';
import type { Clock } from './clock.js';
import { randomText, sha256 } from './ids.js';
import { model } from './mongo.js';
import type { RedisClients } from './redis.js';

declare module 'express-session' {
  interface SessionData {
    /** Whose session it is, once somebody has signed in. */
    fan?: string;
    /**
     * The fan's session version when this session began; a newer version in their document ends it.
     */
    version?: number;
    /** When the fan signed in. */
    since?: number;
    /** When the session was last used, to the hour; the store keeps it. */
    seenAt?: number;
    /**
     * Sign-ins under way, by state (RFC 6749, 10.12): each for ten minutes, and for a single use.
     */
    logins?: Record<
      string,
      {
        network: string;
        secret: Record<string, string>;
        at: number;
        returnTo: string;
        link: boolean;
      }
    >;
    /**
     * A person who has proved an account and has not answered the welcome page yet; sealed, because
     * it holds tokens.
     */
    newcomer?: { sealed: string; returnTo: string; at: number };
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
const schema = new Schema<SessionRecord>({
  _id: String,
  fan: String,
  data: String,
  createdAt: Date,
  seenAt: Date,
  expires: Date,
});
schema.index({ expires: 1 }, { expireAfterSeconds: 0 });
schema.index({ fan: 1 }, { partialFilterExpression: { fan: { $type: 'string' } } });

const DAY = 86_400_000;
const IDLE = 14 * DAY;
const ABSOLUTE = 30 * DAY;
const HOUR = 3_600_000;
/**
 * How long a sign-in may take, in ms, and so the session of somebody who has proved nothing yet.
 */
export const LOGIN_MS = 10 * 60_000;
/** How long a person who has proved an account may take for the welcome page, in ms. */
export const NEWCOMER_MS = HOUR;
/** How long a copy in Redis serves before MongoDB is asked again, in s. */
const CACHE_S = 600;
/**
 * How long the copies in Redis are ignored after it was away, in ms: longer than what a process
 * knows of a fan may be old, so that news that were lost meanwhile bring back no session that is
 * over by MongoDB.
 */
const DOUBT_MS = 10_000;

/** Knows which sessions of fans are over. Sessions are named by the hash of their id. */
export interface SessionOwners {
  /** Whether a session of this version still stands. */
  stands(fan: string, version: number, session: string): Promise<boolean>;
  /** Records that a session is over. */
  ended(fan: string, session: string): Promise<void>;
}

/**
 * Stores sessions in MongoDB, with copies in Redis. Ids are stored hashed (ASVS 7.2.3). A session
 * that ended never comes back: it is inserted once, under an id that nobody had before, and after
 * that only updated where it still is; and its fan's document says that it is over, whatever an old
 * copy still holds. The keys of copies name the run of Redis, so that a Redis restored from an old
 * file is not even asked. Only sessions of fans are copied; those of sign-ins under way are not.
 */
export class SessionStore extends Store {
  private readonly records: Model<SessionRecord>;
  private readonly reader: BatchLoader<SessionRecord>;
  /** The sessions of requests under way that were found in the store or put there. */
  private readonly stored = new WeakSet<SessionData>();
  private owners: SessionOwners | null = null;
  /** When Redis was last found away, by the process's own clock. */
  private awayAt = -Infinity;

  constructor(
    connection: Connection,
    private readonly redis: RedisClients,
    private readonly clock: Clock,
  ) {
    super();
    this.records = model(connection, 'Session', schema, 'sessions');
    this.reader = new BatchLoader(async (hashes) => {
      const found = await this.records.collection
        .find<SessionRecord>({ _id: { $in: hashes as never[] } })
        .toArray();
      return new Map(found.map((record) => [record._id, record]));
    });
  }

  /** Says who knows which sessions are over; called once, before the first request. */
  belongTo(owners: SessionOwners): void {
    this.owners = owners;
  }

  private async key(hash: string): Promise<string> {
    return `${this.redis.prefix}session:${await this.redis.runId()}:${hash}`;
  }

  private async cached(hash: string): Promise<SessionData | null> {
    if (performance.now() - this.awayAt < DOUBT_MS) return null;
    try {
      const text = await this.redis.commands.get(await this.key(hash));
      return text === null ? null : (JSON.parse(text) as SessionData);
    } catch {
      this.awayAt = performance.now();
      return null;
    }
  }

  private async cache(
    hash: string,
    data: SessionData | null,
    expires = new Date(0),
  ): Promise<void> {
    try {
      const key = await this.key(hash);
      const seconds = Math.min(
        CACHE_S,
        Math.floor((expires.getTime() - this.clock.now().getTime()) / 1000),
      );
      if (data === null || seconds < 1) await this.redis.commands.del(key);
      else await this.redis.commands.set(key, JSON.stringify(data), 'EX', seconds);
    } catch {
      // Redis is away: MongoDB answers.
    }
  }

  private async fromStore(hash: string): Promise<SessionData | null> {
    const found = await this.reader.load(hash);
    if (!found || found.expires <= this.clock.now()) return null;
    const data = { ...(JSON.parse(found.data) as SessionData), seenAt: found.seenAt.getTime() };
    if (found.fan !== null) await this.cache(hash, data, found.expires);
    return data;
  }

  /** Which of these sessions, named by their hashes, MongoDB has now. */
  async living(hashes: string[]): Promise<Set<string>> {
    if (hashes.length === 0) return new Set();
    const found = await this.records
      .find({ _id: { $in: hashes }, expires: { $gt: this.clock.now() } }, { _id: 1 })
      .lean();
    return new Set(found.map(({ _id }) => _id));
  }

  /** The session of this id while it stands, else null. */
  async read(sid: string): Promise<SessionData | null> {
    const hash = sha256(sid);
    const data = (await this.cached(hash)) ?? (await this.fromStore(hash));
    if (data?.fan === undefined) return data;
    return (await this.owners?.stands(data.fan, data.version ?? 0, hash)) === true ? data : null;
  }

  /**
   * When a session ends by itself: a fan's ends two weeks after its last use, and at the latest a
   * month after the sign-in (ASVS 7.3.1, 7.3.2).
   */
  private expiry(data: SessionData): Date {
    const now = this.clock.now().getTime();
    if (data.fan !== undefined)
      return new Date(Math.min(now + IDLE, (data.since ?? now) + ABSOLUTE));
    return new Date(data.newcomer ? data.newcomer.at + NEWCOMER_MS : now + LOGIN_MS);
  }

  /**
   * Stores a session: inserts a new one, updates any other where it still is. Throws
   * `not_signed_in` when it ended meanwhile.
   */
  private async write(sid: string, data: SessionData): Promise<void> {
    const hash = sha256(sid);
    const now = this.clock.now();
    const expires = this.expiry(data);
    const fan = data.fan ?? null;
    const fields = { fan, data: JSON.stringify(data), seenAt: now, expires };
    if (this.stored.has(data)) {
      const { matchedCount } = await this.records.updateOne({ _id: hash }, { $set: fields });
      if (matchedCount === 0) throw new VillageError('not_signed_in');
    } else {
      await this.records.create({ _id: hash, ...fields, createdAt: now });
      this.stored.add(data);
    }
    if (fan !== null) await this.cache(hash, { ...data, seenAt: now.getTime() }, expires);
  }

  /**
   * Ends a session. Its fan's document says so before anything is removed, and from then on no copy
   * counts, wherever it is.
   */
  private async remove(sid: string): Promise<void> {
    const hash = sha256(sid);
    const found = await this.records.findById(hash, { fan: 1 }).lean<Pick<SessionRecord, 'fan'>>();
    const fan = found ? found.fan : ((await this.cached(hash))?.fan ?? null);
    if (fan !== null) await this.owners?.ended(fan, hash);
    await this.records.deleteOne({ _id: hash });
    if (fan !== null) await this.cache(hash, null);
  }

  /**
   * Removes all sessions of a fan. Their copies in Redis are void by the fan's version, which the
   * caller has raised.
   */
  async removeAllOf(fan: string): Promise<void> {
    await this.records.deleteMany({ fan });
  }

  /** Makes the session of a request from what was read; called by express-session. */
  override createSession(req: Request, data: SessionData): Session & SessionData {
    const live = super.createSession(req, data);
    this.stored.add(live);
    return live;
  }

  /** Reads a session; called by express-session. */
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

  /** Stores a session; called by express-session. */
  override set(sid: string, data: SessionData, done?: (error?: unknown) => void): void {
    this.write(sid, data).then(
      () => done?.(),
      (error: unknown) => done?.(error),
    );
  }

  /** Ends a session; called by express-session. */
  override destroy(sid: string, done?: (error?: unknown) => void): void {
    this.remove(sid).then(
      () => done?.(),
      (error: unknown) => done?.(error),
    );
  }

  /**
   * Prolongs a fan's session, at most once an hour: a write for each page view would cost too much.
   * The data of the session are not written, because another request may just have changed them.
   */
  override touch(sid: string, data: SessionData, done?: () => void): void {
    const now = this.clock.now();
    if (data.fan === undefined || now.getTime() - (data.seenAt ?? 0) < HOUR) {
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

/**
 * The name of the session cookie: `__Host-village` under https; under http, which is for loopback
 * only, it holds the port.
 */
export function sessionCookie(publicUrl: string): { name: string; secure: boolean } {
  const { protocol, port } = new URL(publicUrl);
  return protocol === 'https:'
    ? { name: '__Host-village', secure: true }
    : { name: `village-${port || '80'}`, secure: false };
}

/**
 * The middleware that reads and writes sessions. Nothing is stored for visitors until they begin to
 * sign in.
 */
export function sessions(store: SessionStore, secret: string, publicUrl: string): RequestHandler {
  const { name, secure } = sessionCookie(publicUrl);
  return session({
    store,
    name,
    secret,
    resave: false,
    saveUninitialized: false,
    rolling: false,
    genid: () => randomText(24),
    proxy: secure,
    // The browser keeps the cookie to the end; whether it was unused for too long the store
    // decides.
    cookie: { httpOnly: true, sameSite: 'lax', path: '/', secure, maxAge: ABSOLUTE },
  });
}
