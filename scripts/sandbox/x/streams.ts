import { createHmac } from 'node:crypto';
import type { Express, Request, Response } from 'express';
import type { OAuth } from '../oauth.js';
import { handleOn, secret, type Post, type World } from '../world.js';
import { problem } from './problem.js';

interface Rule {
  id: string;
  value: string;
  tag?: string;
}
interface Subscription {
  subscription_id: string;
  event_type: string;
  filter: { user_id?: string };
  webhook_id?: string;
}
interface Webhook {
  id: string;
  url: string;
  valid: boolean;
  created_at: string;
}
const KEEP_ALIVE_MS = 20_000;

/**
 * The pushes of X: filtered stream, activity subscriptions and stream, webhooks with their CRC
 * (NETWORKS 4.1).
 */
export function streams(
  app: Express,
  world: World,
  oauth: OAuth,
  tweetOf: (post: Post) => object,
): void {
  let rules: Rule[] = [];
  let subscriptions: Subscription[] = [];
  const webhooks: Webhook[] = [];
  const open = new Set<{ res: Response; kind: 'posts' | 'activity' }>();

  const allowed = (req: Request, res: Response): boolean => {
    const grant = oauth.find(
      /^Bearer (.+)$/i.exec(req.get('authorization') ?? '')?.[1] ?? '',
    ).grant;
    if (!grant) {
      problem(res, 401, 'Unauthorized');
      return false;
    }
    return true;
  };
  const crc = async (url: string): Promise<boolean> => {
    const token = secret(12);
    try {
      const answer = (await (
        await fetch(`${url}?crc_token=${token}`, { signal: AbortSignal.timeout(3000) })
      ).json()) as { response_token?: string };
      return (
        answer.response_token ===
        `sha256=${createHmac('sha256', oauth.client.secret).update(token).digest('base64')}`
      );
    } catch {
      return false;
    }
  };

  world.listen((news) => {
    if (news.network !== 'x') return;
    if (news.kind === 'post') {
      const matching = rules.filter((rule) =>
        rule.value
          .split(' OR ')
          .some(
            (part) =>
              part.trim() === `from:${handleOn('x', news.author)}` ||
              part.trim() === `from:${news.author.ids.x}`,
          ),
      );
      if (matching.length > 0)
        for (const one of open)
          if (one.kind === 'posts')
            one.res.write(
              `${JSON.stringify({ data: tweetOf(news.post), matching_rules: matching.map(({ id, tag }) => ({ id, tag: tag ?? '' })) })}\r\n`,
            );
    }
    const type =
      news.kind === 'post'
        ? 'post.create'
        : news.kind === 'follow'
          ? 'follow.follow'
          : news.kind === 'unfollow'
            ? 'follow.unfollow'
            : 'like.create';
    const payload =
      news.kind === 'post'
        ? tweetOf(news.post)
        : {
            source: { id: news.person.ids.x, username: handleOn('x', news.person) },
            target: news.target,
          };
    for (const subscription of subscriptions.filter(
      (one) =>
        one.event_type === type && (!one.filter.user_id || one.filter.user_id === news.about),
    )) {
      const event = JSON.stringify({
        data: { event_uuid: secret(12), filter: subscription.filter, event_type: type, payload },
      });
      for (const one of open) if (one.kind === 'activity') one.res.write(`${event}\r\n`);
      const hook = webhooks.find((one) => one.id === subscription.webhook_id && one.valid);
      if (hook)
        void fetch(hook.url, {
          method: 'POST',
          body: event,
          headers: {
            'content-type': 'application/json',
            'x-twitter-webhooks-signature': `sha256=${createHmac('sha256', oauth.client.secret).update(event).digest('base64')}`,
          },
        }).catch(() => undefined);
    }
  });

  const stream =
    (kind: 'posts' | 'activity') =>
    (req: Request, res: Response): void => {
      if (!allowed(req, res)) return;
      res.status(200).type('application/json').flushHeaders();
      const one = { res, kind };
      open.add(one);
      const beat = setInterval(() => {
        res.write('\r\n');
      }, KEEP_ALIVE_MS);
      res.once('close', () => {
        clearInterval(beat);
        open.delete(one);
      });
    };
  app.get('/2/tweets/search/stream', stream('posts'));
  app.get('/2/activity/stream', stream('activity'));
  const meta = (): object => ({ sent: world.now().toISOString(), result_count: rules.length });
  app.get('/2/tweets/search/stream/rules', (req, res) => {
    if (allowed(req, res)) res.json({ ...(rules.length > 0 ? { data: rules } : {}), meta: meta() });
  });
  app.post('/2/tweets/search/stream/rules', (req, res) => {
    if (!allowed(req, res)) return;
    const { add = [], delete: remove } = req.body as {
      add?: { value: string; tag?: string }[];
      delete?: { ids: string[] };
    };
    const made = add.map((rule) => ({ id: String(Math.floor(Math.random() * 1e15)), ...rule }));
    const before = rules.length;
    if (remove) rules = rules.filter((rule) => !remove.ids.includes(rule.id));
    const deleted = before - rules.length;
    rules.push(...made);
    res.status(made.length > 0 ? 201 : 200).json({
      ...(made.length > 0 ? { data: made } : {}),
      meta: {
        ...meta(),
        summary: {
          created: made.length,
          not_created: 0,
          valid: made.length,
          invalid: 0,
          deleted,
          not_deleted: 0,
        },
      },
    });
  });
  app.get('/2/activity/subscriptions', (req, res) => {
    if (allowed(req, res))
      res.json({ data: subscriptions, meta: { total_subscriptions: subscriptions.length } });
  });
  app.post('/2/activity/subscriptions', (req, res) => {
    if (!allowed(req, res)) return;
    const {
      event_type: type = '',
      filter = {},
      webhook_id: hook,
    } = req.body as { event_type?: string; filter?: { user_id?: string }; webhook_id?: string };
    if (!['post.create', 'follow.follow', 'follow.unfollow', 'like.create'].includes(type)) {
      problem(res, 400, 'Invalid Request', 'unknown event_type');
      return;
    }
    const made: Subscription = {
      subscription_id: secret(8),
      event_type: type,
      filter,
      ...(hook ? { webhook_id: hook } : {}),
    };
    subscriptions.push(made);
    res
      .status(201)
      .json({ data: { subscription: made }, meta: { total_subscriptions: subscriptions.length } });
  });
  app.delete('/2/activity/subscriptions/:id', (req, res) => {
    if (!allowed(req, res)) return;
    const before = subscriptions.length;
    subscriptions = subscriptions.filter((one) => one.subscription_id !== req.params['id']);
    res.json({
      data: { deleted: subscriptions.length < before },
      meta: { total_subscriptions: subscriptions.length },
    });
  });
  app.get('/2/webhooks', (req, res) => {
    if (allowed(req, res)) res.json({ data: webhooks, meta: { result_count: webhooks.length } });
  });
  app.post('/2/webhooks', async (req, res) => {
    if (!allowed(req, res)) return;
    const url = String((req.body as { url?: unknown }).url);
    // The sandbox calls this machine only.
    if (!/^http:\/\/127\.0\.0\.1(:\d+)?\//.test(url) || !(await crc(url))) {
      problem(res, 400, 'CrcValidationFailed');
      return;
    }
    const made: Webhook = {
      id: secret(8),
      url,
      valid: true,
      created_at: world.now().toISOString(),
    };
    webhooks.push(made);
    res.status(200).json({ data: made });
  });
  app.put('/2/webhooks/:id', async (req, res) => {
    if (!allowed(req, res)) return;
    const hook = webhooks.find((one) => one.id === req.params['id']);
    if (!hook) {
      problem(res, 404, 'Not Found');
      return;
    }
    hook.valid = await crc(hook.url);
    res.json({ data: { valid: hook.valid } });
  });
  app.delete('/2/webhooks/:id', (req, res) => {
    if (!allowed(req, res)) return;
    const at = webhooks.findIndex((one) => one.id === req.params['id']);
    if (at >= 0) webhooks.splice(at, 1);
    res.json({ data: { deleted: at >= 0 } });
  });
}
