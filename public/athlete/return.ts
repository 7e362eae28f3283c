/**
 * Notices that the reader is back from a page that was opened beside this one. Browsers announce it
 * in different ways: a tab becomes visible, a window gets the focus (a second window, a split
 * screen, an app that does not hide the page), a page is shown again from memory, or loaded again
 * after the device had discarded it.
 */
const KEPT = 'village-away';
/** A reader who was away longer than this has come back for something else. */
const LONG_MS = 30 * 60_000;

interface Away {
  what: string;
  path: string;
  at: number;
}

// Where a browser stores nothing (some private windows), only a return after a reload is lost.
function keep(away: Away | null): void {
  try {
    if (away) sessionStorage.setItem(KEPT, JSON.stringify(away));
    else sessionStorage.removeItem(KEPT);
  } catch {
    return;
  }
}
function kept(): Away | null {
  try {
    const away = JSON.parse(sessionStorage.getItem(KEPT) ?? 'null') as Away | null;
    return away && away.path === location.pathname && Date.now() - away.at < LONG_MS ? away : null;
  } catch {
    return null;
  }
}

/**
 * Calls `ask` when the reader comes back, with what they left for (`expect`): once a return,
 * however many events announce it, and never while a call is running. If it answers false, the
 * next return calls it again.
 */
export function onReturn(ask: (what: string) => Promise<boolean>): {
  expect: (what: string) => void;
} {
  let away = kept();
  /** Whether the page was left since; a page that was loaded with something expected was. */
  let left = away !== null;
  let busy = false;

  const leave = (): void => {
    left = true;
  };
  const back = (): void => {
    if (!away || !left || busy || document.visibilityState !== 'visible') return;
    const { what } = away;
    left = false;
    busy = true;
    void ask(what)
      .catch(() => false)
      .then((settled) => {
        busy = false;
        // Something else may be expected meanwhile.
        if (away?.what !== what) return;
        keep(null);
        if (settled) away = null;
      });
  };

  window.addEventListener('blur', leave);
  window.addEventListener('pagehide', leave);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') leave();
    else back();
  });
  window.addEventListener('focus', back);
  window.addEventListener('pageshow', back);
  return {
    expect: (what) => {
      away = { what, path: location.pathname, at: Date.now() };
      left = false;
      keep(away);
    },
  };
}
