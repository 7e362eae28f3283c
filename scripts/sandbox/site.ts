import express, { type Express, type Request, type Response } from 'express';
import { accountPage, notFoundPage, signedIn } from './pages.js';
import { handleOn, type Network, type Person } from './records.js';
import type { World } from './world.js';

/** Makes the frame of a sandbox network: planted faults strike, and every answer is logged. */
export function site(network: Network, world: World): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.use((req, res, next) => {
    res.once('finish', () => {
      world.traffic.record(network, req.method, req.originalUrl, res.statusCode);
    });
    const fault = world.traffic.takeFault(network, req.path);
    if (!fault) {
      next();
      return;
    }
    setTimeout(() => {
      if (fault.status === 0) {
        req.socket.destroy();
        return;
      }
      if (fault.status === 200 && fault.body === null) {
        next();
        return;
      }
      res
        .status(fault.status)
        .type(fault.body === null ? 'json' : 'text')
        .send(fault.body ?? JSON.stringify({ title: 'Fault', status: fault.status }));
    }, fault.latencyMs);
  });
  app.use(express.json({ limit: '1mb' }), express.urlencoded({ extended: false, limit: '1mb' }));
  return app;
}

/** Signs a person in on a network's pages. */
export const remember = (res: Response, network: Network, handle: string): void => {
  res.cookie(`sandbox-${network}`, handle, { httpOnly: true, sameSite: 'lax' });
};

const goBack = (res: Response, back = '/'): void => {
  res.redirect(303, back.startsWith('/') ? back : '/');
};

/** Adds pages and buttons; call it last, because an account's address is any first path part. */
export function addPages(app: Express, network: Network, world: World): void {
  app.post('/sandbox/person', (req: Request, res: Response) => {
    const { person = '', back } = req.body as { person?: string; back?: string };
    if (world.person(person)) remember(res, network, person);
    goBack(res, back);
  });
  app.post('/sandbox/act', (req: Request, res: Response) => {
    const form = req.body as { what?: string; value?: string; back?: string };
    const me = signedIn(req, network, world);
    if (me) act(network, world, me, form.what ?? '', form.value ?? '');
    goBack(res, form.back);
  });
  // An account by its number is shown under the handle it has now.
  app.get(network === 'x' ? '/i/user/:id' : '/profile.php', (req: Request, res: Response) => {
    const account =
      network === 'x'
        ? world.byX(String(req.params['id']))
        : world.byPage(typeof req.query['id'] === 'string' ? req.query['id'] : '');
    if (account) res.redirect(302, `/${handleOn(network, account)}`);
    else res.status(404).send(notFoundPage(network));
  });
  app.get('/:handle', (req: Request, res: Response) => {
    const handle = String(req.params['handle']);
    const account = world.byHandle(network, handle.replace(/^@/, '')) ?? world.byPage(handle);
    const page = account && showAccount(network, world, signedIn(req, network, world), account);
    if (page) res.send(page);
    else res.status(404).send(notFoundPage(network));
  });
}

/** Does what a button says. */
function act(network: Network, world: World, me: Person, what: string, value: string): void {
  const account = world.byHandle(network, value);
  if (account && (what === 'follow' || what === 'unfollow'))
    world.relate(network, me, account, what === 'follow');
  if (what === 'like' || what === 'unlike')
    world.likePost(network, me.ids[network], value, what === 'like');
}

/** The page of an account with its latest posts; null for somebody who has none on this network. */
function showAccount(
  network: Network,
  world: World,
  me: Person | null,
  account: Person,
): string | null {
  const id = network === 'x' ? account.ids.x : account.page;
  if (!id) return null;
  const liked = new Set(me ? world.likedPosts(network, me.ids[network]) : []);
  return accountPage(network, world, {
    me,
    account,
    follows: me !== null && world.related(network, me.ids[network], id),
    followers: world.followers(network, id).length,
    posts: world
      .postsBy(network, id)
      .slice(0, 20)
      .map((post) => ({
        ...post,
        liked: liked.has(post.id),
        likes: world.likers(network, post.id).length,
      })),
  });
}
