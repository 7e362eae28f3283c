import { addressOf, partsOf, typed } from '../addresses.js';
import type { Parsed } from '../network.js';

/** First parts of a path that are pages of Facebook itself. */
const PAGES = new Set([
  'groups',
  'events',
  'watch',
  'share',
  'sharer',
  'sharer.php',
  'help',
  'hashtag',
  'marketplace',
  'gaming',
  'photo',
  'photo.php',
  'photos',
  'video.php',
  'media',
  'public',
  'directory',
  'fundraisers',
  'games',
  'saved',
  'reel',
  'reels',
  'stories',
  'search',
  'settings',
  'policies',
  'privacy',
  'dialog',
  'tr',
  'home.php',
  'messages',
  'notifications',
  'business',
  'ads',
]);
/** Hosts of Facebook, with the subdomains it has had for devices and languages (`fr-fr`). */
const SUBDOMAIN = 'www|m|mobile|web|mbasic|touch|0|free|business|new|[a-z]{2}-[a-z]{2}';
const HOST = new RegExp(`^(?:(?:${SUBDOMAIN})\\.)?(?:facebook\\.com|fb\\.com|fb\\.me)$`);
/** The messenger's short addresses, which bear the name of a Page. */
const MESSENGER = /^(?:www\.)?m\.me$/;
/** Where Facebook sends whoever leaves it: `u` is the address that was meant. */
const LEAVING = /^lm?\.facebook\.com$/;
const NAME = /^[A-Za-z0-9.]{3,50}$/;
const ID = /^\d{3,20}$/;

/**
 * The address, of whatever network, that a link out of Facebook leads to; any other text as it is.
 */
export function beyondFacebook(text: string): string {
  const url = addressOf(typed(text));
  return (
    (url && LEAVING.test(url.hostname) && url.pathname === '/l.php' && url.searchParams.get('u')) ||
    text
  );
}

/**
 * Reads every form of address that Facebook ever had: a Page or profile by name or by number, in
 * old and new paths, and the one that a signed-out visitor ends on.
 */
export function parseFacebook(text: string, pages: string): Parsed {
  const plain = typed(text);
  const prefixed = /^(?:facebook|fb):@?([\w.]+)$/i.exec(plain);
  if (prefixed?.[1]) return byName(prefixed[1]);
  const url = addressOf(plain);
  if (
    !url ||
    (!HOST.test(url.hostname) &&
      !MESSENGER.test(url.hostname) &&
      url.origin !== new URL(pages).origin)
  )
    return null;
  const parts = partsOf(url);
  const first = (parts[0] ?? '').toLowerCase();
  const asked = (name: string): string => url.searchParams.get(name) ?? '';
  // The author of a post is named by number beside it.
  if (first === 'profile.php' || first === 'story.php' || first === 'permalink.php')
    return byId(asked('id'));
  const inside =
    first === 'login' || first === 'login.php'
      ? asked('next')
      : first === 'plugins'
        ? asked('href')
        : '';
  if (inside) return parseFacebook(inside, pages) ?? 'none';
  if (first === 'pages' || first === 'people' || first === 'p')
    return byId(/(?:^|-)(\d+)$/.exec(parts.at(-1) ?? '')?.[1] ?? '');
  if (first === 'pg') return byName(parts[1] ?? '');
  if (PAGES.has(first) || first === 'login' || first === 'plugins') return 'none';
  // A Page that has no name yet: its title and its number.
  const untitled = /-(\d{5,20})$/.exec(parts[0] ?? '')?.[1];
  return untitled ? { id: untitled } : byName((parts[0] ?? '').replace(/^@/, ''));
}

const byId = (id: string): Parsed => (ID.test(id) ? { id } : 'none');

function byName(name: string): Parsed {
  if (ID.test(name)) return { id: name };
  return NAME.test(name) && /[A-Za-z]/.test(name) && !name.endsWith('.php')
    ? { handle: name }
    : 'none';
}
