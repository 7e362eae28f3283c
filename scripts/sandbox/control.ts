import express, { type Express } from 'express';
import { z } from 'zod';
import type { OAuth } from './oauth.js';
import type { Person } from './records.js';
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

interface Answer {
  status: number;
  body: unknown;
}
const done = (body: unknown): Answer => ({ status: 200, body });
const refusal = (status: number, error: string): Answer => ({ status, body: { error } });

/** Does what a person is told to do on a network. */
function perform(world: World, person: Person, act: string, given: z.infer<typeof Act>): Answer {
  const { network: on, account, post, text, to } = given;
  if (act === 'post') {
    const author = on === 'x' ? person.ids.x : person.page;
    if (!author || !text) return refusal(400, 'post needs text, and on Facebook a Page');
    return done({ post: world.post(on, author, text) });
  }
  if (act === 'rename') {
    if (!to) return refusal(400, 'rename needs `to`, the new handle');
    if (!world.rename(on, person, to)) return refusal(409, `somebody is called ${to} there`);
    return done({ ok: true });
  }
  if (post && (act === 'like' || act === 'unlike')) {
    world.likePost(on, person.ids[on], post, act === 'like');
    return done({ ok: true });
  }
  const target = account
    ? (world.person(account) ?? world.byPage(account) ?? world.byX(account))
    : null;
  if (!target || !['follow', 'unfollow', 'like', 'unlike'].includes(act))
    return refusal(400, 'follow, unfollow, like, unlike need an account that exists');
  if (on === 'facebook' && !target.page) return refusal(400, `${target.handle} has no Page`);
  return done({ changed: world.relate(on, person, target, act === 'follow' || act === 'like') });
}

/**
 * Makes the control plane: what the invented people do, faults, limits, the clock. It asks for a
 * token and has a port of its own.
 */
export function control(world: World, oauths: OAuth[], token: string): Express {
  const app = express();
  app.use(express.json({ limit: '10mb' }));
  app.use('/__sandbox', (req, res, next) => {
    if (req.get('x-sandbox-token') === token) next();
    else res.status(401).json({ error: 'x-sandbox-token is missing or wrong' });
  });
  app.post('/__sandbox/people/:handle/:act', (req, res) => {
    const { handle, act } = req.params;
    const given = Act.safeParse(req.body);
    const person = world.person(handle);
    const { status, body } = !given.success
      ? refusal(400, z.prettifyError(given.error))
      : person
        ? perform(world, person, act, given.data)
        : refusal(404, `nobody is called ${handle}`);
    res.status(status).json(body);
  });
  app.post('/__sandbox/seed', (req, res) => {
    const { people = [] } = req.body as {
      people?: { handle: string; name: string; page?: boolean }[];
    };
    for (const person of people) world.add(person);
    res.json({ people: world.all().map(({ handle, ids, page }) => ({ handle, ids, page })) });
  });
  app.post('/__sandbox/clients', (req, res) => {
    const { network: on, redirectUri } = req.body as { network: string; redirectUri: string };
    oauths.find((oauth) => oauth.network === on)?.redirects.add(redirectUri);
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
    world.traffic.setRate(given.data);
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
