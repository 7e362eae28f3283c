import type { Program } from '../program.js';

/**
 * Loaded into a measured process: on request it collects all garbage and tells what is then in use.
 * What the kernel calls resident is no measure of a socket: it moves with the nursery and with what
 * the collector has not given back yet, and was seen to shrink while sockets came.
 */
const SCALE = `process.on('message', (message) => {
  if (message !== 'weigh') return;
  gc(); gc();
  const { heapUsed, external } = process.memoryUsage();
  process.send({ weight: heapUsed + external });
});`;

/** What node is started with so that a process can be weighed. */
export const weighable = [
  '--expose-gc',
  '--import',
  `data:text/javascript,${encodeURIComponent(SCALE)}`,
];

/** Bytes of heap and buffers that a process holds once all its garbage is collected. */
export async function weigh(child: Program): Promise<number> {
  const answer = child.message<{ weight: number }>('weight');
  child.send('weigh');
  return (await answer)?.weight ?? 0;
}
