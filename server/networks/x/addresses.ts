import type { Parsed } from '../network.js';

/** First path parts of x.com that are pages of X itself. */
const PAGES = new Set([
  'home',
  'explore',
  'search',
  'notifications',
  'messages',
  'settings',
  'login',
  'logout',
  'signup',
  'tos',
  'privacy',
  'about',
  'hashtag',
  'share',
  'download',
  'jobs',
  'compose',
  'oauth',
  'account',
  'who_to_follow',
]);
const HOSTS = new Set(['x.com', 'www.x.com', 'mobile.x.com', 'm.x.com', 'twitter.com', 'www.twitter.com', 'mobile.twitter.com', 'm.twitter.com']);
const HANDLE = /^[A-Za-z0-9_]{1,15}$/;

/** Every form of an X address: handle, profile, post, intent, numeric id. */
export function parseX(text: string, pages: string): Parsed {
  const plain = text.trim();
  const prefixed = /^x:@?(\w+)$/i.exec(plain) ?? /^@(\w+)$/.exec(plain);
  if (prefixed?.[1]) return HANDLE.test(prefixed[1]) ? { handle: prefixed[1] } : 'none';
  let url: URL;
  try {
    url = new URL(/^https?:\/\//i.test(plain) ? plain : `https://${plain}`);
  } catch {
    return null;
  }
  if (!HOSTS.has(url.hostname.toLowerCase()) && url.origin !== new URL(pages).origin) return null;
  const parts = url.pathname.split('/').filter(Boolean);
  const first = parts[0] ?? '';
  if (first === 'i') return parts[1] === 'user' && /^\d{1,20}$/.test(parts[2] ?? '') ? { id: parts[2] as string } : 'none';
  if (first === 'intent') {
    const id = url.searchParams.get('user_id');
    const name = url.searchParams.get('screen_name');
    if (id && /^\d{1,20}$/.test(id)) return { id };
    return name && HANDLE.test(name) ? { handle: name } : 'none';
  }
  const handle = first.replace(/^@/, '');
  return !HANDLE.test(handle) || PAGES.has(handle.toLowerCase()) ? 'none' : { handle };
}
