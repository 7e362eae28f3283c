import { io } from 'socket.io-client';
import { pause } from '../services/process.js';
import { bulkFans, openRoom, type BenchHub } from './hub.js';
import { MANNERS, seat, type Seat } from './seat.js';
import { row, say } from './table.js';

const SLUG = 'storm';

/** Waits until all seats are ready; answers the seconds that took. */
async function all(
  seats: Seat[],
  isReady: (seat: Seat) => boolean,
  seconds: number,
): Promise<number> {
  const begun = performance.now();
  while (!seats.every(isReady)) {
    if (performance.now() - begun > seconds * 1000)
      throw new Error(
        `${seats.filter((each) => !isReady(each)).length} of ${seats.length} never came back`,
      );
    await pause(20);
  }
  return (performance.now() - begun) / 1000;
}

/**
 * Restarts the web process under so many sockets in one room while things are said there: how long
 * until all are back and have heard them.
 */
export async function storm(
  hub: BenchHub,
  bare: string,
  restart: () => Promise<void>,
): Promise<void> {
  const { sockets } = hub.sizes;
  const people = await bulkFans(hub.context, sockets, 'storm');
  const speaker = { id: hub.organiser, name: 'o', roles: ['organiser'] as const };
  await openRoom(hub, SLUG);
  let said = 0;
  const speak = async (): Promise<void> => {
    said += 1;
    await hub.context.chats.say(speaker, SLUG, `word ${said}`, `storm-${said}-client`);
  };
  for (let n = 0; n < 20; n += 1) await speak();

  const begun = performance.now();
  const alone = Array.from({ length: sockets }, () => io(bare, MANNERS));
  await Promise.all(
    alone.map(
      (socket) =>
        new Promise<void>((resolve) => {
          socket.once('connect', () => {
            resolve();
          });
        }),
    ),
  );
  const aloneSeconds = (performance.now() - begun) / 1000;
  for (const socket of alone) socket.disconnect();

  const seats: Seat[] = [];
  for (let from = 0; from < sockets; from += 100) {
    const part = people.slice(from, from + 100).map(({ token }) => seat(hub.url, SLUG, token));
    await all(part, ({ joined, last }) => joined && last === said, 30);
    seats.push(...part);
  }
  say(`${sockets} sockets are in; the web process is restarted under them`);
  const speaking = setInterval(() => {
    void speak();
  }, 500);
  const gone = performance.now();
  await restart();
  const away = (performance.now() - gone) / 1000;
  const back = await all(seats, ({ joined }) => joined, 120);
  clearInterval(speaking);
  const heard = await all(seats, ({ last }) => last >= said, 30);
  for (const { socket } of seats) socket.disconnect();
  row(
    `restart under ${sockets} sockets`,
    `away ${away.toFixed(1)} s; all back ${back.toFixed(1)} s later ` +
      `and ${heard.toFixed(1)} s on with all of ${said} items`,
    `socket.io alone: as many connect in ${aloneSeconds.toFixed(1)} s`,
    '15 / 6 s',
  );
}
