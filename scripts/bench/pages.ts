import type { BenchHub } from './hub.js';
import { closed, open, type Shot } from './load.js';
import { cpu, row, text } from './table.js';

/** Pages: as many as the web process can make, and at a steady rate. */
export async function pages(hub: BenchHub, bare: string, pid: number): Promise<void> {
  const limit = await closed(bare, 32, () => ({ path: '/' }), 3);
  const paths = ['/fr', '/en/athletes/star1', '/fr/boards/hub'];
  let index = 0;
  const shot = (): Shot => {
    index += 1;
    return { path: paths[index % paths.length] ?? '/' };
  };
  // Warm means: compiled, in this process and by it.
  await closed(hub.url, 16, shot, 5);
  const used = cpu(pid);
  const full = await closed(hub.url, 32, shot, 6);
  const each = full.count / Math.max(0.01, cpu(pid) - used);
  row(
    'pages, as many as it can',
    `${text(full)}; ${Math.round(each)} a CPU second`,
    `express hello ${limit.perSecond}/s`,
    '800 / 1500 a second a core',
  );
  row('pages at 200 a second', text(await open(hub.url, 200, 6, shot)), '', 'p99 50 / 20 ms');
}
