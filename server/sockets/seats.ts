import type { Bus } from '../platform/bus.js';
import type { RedisClients } from '../platform/redis.js';

/**
 * The most sockets of one fan. A dozen open tabs on each of two devices are more than anybody
 * reads, and each costs its share of every message.
 */
export const SEATS = 30;
/** How long after a fan's last connection the list of their seats is kept, in seconds. */
const KEPT_S = 86_400;

/**
 * Bounds the sockets of each fan over all processes, by an ordered list in Redis, the oldest first.
 * The oldest goes, because the newest is the one being looked at: a fan whose phone lost its
 * network must not be kept out by dead connections that nobody has noticed yet, nor by those of a
 * killed process. While Redis is away, or where the news that a seat was given up was lost, each
 * process keeps the bound for its own sockets.
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

  /** Lists the sockets of a fan on this process, the oldest first. */
  socketsOf(fan: string): Iterable<string> {
    return this.here.get(fan) ?? [];
  }

  private key(fan: string): string {
    return `${this.redis.prefix}seats:${fan}`;
  }

  /** Seats a socket that was let in; the fan's oldest go while there are too many. Never throws. */
  async take(fan: string, socket: string): Promise<void> {
    const mine = this.here.get(fan) ?? new Set();
    this.here.set(fan, mine.add(socket));
    for (const oldest of mine) {
      if (mine.size <= SEATS) break;
      this.free(fan, oldest);
      this.leave(oldest);
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
      if (!this.here.get(fan)?.has(socket)) {
        await this.redis.commands.zrem(key, `${this.bus.process}:${socket}`);
      } else if (count > SEATS) {
        const popped = await this.redis.commands.zpopmin(key, count - SEATS);
        // Members and their scores in turns.
        const seats = popped.filter((_member, index) => index % 2 === 0);
        this.bus.tell('sockets:crowded', { fan, seats });
      }
    } catch {
      // Redis is away: the bound of this process holds.
    }
  }

  /** Gives up those of these seats that are of this process. */
  crowded(seats: string[]): void {
    const mine = `${this.bus.process}:`;
    for (const seat of seats) if (seat.startsWith(mine)) this.leave(seat.slice(mine.length));
  }

  /** Frees the seat of a socket that is gone. */
  free(fan: string, socket: string): void {
    const mine = this.here.get(fan);
    if (!mine?.delete(socket)) return;
    if (mine.size === 0) this.here.delete(fan);
    this.redis.commands.zrem(this.key(fan), `${this.bus.process}:${socket}`).catch(() => undefined);
  }
}
