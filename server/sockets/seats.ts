import type { Bus } from '../platform/bus.js';
import type { RedisClients } from '../platform/redis.js';

/**
 * Sockets of one fan. A dozen open tabs on each of two devices are more than anybody reads; every
 * further one costs each room its share of every message.
 */
export const SEATS = 30;
/**
 * How long after a fan's last connect the list of their seats is kept, in seconds. Should it go
 * earlier, each process still keeps the bound.
 */
const KEPT_S = 86_400;

/**
 * How many sockets a fan may have, over all processes: an ordered list a fan in Redis, the oldest
 * first. The oldest goes, not the newest: the newest is the one being looked at, and a fan whose
 * phone lost its network must not be kept out by connections that nobody has noticed are dead; so
 * do the seats that a killed process left behind. While Redis is away, or where the news of an
 * eviction was lost, each process keeps the bound for itself.
 */
export class Seats {
  /** Per fan, the sockets of this process, the oldest first. */
  private readonly here = new Map<string, Set<string>>();

  /** @param leave is told which sockets of this process must go */
  constructor(
    private readonly redis: RedisClients,
    private readonly bus: Bus,
    private readonly leave: (socket: string) => void,
  ) {}

  /** The sockets of a fan on this process, the oldest first. */
  socketsOf(fan: string): Iterable<string> {
    return this.here.get(fan) ?? [];
  }

  private key(fan: string): string {
    return `${this.redis.prefix}seats:${fan}`;
  }

  /** A socket was let in: the fan's oldest go while there are too many. Never throws. */
  async take(fan: string, socket: string): Promise<void> {
    const mine = this.here.get(fan) ?? new Set();
    this.here.set(fan, mine.add(socket));
    for (const one of mine) {
      if (mine.size <= SEATS) break;
      this.free(fan, one);
      this.leave(one);
    }
    const key = this.key(fan);
    try {
      const told = await this.redis.commands
        .multi()
        .zadd(key, Date.now(), `${this.bus.process}:${socket}`)
        .expire(key, KEPT_S)
        .zcard(key)
        .exec();
      const count = Number(told?.[2]?.[1] ?? 0);
      // It may have left while Redis was asked.
      if (!this.here.get(fan)?.has(socket))
        await this.redis.commands.zrem(key, `${this.bus.process}:${socket}`);
      else if (count > SEATS)
        this.bus.tell('sockets:crowded', {
          fan,
          seats: (await this.redis.commands.zpopmin(key, count - SEATS)).filter(
            (_one, at) => at % 2 === 0,
          ),
        });
    } catch {
      /* Redis is away: the bound of this process stands. */
    }
  }

  /** These seats, of any process, were given up. */
  crowded(seats: string[]): void {
    const mine = `${this.bus.process}:`;
    for (const seat of seats) if (seat.startsWith(mine)) this.leave(seat.slice(mine.length));
  }

  /** A socket is gone. */
  free(fan: string, socket: string): void {
    const mine = this.here.get(fan);
    if (!mine?.delete(socket)) return;
    if (mine.size === 0) this.here.delete(fan);
    this.redis.commands.zrem(this.key(fan), `${this.bus.process}:${socket}`).catch(() => undefined);
  }
}
