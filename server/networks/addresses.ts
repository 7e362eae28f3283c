/** What pasted text has around an address: quotes, brackets, the end of a sentence. */
const AROUND = /^[\s<("'«“‘]+|[\s>)"'»”’.,;:!]+$/g;

/**
 * Pasted text as somebody would have typed it: without what is around an address, and without marks
 * that cannot be seen (X wraps handles in bidi isolates).
 */
export const typed = (text: string): string => text.replace(/\p{Cf}/gu, '').replace(AROUND, '');

/** A text as an address, or null if it is none. */
export const urlOf = (text: string, base?: string): URL | null =>
  URL.canParse(text, base) ? new URL(text, base) : null;

/**
 * The web address that a text means, with or without its scheme; null if it means none. An old
 * address with `#!` counts as the path it stood for (`twitter.com/#!/name`).
 */
export function addressOf(text: string): URL | null {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
    ? text
    : `https://${text.replace(/^\/\//, '')}`;
  const url = urlOf(full);
  if (!url || !/^https?:$/.test(url.protocol)) return null;
  return (url.hash.startsWith('#!') && urlOf(url.hash.slice(2), url.origin)) || url;
}

/** The parts of an address's path, decoded where they can be. */
export const partsOf = (url: URL): string[] =>
  url.pathname
    .split('/')
    .filter(Boolean)
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
