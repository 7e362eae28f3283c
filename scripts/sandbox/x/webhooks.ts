import { createHmac } from 'node:crypto';
import type { Express } from 'express';
import type { OAuth } from '../oauth.js';
import { secret } from '../secret.js';
import type { World } from '../world.js';
import { problem, type Guard } from './problem.js';

interface Webhook {
  id: string;
  url: string;
  valid: boolean;
  created_at: string;
}

/** Addresses of the hub that X sends events to, once they have proved that they know the secret. */
export class Webhooks {
  private readonly hooks: Webhook[] = [];

  constructor(
    private readonly world: World,
    private readonly oauth: OAuth,
  ) {}

  private sign(text: string): string {
    const digest = createHmac('sha256', this.oauth.client.secret).update(text).digest('base64');
    return `sha256=${digest}`;
  }

  /** Whether the address answers a challenge (CRC) as only the hub can. */
  private async passes(url: string): Promise<boolean> {
    const token = secret(12);
    try {
      const response = await fetch(`${url}?crc_token=${token}`, {
        signal: AbortSignal.timeout(3000),
      });
      const answer = (await response.json()) as { response_token?: string };
      return answer.response_token === this.sign(token);
    } catch {
      return false;
    }
  }

  /** Sends a signed event to a webhook, if it is valid; nobody waits for its answer. */
  send(id: string | undefined, event: string): void {
    const hook = this.hooks.find((each) => each.id === id && each.valid);
    if (!hook) return;
    void fetch(hook.url, {
      method: 'POST',
      body: event,
      headers: {
        'content-type': 'application/json',
        'x-twitter-webhooks-signature': this.sign(event),
      },
    }).catch(() => undefined);
  }

  /** Adds the calls that manage webhooks. */
  routes(app: Express, allowed: Guard): void {
    const { hooks } = this;
    app.get('/2/webhooks', (req, res) => {
      if (allowed(req, res)) res.json({ data: hooks, meta: { result_count: hooks.length } });
    });
    app.post('/2/webhooks', async (req, res) => {
      if (!allowed(req, res)) return;
      const url = String((req.body as { url?: unknown }).url);
      // The sandbox calls this machine only.
      if (!/^http:\/\/127\.0\.0\.1(:\d+)?\//.test(url) || !(await this.passes(url))) {
        problem(res, 400, 'CrcValidationFailed');
        return;
      }
      const created = this.world.now().toISOString();
      const hook: Webhook = { id: secret(8), url, valid: true, created_at: created };
      hooks.push(hook);
      res.status(200).json({ data: hook });
    });
    app.put('/2/webhooks/:id', async (req, res) => {
      if (!allowed(req, res)) return;
      const hook = hooks.find(({ id }) => id === req.params['id']);
      if (!hook) {
        problem(res, 404, 'Not Found');
        return;
      }
      hook.valid = await this.passes(hook.url);
      res.json({ data: { valid: hook.valid } });
    });
    app.delete('/2/webhooks/:id', (req, res) => {
      if (!allowed(req, res)) return;
      const index = hooks.findIndex(({ id }) => id === req.params['id']);
      if (index >= 0) hooks.splice(index, 1);
      res.json({ data: { deleted: index >= 0 } });
    });
  }
}
