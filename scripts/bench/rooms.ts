import type { Program } from '../program.js';
import { bareRoom, chat, villageRoom } from './chat.js';
import { pause } from '../services/process.js';
import { bulkFans, openRoom, type BenchHub } from './hub.js';
import type { Measured } from './processes.js';
import { row } from './table.js';
import { weigh } from './weight.js';

/** Chats of a thousand and of five thousand sockets, beside the bare socket.io of the same run. */
export async function chats(hub: BenchHub, bare: Measured, web: Program): Promise<void> {
  const people = await bulkFans(hub.context, 5000, 'chat');
  await openRoom(hub, 'bench');
  for (const [sockets, perSecond, goal] of [
    [1000, 10, 'p99 bare + 25 / 15 ms; 40k / 80k deliveries a second a core; 0 lost'],
    [5000, 2, 'p99 bare + 60 / 40 ms; 0 lost'],
  ] as const) {
    const alone = await chat(bareRoom(bare.url), {
      sockets,
      perSecond,
      seconds: 10,
      pid: bare.child.pid,
    });
    const aloneEach = Math.round(alone.deliveries / alone.used);
    const before = await weigh(web);
    let idle = 0;
    const room = villageRoom(
      hub.url,
      'bench',
      people.map(({ token }) => token),
    );
    const connected = async (): Promise<void> => {
      // What connecting has left behind is no part of what a message costs.
      await pause(10_000);
      idle = ((await weigh(web)) - before) / 1024 / sockets;
    };
    const pid = web.pid;
    const ours = await chat(room, { sockets, perSecond, seconds: 10, pid, connected });
    row(
      `chat, ${sockets} sockets, ${perSecond} messages a second`,
      `p50 ${ours.p50} ms, p99 ${ours.p99} ms, ${ours.lost} lost, ${ours.doubled} doubled, ` +
        `${Math.round(ours.deliveries / ours.used)} deliveries a CPU second`,
      `p50 ${alone.p50} ms, p99 ${alone.p99} ms, ${aloneEach} deliveries a CPU second`,
      goal,
    );
    row(
      `idle socket, of ${sockets}`,
      `${idle.toFixed(1)} KB of heap and buffers`,
      '',
      '35 / 25 KB',
    );
  }
}
