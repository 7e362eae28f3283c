import type { Express } from 'express';
import { handleOn, type WorldNews } from '../records.js';
import { secret } from '../secret.js';
import type { World } from '../world.js';
import { tweetOf } from './objects.js';
import { problem, type Guard } from './problem.js';

interface Subscription {
  subscription_id: string;
  event_type: string;
  filter: { user_id?: string };
  webhook_id?: string;
}

const EVENT_TYPES: Record<WorldNews['kind'], string> = {
  post: 'post.create',
  follow: 'follow.follow',
  unfollow: 'follow.unfollow',
  like: 'like.create',
};

/** Who wants to hear of which activity. */
export class Subscriptions {
  private subscriptions: Subscription[] = [];

  constructor(private readonly world: World) {}

  /** The events that news makes, one for each subscription that wants it, with its webhook. */
  eventsOf(news: WorldNews): { event: string; webhook: string | undefined }[] {
    const type = EVENT_TYPES[news.kind];
    const payload =
      news.kind === 'post'
        ? tweetOf(this.world, news.post)
        : {
            source: { id: news.person.ids.x, username: handleOn('x', news.person) },
            target: news.target,
          };
    return this.subscriptions
      .filter(
        ({ event_type: wanted, filter }) =>
          wanted === type && (!filter.user_id || filter.user_id === news.about),
      )
      .map(({ filter, webhook_id: webhook }) => ({
        event: JSON.stringify({
          data: { event_uuid: secret(12), filter, event_type: type, payload },
        }),
        webhook,
      }));
  }

  private meta(): object {
    return { total_subscriptions: this.subscriptions.length };
  }

  /** Adds the calls that list, add and delete subscriptions. */
  routes(app: Express, allowed: Guard): void {
    const path = '/2/activity/subscriptions';
    app.get(path, (req, res) => {
      if (allowed(req, res)) res.json({ data: this.subscriptions, meta: this.meta() });
    });
    app.post(path, (req, res) => {
      if (!allowed(req, res)) return;
      const given = req.body as Partial<Subscription>;
      const { event_type: type = '', filter = {}, webhook_id: webhook } = given;
      if (!Object.values(EVENT_TYPES).includes(type)) {
        problem(res, 400, 'Invalid Request', 'unknown event_type');
        return;
      }
      const subscription: Subscription = {
        subscription_id: secret(8),
        event_type: type,
        filter,
        ...(webhook ? { webhook_id: webhook } : {}),
      };
      this.subscriptions.push(subscription);
      res.status(201).json({ data: { subscription }, meta: this.meta() });
    });
    app.delete(`${path}/:id`, (req, res) => {
      if (!allowed(req, res)) return;
      const before = this.subscriptions.length;
      this.subscriptions = this.subscriptions.filter(
        ({ subscription_id: id }) => id !== req.params['id'],
      );
      res.json({
        data: { deleted: this.subscriptions.length < before },
        meta: this.meta(),
      });
    });
  }
}
