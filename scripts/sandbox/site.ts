import express, { type Express, type Request, type Response } from 'express';
import { accountPage, notFoundPage, signedIn } from './pages.js';
import { handleOn, type Network, type Person, type World } from './world.js';

/** The frame of a sandbox network: faults, the log, and the pages a person sees. */
export function site(network: Network, world: World): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.use((req, res, next) => {
    res.once('finish', () => {
      world.note(network, req.method, req.originalUrl, res.statusCode);
    });
    const fault = world.fault(network, req.path);
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

const remember = (res: Response, network: Network, handle: string): void => {
  res.cookie(`sandbox-${network}`, handle, { httpOnly: true, sameSite: 'lax' });
};

/** Pages and buttons; added last, because an account's address is any first path part. */
export function people(app: Express, network: Network, world: World): void {
  const idOf = (one: Person): string | null => (network === 'x' ? one.ids.x : one.page);
  app.post('/sandbox/person', (req: Request, res: Response) => {
    const { person = '', back = '/' } = req.body as { person?: string; back?: string };
    if (world.person(person)) remember(res, network, person);
    res.redirect(303, back.startsWith('/') ? back : '/');
  });
  app.post('/sandbox/act', (req: Request, res: Response) => {
    const me = signedIn(req, network, world);
    const {
      what = '',
      value = '',
      back = '/',
    } = req.body as { what?: string; value?: string; back?: string };
    const account = world.byHandle(network, value);
    if (me && account && (what === 'follow' || what === 'unfollow'))
      world.relate(network, me, account, what === 'follow');
    if (me && (what === 'like' || what === 'unlike'))
      world.likePost(network, me.ids[network], value, what === 'like');
    res.redirect(303, back.startsWith('/') ? back : '/');
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
    const account =
      world.byHandle(network, String(req.params['handle']).replace(/^@/, '')) ??
      world.byPage(String(req.params['handle']));
    const id = account && idOf(account);
    if (!account || !id) {
      res.status(404).send(notFoundPage(network));
      return;
    }
    const me = signedIn(req, network, world);
    const posts = world.posts
      .filter((post) => post.network === network && post.author === id)
      .reverse()
      .slice(0, 20)
      .map((post) => ({
        ...post,
        liked: me !== null && world.likedPosts(network, me.ids[network]).includes(post.id),
        likes: world.likers(network, post.id).length,
      }));
    res.send(
      accountPage(
        network,
        world,
        me,
        account,
        me !== null && world.related(network, me.ids[network], id),
        world.followers(network, id).length,
        posts,
      ),
    );
  });
}

export { remember };
