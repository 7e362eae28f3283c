/** On every page of a signed-in fan: points, medals and opened videos arrive by themselves. */
import { say, showPoints, words } from './page.js';

async function start(): Promise<void> {
  const { connect } = await import('./connection.js');
  const socket = connect();
  let seen = 0;
  let before = false;
  // Asks for what this page missed: after a lost connection, or when it began to listen late.
  socket.on('connect', () => {
    const late = before || performance.now() > 3000;
    before = true;
    if (late)
      void fetch('/api/v1/me')
        .then(async (response) =>
          response.ok ? ((await response.json()) as { points: number; seq: number }) : null,
        )
        .then(
          (me) => {
            if (me && me.seq > seen) {
              seen = me.seq;
              showPoints(me.points);
            }
          },
          () => undefined,
        );
  });
  socket.on('points:awarded', (news) => {
    if (news.seq <= seen) return;
    seen = news.seq;
    showPoints(news.points);
    const given = news.items.reduce((sum, entry) => sum + entry.delta, 0);
    if (!words || given === 0) return;
    const [video] = news.unlocked;
    const change = given > 0 ? `+${given}` : `−${-given}`;
    const total = words.points.replace('#', String(news.points));
    say(`${change}. ${total}${video ? ` ${words.unlocked} ${video.title}` : ''}`);
    document.dispatchEvent(new CustomEvent('village:points'));
  });
  socket.on('follows:progress', ({ network, done, total, awarded }) => {
    const line = document.querySelector(`[data-progress="${network}"]`);
    if (!line || !words) return;
    line.textContent = words.progress
      .replace('#1', String(done))
      .replace('#2', String(total))
      .replace('#3', String(awarded));
    const bar = line.parentElement?.querySelector('progress');
    if (bar) {
      bar.max = total;
      bar.value = done;
    }
  });
}

// The page comes first; news may wait until the browser has nothing better to do.
if ('requestIdleCallback' in window)
  requestIdleCallback(
    () => {
      void start();
    },
    { timeout: 2000 },
  );
else
  setTimeout(() => {
    void start();
  }, 300);
