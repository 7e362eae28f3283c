import cookie from 'cookie';
import type { Request } from 'express';
import Handlebars from 'handlebars';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../root.js';
import { handleOn, type Network, type Person, type Post } from './records.js';
import type { World } from './world.js';

const TITLES: Record<Network, string> = { x: 'X', facebook: 'Facebook' };
/** How many people a page offers to be. */
const OFFERED = 60;

const templates = Handlebars.create();
const folder = join(root, 'scripts', 'sandbox', 'views');
for (const file of readdirSync(folder))
  templates.registerPartial(file.replace('.hbs', ''), readFileSync(join(folder, file), 'utf8'));
const pageOf = (name: string): Handlebars.TemplateDelegate =>
  templates.compile(`{{> ${name}}}`, { strict: false });
const CONSENT = pageOf('consent');
const ACCOUNT = pageOf('account');
const MISSING = pageOf('missing');

/** Finds who is signed in on a network's pages: each has its own cookie (cookies know no ports). */
export function signedIn(req: Request, network: Network, world: World): Person | null {
  const handle = cookie.parse(req.get('cookie') ?? '')[`sandbox-${network}`];
  return handle ? world.person(handle) : null;
}

const offer = (
  world: World,
  chosen: Person | null,
): { handle: string; name: string; chosen: boolean }[] =>
  world
    .all()
    .slice(0, OFFERED)
    .map(({ handle, name }) => ({ handle, name, chosen: handle === chosen?.handle }));

/** The page that asks whether the hub may know who one is, and which invented person that is. */
export function consentPage(
  network: Network,
  world: World,
  consent: { me: Person | null; app: string; scopes: string[]; fields: Record<string, string> },
): string {
  return CONSENT({
    network: TITLES[network],
    app: consent.app,
    scopes: consent.scopes.join(', ') || 'know who you are',
    fields: consent.fields,
    people: offer(world, consent.me ?? world.person('fan2')),
  });
}

const FOLLOW: Record<Network, { on: string; off: string; unit: string }> = {
  x: { on: 'Follow', off: 'Unfollow', unit: 'followers' },
  facebook: { on: 'Like this Page', off: 'Unlike this Page', unit: 'likes' },
};

/** An account's page as a person sees it: posts, and buttons for whoever is signed in there. */
export function accountPage(
  network: Network,
  world: World,
  view: {
    me: Person | null;
    account: Person;
    follows: boolean;
    followers: number;
    posts: (Post & { liked: boolean; likes: number })[];
  },
): string {
  const { me, account, follows, followers, posts } = view;
  const handle = handleOn(network, account);
  const back = `/${handle}`;
  const words = FOLLOW[network];
  return ACCOUNT({
    network: TITLES[network],
    name: account.name,
    handle,
    about: account.about,
    followers: `${followers} ${words.unit}`,
    follows,
    back,
    people: offer(world, me),
    act: me && {
      what: follows ? 'unfollow' : 'follow',
      value: handle,
      back,
      label: `${follows ? words.off : words.on} ${account.name}`,
    },
    posts: posts.map((post) => ({
      text: post.text,
      likes: post.likes,
      at: post.at.slice(0, 16).replace('T', ' '),
      act: me &&
        network === 'x' && {
          what: post.liked ? 'unlike' : 'like',
          value: post.id,
          back,
          label: post.liked ? 'Unlike' : 'Like',
        },
    })),
  });
}

/** The page at an address that nobody has. */
export const notFoundPage = (network: Network): string => MISSING({ network: TITLES[network] });
