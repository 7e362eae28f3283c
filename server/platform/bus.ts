import type { News, Topic } from '../events.js';
import { randomId } from './ids.js';
import type { Log } from './logs.js';
import type { RedisClients } from './redis.js';

type Listener<T extends Topic> = (news: News[T]) => void | Promise<void>;

/**
 * News between processes over Redis pub/sub. It may lose: nothing true lives here, and every
 * listener catches up by itself. Listeners of the own process hear at once, before Redis is asked,
 * so a Redis that hangs holds nobody up.
 */
export class Bus {
  readonly process = randomId();
  private readonly listeners = new Map<Topic, Set<Listener<Topic>>>();

  constructor(
    private readonly redis: RedisClients,
    private readonly log: Log,
  ) {}

  private get channel(): string {
    return `${this.redis.prefix}bus`;
  }

  /** Starts to listen to other processes. */
  async start(): Promise<void> {
    this.redis.listener.on('message', (channel: string, text: string) => {
      if (channel !== this.channel) return;
      try {
        const { from, topic, news } = JSON.parse(text) as {
          from: string;
          topic: Topic;
          news: News[Topic];
        };
        if (from !== this.process) this.hear(topic, news);
      } catch (error) {
        this.log.warn({ err: error }, 'bus: what was heard is not understood');
      }
    });
    await this.redis.listener.subscribe(this.channel);
  }

  /** Calls `listener` for each piece of news; returns what ends that. */
  on<T extends Topic>(topic: T, listener: Listener<T>): () => void {
    const set = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, set);
    set.add(listener as Listener<Topic>);
    return () => set.delete(listener as Listener<Topic>);
  }

  /** Tells everybody. Never throws and never waits for Redis. */
  tell<T extends Topic>(topic: T, news: News[T]): void {
    this.hear(topic, news);
    this.redis.commands
      .publish(this.channel, JSON.stringify({ from: this.process, topic, news }))
      .catch(() => undefined);
  }

  private hear<T extends Topic>(topic: T, news: News[T]): void {
    for (const listener of this.listeners.get(topic) ?? []) {
      Promise.resolve()
        .then(() => (listener as Listener<T>)(news))
        .catch((error: unknown) => {
          this.log.warn({ err: error, topic }, 'bus: a listener failed');
        });
    }
  }
}
