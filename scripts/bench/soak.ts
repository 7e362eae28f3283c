import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { io } from 'socket.io-client';
import { root } from '../root.js';
import { VIDEOS } from '../demo/content.js';
import { bulkFans, openRoom, type BenchHub } from './hub.js';
import { open, type Shot } from './load.js';
import { cpu, memory, row, say, text } from './table.js';
import { MANNERS } from './seat.js';

/** The share of minutes in which a process still fills its caches: not counted in the slope. */
const WARM = 0.3;

interface Minute {
  minute: number;
  webMb: number;
  heapMb: number;
  workerMb: number;
  sockets: number;
  entries: number;
  p99: number;
  failed: number;
}

const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;

/** MB an hour by which a figure grows: the slope of the line of least squares. */
export function slope(figures: readonly number[]): number {
  const middle = (figures.length - 1) / 2;
  const mean = figures.reduce((sum, figure) => sum + figure, 0) / figures.length;
  let [over, under] = [0, 0];
  for (const [index, figure] of figures.entries()) {
    over += (index - middle) * (figure - mean);
    under += (index - middle) ** 2;
  }
  return under === 0 ? 0 : (over / under) * 60;
}

/** Videos of every kind of lock, so that a page and a range cost what they cost. */
async function publish({ context, organiser }: BenchHub): Promise<void> {
  for (const [index, video] of VIDEOS.entries()) {
    const clip = (kind: string): string =>
      join(root, 'scripts', 'demo', 'clips', `${video.slug}.${kind}`);
    const lock =
      index === 2
        ? video.lock
        : [
            {
              kind: 'follow' as const,
              athletes: [`star${index}`, `star${index + 2}`],
              need: 1,
              network: null,
            },
          ];
    await context.videos.publish(
      { id: organiser, roles: ['organiser'] },
      { ...video, athlete: `star${index}`, lock },
      { media: clip('mp4'), poster: clip('jpg') },
    );
  }
}

/**
 * Runs an hour of everything at once, and follows what the processes weigh (RELIABILITY F20):
 * pages, JSON, follows and their undoing, ranges of videos, fans who come to a chat, say a word and
 * leave. Writes every minute to build/soak.json. `heap` is the least heap seen in a minute, so what
 * is left after collections.
 */
export async function soak(hub: BenchHub, web: number, worker: number): Promise<void> {
  const { soakers, rate, connects } = hub.sizes;
  await publish(hub);
  await openRoom(hub, 'soak');
  const people = await bulkFans(hub.context, soakers, 'soak');
  const as = (): { authorization: string } => ({ authorization: `Bearer ${pick(people).token}` });
  const pages = [
    '/fr',
    '/en',
    '/en/athletes',
    '/fr/boards/hub',
    '/en/videos',
    '/en/chats',
    '/en/sign-in',
    '/fr/about/points',
  ];
  const json = [
    '/me',
    '/me/ledger',
    '/me/medals',
    '/boards/hub?around=me',
    '/videos',
    '/chats/soak/messages?after=0',
    '/athletes?q=star',
    '/athletes?limit=20',
  ];
  const shot = (): Shot => {
    const what = Math.random();
    const star = `star${Math.floor(Math.random() * 100)}`;
    if (what < 0.3) return { path: Math.random() < 0.5 ? pick(pages) : `/en/athletes/${star}` };
    if (what < 0.6) return { path: `/api/v1${pick(json)}`, headers: as() };
    if (what < 0.65)
      return {
        path: `/api/v1/videos/${pick(VIDEOS).slug}/poster`,
        headers: { range: 'bytes=0-9999' },
      };
    const body = '{"network":"x"}';
    return {
      method: what < 0.88 ? 'POST' : 'DELETE',
      path: `/api/v1/athletes/${star}/follow`,
      headers: { 'content-type': 'application/json', ...as() },
      body,
    };
  };
  let said = 0;
  const visit = (): void => {
    const socket = io(`${hub.url}/village`, {
      ...MANNERS,
      reconnection: false,
      auth: { token: pick(people).token },
    });
    const leave = setTimeout(() => socket.disconnect(), 20_000);
    socket.on('connect', () => {
      socket.emit('chat:join', { chat: 'soak' }, () => {
        said += 1;
        if (Math.random() < 0.2)
          socket.emit(
            'chat:say',
            { chat: 'soak', text: `word ${said}`, clientId: `soak-${said}-word` },
            () => undefined,
          );
        setTimeout(() => {
          socket.emit('chat:leave', { chat: 'soak' }, () => {
            clearTimeout(leave);
            socket.disconnect();
          });
        }, 4000);
      });
    });
  };
  const figure = async (name: string): Promise<number> => {
    const answer = await fetch(`${hub.url}/metrics`, {
      headers: { authorization: `Bearer ${hub.env['METRICS_TOKEN'] ?? ''}` },
    });
    return Number(
      new RegExp(`^${name}(?:\\{[^}]*\\})? ([\\d.e+]+)`, 'm').exec(await answer.text())?.[1] ?? 0,
    );
  };
  const minutes: Minute[] = [];
  let heap = Infinity;
  const looking = setInterval(() => {
    void figure('nodejs_heap_size_used_bytes').then(
      (bytes) => {
        heap = Math.min(heap, bytes);
      },
      () => undefined,
    );
  }, 2000);
  const visiting = setInterval(visit, 1000 / connects);
  const used = cpu(web);
  try {
    for (let minute = 1; minute <= hub.sizes.minutes; minute += 1) {
      heap = Infinity;
      const load = await open(hub.url, rate, 60, shot);
      minutes.push({
        minute,
        webMb: Math.round(memory(web) / 1024),
        heapMb: Math.round(heap / 1_048_576),
        workerMb: Math.round(memory(worker) / 1024),
        sockets: await figure('village_sockets'),
        entries: await hub.context.connection.collection('entries').countDocuments(),
        p99: load.p99,
        failed: load.failed,
      });
      const now = minutes.at(-1) as Minute;
      say(
        `minute ${minute}: web ${now.webMb} MB (heap ${now.heapMb}), worker ${now.workerMb} MB, ` +
          `${now.sockets} sockets, ${now.entries} entries, ${text(load)}`,
      );
      writeFileSync(join(root, 'build', 'soak.json'), JSON.stringify(minutes, null, 1));
    }
  } finally {
    clearInterval(looking);
    clearInterval(visiting);
  }
  const { bad } = await hub.context.points.verify();
  if (bad) throw new Error(`the ledger is wrong after the run: ${JSON.stringify(bad)}`);
  const warm = minutes.slice(Math.floor(minutes.length * WARM));
  const grows = (figureOf: (minute: Minute) => number): string => {
    const [from = 0, to = 0] = [warm[0], warm.at(-1)].map((each) => each && figureOf(each));
    return `${from} to ${to} MB, ${slope(warm.map(figureOf)).toFixed(1)} MB an hour`;
  };
  const failed = minutes.reduce((sum, minute) => sum + minute.failed, 0);
  const slowest = Math.max(...warm.map(({ p99 }) => p99));
  const share = Math.round(((cpu(web) - used) / hub.sizes.minutes / 60) * 100);
  row(
    `${hub.sizes.minutes} minutes of mixed load`,
    `web ${grows(({ webMb }) => webMb)}; its heap ${grows(({ heapMb }) => heapMb)}; ` +
      `worker ${grows(({ workerMb }) => workerMb)}; ` +
      `${failed} failed, p99 ${slowest} ms, ${share} % of a core`,
    '',
    'heap after collection: 1 MB an hour',
  );
}
