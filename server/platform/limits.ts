import { isIPv6 } from 'node:net';
import {
  RateLimiterMemory,
  RateLimiterRedis,
  type RateLimiterAbstract,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { VillageError } from '../errors.js';
import type { RedisClients } from './redis.js';

/** Every limit of the hub: `points` acts in `duration` seconds. */
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
  /** Repeats of what was counted already; beyond these they count like anything new. */
  repeat: { points: 60, duration: 60 },
  /** Sockets that a fan opens. */
  connect: { points: 120, duration: 60 },
  handshake: { points: 12_000, duration: 60 },
} as const;

/** How long what was counted once is known by its name, in seconds. */
const REMEMBERED_S = 60;

export type LimitName = keyof typeof LIMITS;

/** Counts acts by whoever does them, over all processes; in memory while Redis is away. */
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
   * Counts an act that has a name of its own (`id`, unique for `who`) once: whoever only repeats
   * it, because no answer came, is not counted again for a minute. Only what was let through is
   * remembered, so that what was refused is counted each time; and repeats have a limit too, beyond
   * which they count. Throws `rate_limited` with the seconds to wait. While Redis is away each try
   * counts.
   */
  async countNew(name: LimitName, who: string, id: string): Promise<void> {
    const key = `${this.redis.prefix}counted:${name}:${who}:${id}`;
    const before = await this.redis.commands.exists(key).catch(() => 0);
    if (before === 1 && (await this.isLeft('repeat', who))) return;
    await this.count(name, who);
    if (before === 0) this.redis.commands.set(key, '', 'EX', REMEMBERED_S).catch(() => undefined);
  }

  private async isLeft(name: LimitName, who: string): Promise<boolean> {
    return this.count(name, who).then(
      () => true,
      () => false,
    );
  }
}

/** What an address counts as: IPv4 whole, IPv6 by its /56, IPv4 in IPv6 as IPv4 (ASVS 4.1.3). */
export function addressKey(address: string | undefined): string {
  const text = address ?? 'unknown';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text);
  if (mapped?.[1]) return mapped[1];
  if (!isIPv6(text)) return text;
  const [head = '', tail = ''] = text.split('::');
  const front = head.split(':').filter(Boolean);
  const back = tail.split(':').filter(Boolean);
  const groups = [
    ...front,
    ...Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0'),
    ...back,
  ];
  return groups
    .slice(0, 4)
    .map((group, index) =>
      index === 3 ? group.padStart(4, '0').slice(0, 2) : group.padStart(4, '0'),
    )
    .join(':');
}
