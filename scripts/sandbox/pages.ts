import type { Request } from 'express';
import { handleOn, type Network, type Person, type Post, type World } from './world.js';

const escape = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
const TITLES: Record<Network, string> = { x: 'X', facebook: 'Facebook' };

const shell = (
  network: Network,
  title: string,
  body: string,
): string => `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(title)} - ${TITLES[network]} SANDBOX</title>
<style>:root{color-scheme:light dark}body{font:17px/1.5 system-ui,sans-serif;margin:0 auto;max-width:640px;padding:0 16px 48px}header{border:3px dashed #b3261e;padding:8px 12px;margin:12px 0 24px}button,select{font:inherit;min-height:44px;padding:4px 16px}article{border-top:1px solid #8886;padding:12px 0}form{display:inline-block;margin:4px 8px 4px 0}</style></head><body>
<header><strong>SANDBOX of ${TITLES[network]}.</strong> Nothing here is the real network, nobody here is real.</header><main>${body}</main></body></html>`;

/** Who is signed in on this network's pages, by a cookie of its own (cookies know no ports). */
export function signedIn(req: Request, network: Network, world: World): Person | null {
  const match = new RegExp(`(?:^|;\\s*)sandbox-${network}=([^;]+)`).exec(req.get('cookie') ?? '');
  return match?.[1] ? world.person(decodeURIComponent(match[1])) : null;
}

const options = (world: World, chosen: Person | null): string =>
  world
    .all()
    .slice(0, 60)
    .map(
      (one) =>
        `<option value="${escape(one.handle)}"${one.handle === chosen?.handle ? ' selected' : ''}>${escape(one.name)} (@${escape(one.handle)})</option>`,
    )
    .join('');

/** Allow, deny, and which demo person I am. */
export function consentPage(
  network: Network,
  world: World,
  me: Person | null,
  app: string,
  scopes: string[],
  hidden: Record<string, string>,
): string {
  const fields = Object.entries(hidden)
    .map(([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`)
    .join('');
  return shell(
    network,
    'Authorize',
    `<h1>${escape(app)} wants to access your ${TITLES[network]} account</h1><p>It asks to: ${scopes.map(escape).join(', ') || 'know who you are'}.</p>
<form method="post">${fields}<p><label>I am <select name="person">${options(world, me ?? world.person('fan2'))}</select></label></p><button name="answer" value="allow">Allow</button> <button name="answer" value="deny">Deny</button></form>`,
  );
}

/** An account's page, as a person sees it: posts, and buttons for whoever is signed in there. */
export function accountPage(
  network: Network,
  world: World,
  me: Person | null,
  account: Person,
  follows: boolean,
  followers: number,
  posts: (Post & { liked: boolean; likes: number })[],
): string {
  const handle = handleOn(network, account);
  const verb =
    network === 'x'
      ? follows
        ? 'Unfollow'
        : 'Follow'
      : follows
        ? 'Unlike this Page'
        : 'Like this Page';
  const act = (what: string, value: string, label: string): string =>
    `<form method="post" action="/sandbox/act"><input type="hidden" name="what" value="${what}"><input type="hidden" name="value" value="${escape(value)}"><input type="hidden" name="back" value="/${escape(handle)}"><button>${label}</button></form>`;
  return shell(
    network,
    account.name,
    `<h1>${escape(account.name)}</h1><p>@${escape(handle)}. ${escape(account.about)}</p><p>${followers} ${network === 'x' ? 'followers' : 'likes'}${follows ? '. <strong>Following</strong>' : ''}</p>
<form method="post" action="/sandbox/person"><input type="hidden" name="back" value="/${escape(handle)}"><label>I am <select name="person">${options(world, me)}</select></label> <button>Switch</button></form>
${me ? act(follows ? 'unfollow' : 'follow', handle, `${verb} ${escape(account.name)}`) : '<p>Choose who you are first.</p>'}
${posts.map((post) => `<article><p>${escape(post.text)}</p><p>${post.likes} likes, ${escape(post.at.slice(0, 16).replace('T', ' '))}</p>${me && network === 'x' ? act(post.liked ? 'unlike' : 'like', post.id, post.liked ? 'Unlike' : 'Like') : ''}</article>`).join('')}`,
  );
}

export const notFoundPage = (network: Network): string =>
  shell(network, 'Not found', '<h1>This page does not exist</h1>');
