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

/** Sends the follow of a card; answers what the hub says, or the words of what went wrong. */
async function sendFollow({ dataset }: HTMLElement): Promise<Answer | { problem: string }> {
  const { slug = '', network, account, turn = '0' } = dataset;
  const response = await fetch(`/api/v1/athletes/${slug}/follow`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-csrf-token': csrf(),
      'accept-language': words?.lang ?? 'fr',
    },
    body: JSON.stringify({ network, account, turn: Number(turn) }),
  });
  if (response.ok) return (await response.json()) as Answer;
  const { detail } = (await response.json().catch(() => ({}))) as { detail?: string };
  return { problem: detail ?? words?.failed ?? '' };
}

/** Asks until the network says yes, a few times, because it may be late to know of a follow. */
async function askPatiently(part: HTMLElement): Promise<Answer | { problem: string }> {
  let last: Answer | { problem: string } = { problem: words?.failed ?? '' };
  for (const wait of TRIES_MS) {
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const answer = await sendFollow(part).catch(() => null);
    if (!answer) continue;
    last = answer;
    if ('problem' in answer || answer.verdict !== 'no') break;
  }
  return last;
}

/** Draws the page as the server has it now: the account, the count, the videos that opened. */
async function redraw(): Promise<void> {
  const response = await fetch(location.pathname, { headers: { accept: 'text/html' } });
  const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
  const [now, next] = [document.querySelector('#main'), fresh.querySelector('#main')];
  if (!response.ok || !now || !next) return;
  now.replaceChildren(...next.childNodes);
  wire();
}

/** Shows what a yes brought: points at once, then the page, then a toast. */
async function showYes({ id }: HTMLElement, answer: Answer): Promise<void> {
  showPoints(answer.points);
  // The point is there, whether or not the page can be drawn anew.
  await redraw().catch(() => undefined);
  const acting = document.getElementById(id)?.querySelector<HTMLElement>('button, a');
  (acting ?? document.querySelector<HTMLElement>('#main'))?.focus();
  if (answer.waitsUntil) say(words?.waits ?? '');
  if (answer.awarded !== 1) return;
  const [video] = answer.unlocked;
  const awarded = words?.awarded ?? '';
  say(video ? `${awarded} ${words?.unlocked ?? ''} ${video.title}` : awarded);
}

/**
 * Asks the hub whether the account is followed now, and shows its answer. True once that is
 * settled; false means that asking again later is worth it.
 */
async function ask(part: HTMLElement): Promise<boolean> {
  if (part.getAttribute('aria-busy') === 'true') return false;
  const { network = '' } = part.dataset;
  const before = part.querySelector('.follow-go .words')?.textContent ?? '';
  part.setAttribute('aria-busy', 'true');
  label(part, words?.asking[network] ?? '', '…');
  const answer = await askPatiently(part);
  part.removeAttribute('aria-busy');
  label(part, before, '+1');
  if (!('problem' in answer) && (answer.awarded === 1 || answer.verdict === 'yes')) {
    await showYes(part, answer);
    return true;
  }
  if ('problem' in answer) say(answer.problem);
  else if (answer.verdict === 'no') say(words?.no[network] ?? '');
  else say(words?.unknown[network] ?? '');
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
