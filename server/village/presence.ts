import type { Bus } from '../platform/bus.js';
import { SwrCache } from '../platform/swr-cache.js';
import { defineScript, loadScript, type Script } from '../platform/lua.js';
import type { RedisClients } from '../platform/redis.js';

/** How long what a process told counts, in seconds: a dead one's fades. */
const TOLD_S = 15;
/** How old what other processes told may be, in ms. */
const COUNT_MS = 1000;

const ELSEWHERE = loadScript(new URL('./lua/presence-elsewhere.lua', import.meta.url));

/**
 * Counts who is in a room: fans, not sockets, each once however many tabs, devices and processes
 * they are on. This process counts its own as they are, and tells the others its fans as a whole
 * set, so that nothing is ever added to something old. While Redis is away, only those here count.
 */
export class Presence {
  /** The fans of each chat on this process, and how many sockets each has in it. */
  private readonly rooms = new Map<string, Map<string, number>>();
  private readonly others = new SwrCache<number>(COUNT_MS);
  private readonly countElsewhere: Script<{ fans: number }>;

  constructor(
    private readonly redis: RedisClients,
    private readonly bus: Bus,
  ) {
    this.countElsewhere = defineScript(redis.commands, 'presenceElsewhere', ELSEWHERE);
  }

  /** Notes that a socket of a fan entered a room on this process. */
  entered(chat: string, fan: string): void {
    const fans = this.rooms.get(chat) ?? new Map<string, number>();
    this.rooms.set(chat, fans.set(fan, (fans.get(fan) ?? 0) + 1));
  }

  /** Notes that a socket of a fan left a room on this process. */
  left(chat: string, fan: string): void {
    const fans = this.rooms.get(chat);
    const sockets = fans?.get(fan) ?? 0;
    if (sockets > 1) fans?.set(fan, sockets - 1);
    else fans?.delete(fan);
    if (fans?.size === 0) this.rooms.delete(chat);
  }

  /** The rooms that somebody on this process is in. */
  get chats(): string[] {
    return [...this.rooms.keys()];
  }

  private keys(chat: string): [processes: string, own: string] {
    // Braces keep a room's keys together in a cluster.
    const processes = `${this.redis.prefix}presence:{${chat}}`;
    return [processes, `${processes}:${this.bus.process}`];
  }

  /** Tells the other processes who is in a room here. Never throws. */
  async tell(chat: string): Promise<void> {
    const [processes, own] = this.keys(chat);
    const fans = [...(this.rooms.get(chat)?.keys() ?? [])];
    const now = Math.floor(Date.now() / 1000);
    const all = this.redis.commands
      .multi()
      .del(own)
      .zremrangebyscore(processes, '-inf', now - TOLD_S);
    if (fans.length === 0) all.zrem(processes, this.bus.process);
    else
      all
        .sadd(own, ...fans)
        .expire(own, TOLD_S)
        .zadd(processes, now, this.bus.process)
        .expire(processes, TOLD_S * 4);
    await all.exec().catch(() => null);
  }

  /**
   * Counts the fans in a room on all processes: those here as they are now, those elsewhere as
   * they were told, at most a second late.
   */
  async count(chat: string): Promise<number> {
    const [processes, own] = this.keys(chat);
    const since = Math.floor(Date.now() / 1000) - TOLD_S;
    const elsewhere = await this.others
      .get(chat, async () => (await this.countElsewhere([processes, own], since)).fans)
      .catch(() => 0);
    return (this.rooms.get(chat)?.size ?? 0) + elsewhere;
  }
}
