import type { Express, Request, Response } from 'express';
import type { OAuth } from '../oauth.js';
import type { WorldNews } from '../records.js';
import type { World } from '../world.js';
import { bearerOf } from './calls.js';
import { problem, type Guard } from './problem.js';
import { Rules } from './rules.js';
import { Subscriptions } from './subscriptions.js';
import { Webhooks } from './webhooks.js';

const KEEP_ALIVE_MS = 20_000;

/** The open connections of one stream; a line each event, and an empty one every 20 seconds. */
class Stream {
  private readonly open = new Set<Response>();

  /** Keeps a connection open for what comes. */
  join(res: Response): void {
    res.status(200).type('application/json').flushHeaders();
    this.open.add(res);
    const heartbeat = setInterval(() => {
      res.write('\r\n');
    }, KEEP_ALIVE_MS);
    res.once('close', () => {
      clearInterval(heartbeat);
      this.open.delete(res);
    });
  }

  /** Sends an event to every connection. */
  send(event: string): void {
    for (const res of this.open) res.write(`${event}\r\n`);
  }
}

/**
 * Adds the pushes of X: filtered stream, activity subscriptions and their stream, webhooks with
 * their CRC (NETWORKS 4.1).
 */
export function streams(app: Express, world: World, oauth: OAuth): void {
  const [ofPosts, ofActivity] = [new Stream(), new Stream()];
  const rules = new Rules(world);
  const subscriptions = new Subscriptions(world);
  const webhooks = new Webhooks(world, oauth);

  const allowed: Guard = (req, res) => {
    const { grant } = oauth.find(bearerOf(req));
    if (!grant) problem(res, 401, 'Unauthorized');
    return grant !== null;
  };
  world.listen((news: WorldNews) => {
    if (news.network !== 'x') return;
    const matched = news.kind === 'post' ? rules.match(news.author, news.post) : null;
    if (matched) ofPosts.send(matched);
    for (const { event, webhook } of subscriptions.eventsOf(news)) {
      ofActivity.send(event);
      webhooks.send(webhook, event);
    }
  });
  const join =
    (stream: Stream) =>
    (req: Request, res: Response): void => {
      if (allowed(req, res)) stream.join(res);
    };
  app.get('/2/tweets/search/stream', join(ofPosts));
  app.get('/2/activity/stream', join(ofActivity));
  rules.routes(app, allowed);
  subscriptions.routes(app, allowed);
  webhooks.routes(app, allowed);
}
