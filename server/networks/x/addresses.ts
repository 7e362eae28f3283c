import { addressOf, partsOf, typed, urlOf } from '../addresses.js';
import type { Parsed } from '../network.js';

/** First parts of a path that are pages of X itself. */
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
  'statuses',
  'download',
  'jobs',
  'compose',
  'oauth',
  'account',
  'who_to_follow',
]);
const HOST = /^(?:(?:www|mobile|m)\.)?(?:x|twitter)\.com$/;
const HANDLE = /^[A-Za-z0-9_]{1,15}$/;
const ID = /^\d{1,20}$/;

/**
 * Reads every form of address that X ever had: handle, profile, post, intent, numeric id, the old
 * ones with `#!`, and the one that a signed-out visitor ends on.
 */
export function parseX(text: string, pages: string): Parsed {
  const plain = typed(text);
  const prefixed = /^(?:x|twitter):@?(\w+)$/i.exec(plain) ?? /^[@＠](\w+)$/.exec(plain);
  if (prefixed?.[1]) return byHandle(prefixed[1]);
  const url = addressOf(plain);
  if (!url || (!HOST.test(url.hostname) && url.origin !== new URL(pages).origin)) return null;
  const [first = '', second = '', third = ''] = partsOf(url);
  const asked = (name: string): string => url.searchParams.get(name) ?? '';
  if (first === 'i') {
    if (second === 'user') return byId(third);
    const after = /^\/(?!\/)/.test(asked('redirect_after_login'))
      ? urlOf(asked('redirect_after_login'), url.origin)
      : null;
    return second === 'flow' && after ? parseX(after.href, pages) : 'none';
  }
  if (first === 'intent')
    return asked('user_id')
      ? byId(asked('user_id'))
      : byHandle(asked('screen_name').replace(/^@/, ''));
  if (first === 'account' && second === 'redirect_by_id') return byId(asked('id'));
  const handle = first.replace(/^@/, '');
  return PAGES.has(handle.toLowerCase()) ? 'none' : byHandle(handle);
}

const byId = (id: string): Parsed => (ID.test(id) ? { id } : 'none');
const byHandle = (handle: string): Parsed => (HANDLE.test(handle) ? { handle } : 'none');
