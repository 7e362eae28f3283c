/** Small things every room's module needs: the page's words, its status line, its token. */
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

// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the page's own data: its reader names its shape
export function readJson<T>(id: string): T | null {
  const text = document.getElementById(id)?.textContent;
  return text ? (JSON.parse(text) as T) : null;
}

export const words = readJson<Words>('live-words');
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

export function showPoints(points: number): void {
  for (const number of document.querySelectorAll('[data-points-number]'))
    number.textContent = String(points).replace(/\B(?=(\d{3})+(?!\d))/g, '\u00a0');
}
