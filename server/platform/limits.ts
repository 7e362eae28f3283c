import ipaddr from 'ipaddr.js';
import {
  RateLimiterMemory,
  RateLimiterRedis,
  type RateLimiterAbstract,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { VillageError } from '../errors.js';
import type { RedisClients } from './redis.js';

/** Every limit of the hub: so many acts (`points`) in so many seconds (`duration`). */
const LIMITS = {
  login: { points: 300, duration: 600 },
  /** Answers to the first page, and names proposed on it. */
  welcome: { points: 600, duration: 600 },
  follow: { points: 120, duration: 60 },
  check: { points: 6, duration: 60 },
  lookup: { points: 600, duration: 60 },
  search: { points: 12_000, duration: 60 },
  submit: { points: 120, duration: 600 },
  rename: { points: 5, duration: 86_400 },
  say: { points: 5, duration: 5 },
  join: { points: 60, duration: 60 },
  /** Repetitions of what was counted already; beyond these they count like anything new. */
  repeat: { points: 60, duration: 60 },
  /** Sockets that a fan opens. */
  connect: { points: 120, duration: 60 },
  handshake: { points: 12_000, duration: 60 },
} as const;

/** How long an act that was counted is remembered by its id, in seconds. */
const REMEMBERED_S = 60;

/** The name of a limit. */
export type LimitName = keyof typeof LIMITS;

/** Counts what people do, over all processes in Redis; in memory while Redis is away. */
export class Limits {
  private readonly limiters = new Map<LimitName, RateLimiterAbstract>();

  constructor(
    private readonly redis: RedisClients,
    scale = 1,
  ) {
    for (const [name, { points, duration }] of Object.entries(LIMITS)) {
      const options = {
        points: points * scale,
        duration,
        keyPrefix: `${redis.prefix}limit:${name}`,
      };
      this.limiters.set(
        name as LimitName,
        new RateLimiterRedis({
          storeClient: redis.commands,
          ...options,
          rejectIfRedisNotReady: true,
          inMemoryBlockOnConsumed: options.points + 1,
          insuranceLimiter: new RateLimiterMemory(options),
        }),
      );
    }
  }

  /** Counts one act. Throws `rate_limited` with the seconds to wait. */
  async count(name: LimitName, who: string): Promise<void> {
    try {
      await this.limiters.get(name)?.consume(who);
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error;
      throw new VillageError('rate_limited', {
        seconds: Math.max(1, Math.ceil(error.msBeforeNext / 1000)),
      });
    }
  }

  /**
   * Counts an act that has an id of its own (unique for `who`) once a minute, so that repeating it
   * because no answer came costs nothing. An act that was refused is not remembered, and counts
   * each time; repetitions beyond a limit of their own count too, and so does every try while Redis
   * is away. Throws `rate_limited` with the seconds to wait.
   */
  async countNew(name: LimitName, who: string, id: string): Promise<void> {
    const key = `${this.redis.prefix}counted:${name}:${who}:${id}`;
    const before = await this.redis.commands.exists(key).catch(() => 0);
    if (before === 1 && (await this.isWithin('repeat', who))) return;
    await this.count(name, who);
    if (before === 0) this.redis.commands.set(key, '', 'EX', REMEMBERED_S).catch(() => undefined);
  }

  private async isWithin(name: LimitName, who: string): Promise<boolean> {
    return this.count(name, who).then(
      () => true,
      () => false,
    );
  }
}

/** What a household gets, and so what counts as one address of IPv6 (ASVS 4.1.3). */
const HOUSEHOLD_BITS = 56;

/** What an address is counted as: IPv4 as it is, IPv6 by its /56, IPv4 mapped into IPv6 as IPv4. */
export function addressKey(address: string | undefined): string {
  if (address === undefined || !ipaddr.isValid(address)) return address ?? 'unknown';
  const parsed = ipaddr.process(address).toString();
  return ipaddr.IPv4.isValid(parsed)
    ? parsed
    : ipaddr.IPv6.networkAddressFromCIDR(`${parsed}/${HOUSEHOLD_BITS}`).toString();
}
