/**
 * Makes follow buttons work without a reload: the network's page opens beside this one, and the hub
 * is asked when the reader comes back. Without this module the forms do the same.
 */
import { onReturn } from './return.js';
import { csrf, say, showPoints, words } from '../live/page.js';

interface Answer {
  verdict: string;
  awarded: 0 | 1;
  turn: number;
  points: number;
  unlocked: { slug: string; title: string }[];
  open?: string;
  waitsUntil?: string;
}

/** Waits before each try: a network may need a moment to know of a follow that was just made. */
const TRIES_MS = [0, 2500, 6000];

/** Sets what the yellow button says, and its stub. */
function label(part: HTMLElement, text: string, stub: string): void {
  const line = part.querySelector('.follow-go .words');
  const end = part.querySelector('.follow-go .stub');
  if (line) line.textContent = text;
  if (end) end.textContent = stub;
}

/**
 * Asks the hub whether the account is followed now, and shows its answer. True once that is
 * settled; false means that asking again later is worth it.
 */
async function ask(part: HTMLElement): Promise<boolean> {
  if (part.getAttribute('aria-busy') === 'true') return false;
  const { slug = '', network = 'x', account, turn = '0' } = part.dataset;
  const before = part.querySelector('.follow-go .words')?.textContent ?? '';
  part.setAttribute('aria-busy', 'true');
  label(part, words?.asking[network] ?? '', '…');
  let last: Answer | null = null;
  for (const wait of TRIES_MS) {
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const response = await fetch(`/api/v1/athletes/${slug}/follow`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-csrf-token': csrf(),
        'accept-language': words?.lang ?? 'fr',
      },
      body: JSON.stringify({ network, account, turn: Number(turn) }),
    }).catch(() => null);
    if (!response) continue;
    if (!response.ok) {
      last = null;
      const problem = (await response.json().catch(() => ({}))) as { detail?: string };
      say(problem.detail ?? words?.failed ?? '');
      break;
    }
    last = (await response.json()) as Answer;
    if (last.verdict !== 'no') break;
  }
  part.removeAttribute('aria-busy');
  if (last && (last.awarded === 1 || last.verdict === 'yes')) {
    // The server draws the page as it is now: the account, the count, the videos that opened.
    const fresh = new DOMParser().parseFromString(
      await (await fetch(location.pathname, { headers: { accept: 'text/html' } })).text(),
      'text/html',
    );
    const [now, next] = [document.querySelector('#main'), fresh.querySelector('#main')];
    showPoints(last.points);
    const id = part.id;
    if (now && next) {
      now.replaceChildren(...next.childNodes);
      wire();
    }
    (
      document.getElementById(id)?.querySelector<HTMLElement>('button, a') ??
      document.querySelector<HTMLElement>('#main')
    )?.focus();
    const [video] = last.unlocked;
    if (last.waitsUntil) say(words?.waits ?? '');
    if (last.awarded === 1)
      say(
        video
          ? `${words?.awarded ?? ''} ${words?.unlocked ?? ''} ${video.title}`
          : (words?.awarded ?? ''),
      );
    return true;
  }
  label(part, before, '+1');
  if (last?.verdict === 'no') say(words?.no[network] ?? '');
  else if (last) say(words?.unknown[network] ?? '');
  return false;
}

/** Knows the button that opened a network's page by its id, because the page replaces its parts. */
const returning = onReturn(async (id) => {
  const part = document.getElementById(id);
  return part === null || (await ask(part));
});

function wire(): void {
  for (const part of document.querySelectorAll<HTMLElement>('[data-follow]')) {
    part.querySelector('[data-open]')?.addEventListener('click', () => {
      returning.expect(part.id);
    });
    part.querySelector('[data-act]')?.addEventListener('click', (event) => {
      event.preventDefault();
      void ask(part);
    });
  }
}

wire();
