import express, { type Express } from 'express';
import { z } from 'zod';
import type { OAuth } from './oauth.js';
import type { World } from './world.js';

const network = z.enum(['x', 'facebook']);
const Act = z.object({
  network,
  account: z.string().optional(),
  post: z.string().optional(),
  text: z.string().max(5000).optional(),
  to: z
    .string()
    .regex(/^[\w.]{1,50}$/)
    .optional(),
});
const FaultInput = z.object({
  network,
  path: z.string().default('/'),
  status: z.number().int().min(0).max(599),
  times: z.number().int().default(1),
  latencyMs: z.number().int().min(0).max(60_000).default(0),
  body: z.string().nullable().default(null),
});
const RateInput = z.object({
  network,
  route: z.string(),
  limit: z.number().int().min(0),
  windowS: z.number().int().min(1).default(900),
});

/**
 * The control plane: what demo people do, faults, limits, the clock. Behind a token, on a port of
 * its own.
 */
export function control(world: World, oauths: OAuth[], token: string): Express {
  const app = express();
  app.use(express.json({ limit: '10mb' }));
  app.use('/__sandbox', (req, res, next) => {
    if (req.get('x-sandbox-token') === token) next();
    else res.status(401).json({ error: 'x-sandbox-token is missing or wrong' });
  });
  app.post('/__sandbox/people/:handle/:act', (req, res) => {
    const given = Act.safeParse(req.body);
    const person = world.person(req.params['handle']);
    if (!given.success) {
      res.status(400).json({ error: z.prettifyError(given.error) });
      return;
    }
    if (!person) {
      res.status(404).json({ error: `nobody is called ${req.params['handle']}` });
      return;
    }
    const { network: on, account, post, text, to } = given.data;
    const act = req.params['act'];
    if (act === 'post') {
      const author = on === 'x' ? person.ids.x : person.page;
      if (!author || !text) {
        res.status(400).json({ error: 'post needs text, and on Facebook a Page' });
        return;
      }
      res.json({ post: world.post(on, author, text) });
      return;
    }
    if (act === 'rename') {
      if (to && world.rename(on, person, to)) res.json({ ok: true });
      else
        res.status(to ? 409 : 400).json({
          error: to ? `somebody is called ${to} there` : 'rename needs `to`, the new handle',
        });
      return;
    }
    if (post && (act === 'like' || act === 'unlike')) {
      world.likePost(on, person.ids[on], post, act === 'like');
      res.json({ ok: true });
      return;
    }
    const target = account
      ? (world.person(account) ?? world.byPage(account) ?? world.byX(account))
      : null;
    if (!target || !['follow', 'unfollow', 'like', 'unlike'].includes(act)) {
      res.status(400).json({ error: 'follow, unfollow, like, unlike need an account that exists' });
      return;
    }
    if (on === 'facebook' && !target.page) {
      res.status(400).json({ error: `${target.handle} has no Page` });
      return;
    }
    res.json({ changed: world.relate(on, person, target, act === 'follow' || act === 'like') });
  });
  app.post('/__sandbox/seed', (req, res) => {
    for (const one of (req.body as { people?: { handle: string; name: string; page?: boolean }[] })
      .people ?? [])
      world.add(one);
    res.json({ people: world.all().map(({ handle, ids, page }) => ({ handle, ids, page })) });
  });
  app.post('/__sandbox/clients', (req, res) => {
    const { network: on, redirectUri } = req.body as { network: string; redirectUri: string };
    oauths.find((one) => one.network === on)?.redirects.add(redirectUri);
    res.json({ ok: true });
  });
  app.post('/__sandbox/fault', (req, res) => {
    const given = FaultInput.safeParse(req.body);
    if (!given.success) {
      res.status(400).json({ error: z.prettifyError(given.error) });
      return;
    }
    world.faults.push(given.data);
    res.json({ ok: true });
  });
  app.post('/__sandbox/rate', (req, res) => {
    const given = RateInput.safeParse(req.body);
    if (!given.success) {
      res.status(400).json({ error: z.prettifyError(given.error) });
      return;
    }
    world.rates = world.rates.filter(
      (one) => one.network !== given.data.network || one.route !== given.data.route,
    );
    world.rates.push(given.data);
    res.json({ ok: true });
  });
  app.post('/__sandbox/clock', (req, res) => {
    const { advanceMs = 0 } = req.body as { advanceMs?: number };
    world.advance(advanceMs);
    res.json({ now: world.now().toISOString() });
  });
  app.post('/__sandbox/reset', (_req, res) => {
    world.reset();
    res.json({ ok: true });
  });
  app.get('/__sandbox/log', (_req, res) => {
    res.json({ items: world.log });
  });
  app.get('/', (_req, res) => {
    res
      .type('text')
      .send('The control plane of the SANDBOX networks. See scripts/sandbox/control.ts.\n');
  });
  return app;
}
