import type { Parsed } from '../network.js';

const PAGES = new Set([
  'groups',
  'events',
  'watch',
  'share',
  'sharer',
  'sharer.php',
  'login',
  'login.php',
  'help',
  'hashtag',
  'marketplace',
  'gaming',
  'photo',
  'photo.php',
  'photos',
  'story.php',
  'permalink.php',
  'reel',
  'reels',
  'stories',
  'search',
  'settings',
  'policies',
  'privacy',
  'dialog',
  'plugins',
  'tr',
  'home.php',
  'messages',
  'notifications',
  'business',
  'ads',
]);
const HOST = /^(?:(?:www|m|mobile|web|mbasic|touch|business|[a-z]{2}-[a-z]{2})\.)?(?:facebook\.com|fb\.com|fb\.me)$/;
const NAME = /^[A-Za-z0-9.]{3,50}$/;
const ID = /^\d{3,20}$/;

/** Every form of a Facebook address: page or profile by name, by number, in its old and new paths. */
export function parseFacebook(text: string, pages: string): Parsed {
  const plain = text.trim();
  const prefixed = /^facebook:@?([\w.]+)$/i.exec(plain);
  if (prefixed?.[1]) return byName(prefixed[1]);
  let url: URL;
  try {
    url = new URL(/^https?:\/\//i.test(plain) ? plain : `https://${plain}`);
  } catch {
    return null;
  }
  if (!HOST.test(url.hostname.toLowerCase()) && url.origin !== new URL(pages).origin) return null;
  const parts = url.pathname
    .split('/')
    .filter(Boolean)
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
  const first = (parts[0] ?? '').toLowerCase();
  const last = parts.at(-1) ?? '';
  if (first === 'profile.php') return byName(url.searchParams.get('id') ?? '');
  if (first === 'pages' || first === 'people') return ID.test(last) ? { id: last } : 'none';
  if (first === 'p') return /-(\d{3,20})$/.test(last) ? { id: (/-(\d{3,20})$/.exec(last) as RegExpExecArray)[1] as string } : 'none';
  if (first === 'pg') return byName(parts[1] ?? '');
  if (PAGES.has(first)) return 'none';
  return byName(parts[0] ?? '');
}

function byName(name: string): Parsed {
  if (ID.test(name)) return { id: name };
  return NAME.test(name) && /[A-Za-z]/.test(name) && !name.endsWith('.php') ? { handle: name } : 'none';
}
