/** What every room's module needs of its page: its words, its status line, its form token. */

/** Words of the page for its modules, in its language; `#` stands for a number. */
export interface Words {
  awarded: string;
  unlocked: string;
  asking: Record<string, string>;
  no: Record<string, string>;
  unknown: Record<string, string>;
  waits: string;
  failed: string;
  points: string;
  progress: string;
  lang: string;
}

/** Reads the data block with this id; null where the page has none. */
// The page's own data, so its reader names its shape.
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
export function readJson<T>(id: string): T | null {
  const text = document.getElementById(id)?.textContent;
  return text ? (JSON.parse(text) as T) : null;
}

/** The page's words; null for a visitor, who is told nothing. */
export const words = readJson<Words>('live-words');
/** The session's form token; empty for a visitor. */
export const csrf = (): string =>
  document.querySelector<HTMLMetaElement>('meta[name="csrf"]')?.content ?? '';

/**
 * Says something to screen readers, and shows it for a while; the page itself holds the lasting
 * copy.
 */
export function say(text: string): void {
  const status = document.getElementById('status');
  if (status) status.textContent = text;
  document.querySelector('.toast')?.remove();
  const toast = document.createElement('p');
  toast.className = 'toast';
  toast.textContent = text;
  document.body.append(toast);
  setTimeout(() => {
    toast.remove();
  }, 6000);
}

/** Shows the reader's points wherever the page has them. */
export function showPoints(points: number): void {
  for (const number of document.querySelectorAll('[data-points-number]'))
    number.textContent = String(points).replace(/\B(?=(\d{3})+(?!\d))/g, '\u00a0');
}
