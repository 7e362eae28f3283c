import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { filesOf, startMongodb } from './mongodb.js';
import { endById, pause, type Service } from './process.js';
import { startRedis } from './redis.js';
import { hasRoom, refuses } from './refusal.js';

/**
 * Finds or starts both stores side by side, their files below `dir`. When one cannot be had, the
 * other is stopped again and the Error says a line for each that is missing. A `signal` ends what
 * is still starting.
 */
export async function startStores(
  dir: string,
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<{ mongodb: Service; redis: Service }> {
  const [mongodb, redis] = await Promise.allSettled([
    startMongodb(join(dir, 'mongodb'), say, { given: process.env['MONGODB_URI'], signal }),
    startRedis(join(dir, 'redis'), say, { given: process.env['REDIS_URL'], signal }),
  ]);
  if (mongodb.status === 'fulfilled' && redis.status === 'fulfilled')
    return { mongodb: mongodb.value, redis: redis.value };
  const reasons: string[] = [];
  for (const store of [mongodb, redis]) {
    if (store.status === 'fulfilled') await store.value.stop();
    else reasons.push(store.reason instanceof Error ? store.reason.message : String(store.reason));
  }
  throw new Error(reasons.join('\n'));
}

/**
 * Ends the stores that still have the files of `dir` open, and answers their ids. Call it only
 * while holding the lock of the folder: then they are what a start left running on a machine that
 * could not tie them (scripts/tie.mjs). They are recognised by their arguments, which nothing can
 * lose or falsify.
 */
export async function endLeftOver(dir: string): Promise<number[]> {
  const left = readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const args = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      const follows = (option: string, value: string): boolean =>
        args.some((arg, index) => arg === option && args[index + 1] === value);
      return (
        follows('--storage-path', filesOf(join(dir, 'mongodb'))) ||
        follows('--dbpath', filesOf(join(dir, 'mongodb'))) ||
        follows('--dir', join(dir, 'redis'))
      );
    } catch {
      return false;
    }
  });
  await Promise.all(left.map((pid) => endById(Number(pid))));
  return left.map(Number);
}

/** What keeps a store running. */
export interface StoreKeeper {
  say: (line: string) => void;
  /**
   * Aborted when everything is being stopped: then nothing is started again, and what is starting
   * ends.
   */
  signal: AbortSignal;
  /** Called with every store that was started in the place of another. */
  replaced: (old: Service, now: Service) => void;
  /** How often MongoDB is asked to write something, in ms. */
  beatMs?: number;
  /** Whether the disk below `dir` takes files. */
  room?: (dir: string) => boolean;
}

/** Refusals in a row before a store is given up: one slow moment is no refusal. */
const REFUSALS = 3;

/**
 * Starts our stores again, on their ports and with their files, whenever one ends by itself, so
 * that the hub finds it where it was. One that fails again and again is tried at most every ten
 * seconds. A MongoDB that runs but refuses every write although its disk has room (WiredTiger never
 * recovers from a disk that was full) is ended and started too. Resolves when `signal` was aborted
 * and nothing is being started any more.
 */
export async function keepStores(
  dir: string,
  stores: { mongodb: Service; redis: Service },
  keeper: StoreKeeper,
): Promise<void> {
  const { signal, say } = keeper;
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const keep = async (
    name: string,
    first: Service,
    start: (port: number) => Promise<Service>,
    watch: (now: Service) => Promise<void>,
  ): Promise<void> => {
    if (!first.ended) return;
    const port = Number(new URL(first.url).port);
    let [current, begun, wait] = [first, Date.now(), 0];
    void watch(current);
    for (;;) {
      await Promise.race([current.ended, stopped]);
      if (signal.aborted) return;
      wait = Date.now() - begun > 10_000 ? 0 : Math.min(10_000, Math.max(250, wait * 2));
      say(`${name} ended, starting it again`);
      await Promise.race([pause(wait), stopped]);
      begun = Date.now();
      const now = signal.aborted ? null : await start(port).catch(() => null);
      if (!now) continue;
      keeper.replaced(current, now);
      current = now;
      void watch(now);
    }
  };
  const beat = async (mongodb: Service): Promise<void> => {
    let gone = false;
    void mongodb.ended?.then(() => (gone = true));
    for (let refused = 0; refused < REFUSALS;) {
      await Promise.race([pause(keeper.beatMs ?? 5000), mongodb.ended, stopped]);
      if (gone || signal.aborted) return;
      // On a full disk a new one would not fare better: it is waited for.
      refused = (await refuses(mongodb.url)) && (keeper.room ?? hasRoom)(dir) ? refused + 1 : 0;
    }
    if (gone || signal.aborted) return;
    say('MongoDB refuses to write though the disk has room: it is started anew');
    await endById(mongodb.pid ?? 0, 3000);
  };
  const silent = (): undefined => undefined;
  await Promise.all([
    keep(
      'MongoDB',
      stores.mongodb,
      (port) => startMongodb(join(dir, 'mongodb'), silent, { port, signal }),
      beat,
    ),
    keep(
      'Redis',
      stores.redis,
      (port) => startRedis(join(dir, 'redis'), silent, { port, signal }),
      () => Promise.resolve(),
    ),
  ]);
}
