import type { News, Topic } from '../events.js';
import { randomId } from './ids.js';
import type { Log } from './logs.js';
import type { RedisClients } from './redis.js';

type Listener<T extends Topic> = (news: News[T]) => void | Promise<void>;

/**
 * Carries news between processes over Redis pub/sub. News may be lost: nothing true lives here, and
 * every listener also catches up by itself. Listeners in this process are told at once, before
 * Redis is asked, so that a Redis that hangs holds nobody up.
 */
export class Bus {
  /** This process's own name on the bus. */
  readonly process = randomId();
  private readonly listeners = new Map<Topic, Set<Listener<Topic>>>();

  constructor(
    private readonly redis: RedisClients,
    private readonly log: Log,
  ) {}

  private get channel(): string {
    return `${this.redis.prefix}bus`;
  }

  /** Starts listening to other processes. */
  async start(): Promise<void> {
    this.redis.listener.on('message', (channel: string, text: string) => {
      if (channel !== this.channel) return;
      try {
        const { from, topic, news } = JSON.parse(text) as {
          from: string;
          topic: Topic;
          news: News[Topic];
        };
        if (from !== this.process) this.deliver(topic, news);
      } catch (error) {
        this.log.warn({ err: error }, 'bus: a message is not understood');
      }
    });
    await this.redis.listener.subscribe(this.channel);
  }

  /** Calls `listener` with every piece of news on a topic; returns a function that ends that. */
  on<T extends Topic>(topic: T, listener: Listener<T>): () => void {
    const set = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, set);
    set.add(listener as Listener<Topic>);
    return () => set.delete(listener as Listener<Topic>);
  }

  /** Tells the listeners of all processes. Never throws and never waits for Redis. */
  tell<T extends Topic>(topic: T, news: News[T]): void {
    this.deliver(topic, news);
    this.redis.commands
      .publish(this.channel, JSON.stringify({ from: this.process, topic, news }))
      .catch(() => undefined);
  }

  private deliver<T extends Topic>(topic: T, news: News[T]): void {
    for (const listener of this.listeners.get(topic) ?? []) {
      Promise.resolve()
        .then(() => (listener as Listener<T>)(news))
        .catch((error: unknown) => {
          this.log.warn({ err: error, topic }, 'bus: a listener failed');
        });
    }
  }
}
