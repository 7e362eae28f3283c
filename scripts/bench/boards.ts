import { bulkFans, bulkScores, type BenchHub } from './hub.js';
import { open, type Shot } from './load.js';
import { row, say, text } from './table.js';

/** Rank and neighbours of fans on a board of so many, and how long a lost board takes to return. */
export async function boards(hub: BenchHub): Promise<void> {
  const begun = performance.now();
  const sample = await bulkScores(hub.context, hub.sizes.fans);
  say(`${hub.sizes.fans} scores written in ${Math.round((performance.now() - begun) / 1000)} s`);
  await hub.context.points.rebuild();
  // The hub's board alone is lost, and comes back by itself.
  const { commands, prefix } = hub.context.redis;
  await commands.del(`${prefix}{board:hub}`);
  const rebuilding = performance.now();
  await hub.context.points.heal();
  const seconds = (performance.now() - rebuilding) / 1000;
  // Fans who may ask for themselves: tokens for a sample of the ranked.
  const people = await bulkFans(hub.context, sample, 'board');
  let index = 0;
  const shot = (): Shot => {
    index += 1;
    return {
      path: '/api/v1/boards/hub?around=me&limit=10',
      headers: { authorization: `Bearer ${people[index % people.length]?.token ?? ''}` },
    };
  };
  await open(hub.url, 100, 2, shot);
  row(
    `board of ${hub.sizes.fans}: rank and around me at 300 a second`,
    text(await open(hub.url, 300, 6, shot)),
    '',
    'p99 20 / 8 ms',
  );
  row(`board of ${hub.sizes.fans}: rebuild`, `${seconds.toFixed(1)} s`, '', '60 / 30 s');
}
