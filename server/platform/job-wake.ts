import { toJobId, type NotificationChannel, type NotificationHandler } from 'agenda';
import type { Bus } from './bus.js';

/**
 * Wakes Agenda when there may be work of a kind: news of added jobs come over the bus, and a worker
 * looks again when a place comes free.
 */
export class JobWake implements NotificationChannel {
  readonly state = 'connected';
  private handler: NotificationHandler | null = null;
  private readonly looks = new Map<string, { done: Promise<void>; isAskedAgain: boolean }>();

  /** @param onAdded is told before Agenda is woken */
  constructor(
    private readonly bus: Bus,
    onAdded: (kind: string) => void,
  ) {
    bus.on('jobs:added', ({ kind }) => {
      onAdded(kind);
      return this.look(kind);
    });
  }

  /** The bus is connected already. */
  connect(): Promise<void> {
    return Promise.resolve();
  }
  /** The bus outlives the jobs. */
  disconnect(): Promise<void> {
    return Promise.resolve();
  }
  /** This channel has no events of its own. */
  on(): this {
    return this;
  }
  /** As `on`. */
  off(): this {
    return this;
  }
  /** Called by Agenda, which is woken by its handler. */
  subscribe(handler: NotificationHandler): () => void {
    this.handler = handler;
    return () => {
      this.handler = null;
    };
  }
  /** Tells every process that jobs of a kind were added. */
  publish({ jobName }: { jobName: string }): Promise<void> {
    this.bus.tell('jobs:added', { kind: jobName });
    return Promise.resolve();
  }

  /**
   * Lets Agenda take what is due of a kind and begin it. Called again meanwhile, it looks once more
   * after that.
   */
  look(kind: string): Promise<void> {
    const underWay = this.looks.get(kind);
    if (underWay) {
      underWay.isAskedAgain = true;
      return underWay.done;
    }
    const look = { done: Promise.resolve(), isAskedAgain: false };
    const lookWhileAsked = async (): Promise<void> => {
      do {
        look.isAskedAgain = false;
        await this.handler?.({
          jobId: toJobId(''),
          jobName: kind,
          nextRunAt: null,
          priority: 0,
          timestamp: new Date(),
        });
      } while (look.isAskedAgain);
    };
    this.looks.set(kind, look);
    look.done = lookWhileAsked().finally(() => this.looks.delete(kind));
    return look.done;
  }
}
