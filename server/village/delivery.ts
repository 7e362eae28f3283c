import type { Connection, Model } from 'mongoose';
import { VillageError } from '../errors.js';
import { within } from '../platform/clock.js';
import { SwrCache } from '../platform/swr-cache.js';
import { insertAll, isStoreAway } from '../platform/mongo.js';
import { itemModel, type ItemRecord } from './chat.model.js';

/** An item on its way: everything but its number. */
export type Draft = Omit<ItemRecord, 'n'>;
interface Waiting {
  draft: Draft;
  since: number;
  resolve: (item: ItemRecord) => void;
  reject: (error: unknown) => void;
}
interface Room {
  last: number | null;
  waiting: Waiting[];
  flushing: Promise<void> | null;
  /** Another one whenever something new is heard: what was read before is not answered any more. */
  edition: number;
}

const BATCH = 100;
const QUEUE_LIMIT = 5000;
/**
 * How long somebody waits for an answer, and a batch for the store, in ms (DESIGN 9: 503 within two
 * seconds).
 */
const PATIENCE_MS = 2000;
/**
 * How old a read may be where the news of another process was lost, in ms, and how many different
 * ones are kept.
 */
const READ_MS = 500;
const READS = 64;

/**
 * Still waited for: whoever has waited longer was told `unavailable`, and tries again under the
 * same client id.
 */
const isWaiting = (one: Waiting): boolean => performance.now() - one.since < PATIENCE_MS;

/** What the store answers, if it answers in time; else `unavailable`. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  const answer = await within(
    work.then((value) => ({ value })),
    PATIENCE_MS,
  );
  if (!answer) throw new VillageError('unavailable', { seconds: 2 });
  return answer.value;
}

/**
 * Numbers items without holes (DESIGN 9): one queue a chat and one ordered insert in flight in a
 * process; what arrives meanwhile is the next batch. Its first number is the last one acknowledged
 * or heard, plus one; on a refusal the own items are looked for (found means acknowledged), the
 * last number is read and the rest numbered anew.
 */
export class Delivery {
  private readonly records: Model<ItemRecord>;
  private readonly rooms = new Map<string, Room>();
  /** What was read lately: after a restart thousands ask for the same at once. */
  private readonly reads = new SwrCache<ItemRecord[]>(READ_MS, READS);
  private editions = 0;

  /** @param spoken hears what was stored, after it was stored, in order */
  constructor(
    connection: Connection,
    private readonly spoken: (chat: string, items: ItemRecord[]) => void,
  ) {
    this.records = itemModel(connection);
  }

  private room(chat: string): Room {
    let room = this.rooms.get(chat);
    if (!room)
      this.rooms.set(
        chat,
        (room = { last: null, waiting: [], flushing: null, edition: (this.editions += 1) }),
      );
    return room;
  }

  /**
   * Stores an item and answers it with its number. A repeat of (chat, fan, clientId) answers the
   * first one, and speaks it again. Throws `unavailable` after two seconds: whether it was stored
   * is then not known, and a repeat finds out.
   */
  add(draft: Draft): Promise<ItemRecord> {
    const room = this.room(draft.chat);
    if (room.waiting.length >= QUEUE_LIMIT) room.waiting = room.waiting.filter(isWaiting);
    if (room.waiting.length >= QUEUE_LIMIT)
      return Promise.reject(new VillageError('busy', { seconds: 2 }));
    const stored = new Promise<ItemRecord>((resolve, reject) => {
      room.waiting.push({ draft, since: performance.now(), resolve, reject });
    });
    room.flushing ??= this.run(draft.chat, room).finally(() => {
      room.flushing = null;
    });
    return inTime(stored);
  }

  /** Items were numbered up to this one, here or by another process. */
  heard(chat: string, n: number): void {
    const room = this.rooms.get(chat);
    if (!room) return;
    room.edition = this.editions += 1;
    if (room.last !== null && room.last < n) room.last = n;
  }

  /** The last number of a chat as the store has it. */
  async last(chat: string): Promise<number> {
    const found = await this.records
      .findOne({ chat, n: { $gt: 0 } }, { n: 1 })
      .sort({ n: -1 })
      .lean();
    const n = found?.n ?? 0;
    const room = this.room(chat);
    if (n > (room.last ?? 0)) room.edition = this.editions += 1;
    room.last = Math.max(room.last ?? 0, n);
    return n;
  }

  /** The last number this process knows of, read from the store if it knows none. */
  async known(chat: string): Promise<number> {
    return this.room(chat).last ?? this.last(chat);
  }

  /** Forgets a room nobody is in, so that memory does not grow with chats that are over. */
  leave(chat: string): void {
    const room = this.rooms.get(chat);
    if (room && room.waiting.length === 0 && !room.flushing) this.rooms.delete(chat);
  }

  private async run(chat: string, room: Room): Promise<void> {
    // Whatever arrives in this turn of the event loop is one batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (room.waiting.length > 0) {
      // Whoever was told that it cannot be done now has not said it.
      const batch = room.waiting.splice(0, BATCH).filter(isWaiting);
      try {
        await this.flush(chat, room, batch);
      } catch (error) {
        room.last = null;
        if (isStoreAway(error)) {
          room.waiting.unshift(...batch);
          await new Promise((resolve) => setTimeout(resolve, 50));
        } else for (const one of batch) one.reject(error);
      }
    }
  }

  private async flush(chat: string, room: Room, batch: Waiting[]): Promise<void> {
    let open = batch;
    // The same message twice in one batch: the second is answered with the first.
    const twins = new Map<string, Waiting[]>();
    open = open.filter((one) => {
      const key = `${one.draft.fan}\0${one.draft.clientId}`;
      const first = twins.get(key);
      if (first) {
        first.push(one);
        return false;
      }
      twins.set(key, [one]);
      return true;
    });
    const answer = (item: ItemRecord): void => {
      for (const one of twins.get(`${item.fan}\0${item.clientId}`) ?? []) one.resolve(item);
    };
    while (open.length > 0) {
      const first = (room.last ?? (await inTime(this.last(chat)))) + 1;
      const items = open.map((one, at): ItemRecord => ({ ...one.draft, n: first + at }));
      const insert = this.insert(items).then((count) => {
        const good = items.slice(0, count);
        if (good.length > 0) {
          room.last = Math.max(room.last ?? 0, first + good.length - 1);
          room.edition = this.editions += 1;
          // Also what the store took so long to take that nobody waits any more: it is there, so it
          // is spoken.
          this.spoken(chat, good);
          for (const item of good) answer(item);
        }
        return good.length;
      });
      open = open.slice(await inTime(insert));
      if (open.length === 0) return;
      const same = {
        $or: open.map(({ draft }) => ({ chat, fan: draft.fan, clientId: draft.clientId })),
      };
      const found = await inTime(this.records.find(same).lean<ItemRecord[]>().exec());
      if (found.length > 0) {
        found.sort((a, b) => a.n - b.n);
        this.spoken(chat, found);
        for (const item of found) answer(item);
        open = open.filter(
          ({ draft }) =>
            !found.some((item) => item.fan === draft.fan && item.clientId === draft.clientId),
        );
      }
      open = open.filter(isWaiting);
      await inTime(this.last(chat));
    }
  }

  /** How many of the batch, from its beginning, were stored before a unique key refused one. */
  private async insert(items: ItemRecord[]): Promise<number> {
    return (await insertAll(this.records, items, true))[0] ?? items.length;
  }

  /** Items after `n` as they look now, oldest first. */
  after(chat: string, n: number, limit: number): Promise<ItemRecord[]> {
    return this.reads.get(`${chat}|${this.room(chat).edition}|${n}|${limit}`, () =>
      this.records
        .find({ chat, n: { $gt: n } })
        .sort({ n: 1 })
        .limit(limit)
        .lean<ItemRecord[]>()
        .exec(),
    );
  }

  /** The newest items, oldest first. */
  newest(chat: string, limit: number): Promise<ItemRecord[]> {
    return this.reads.get(`${chat}|${this.room(chat).edition}|newest|${limit}`, async () => {
      const found = await this.records
        .find({ chat, n: { $gt: 0 } })
        .sort({ n: -1 })
        .limit(limit)
        .lean<ItemRecord[]>();
      return found.reverse();
    });
  }
}
