import type { Connection, Model } from 'mongoose';
import { VillageError } from '../errors.js';
import { within } from '../platform/clock.js';
import { SwrCache } from '../platform/swr-cache.js';
import { insertAll, isStoreAway } from '../platform/mongo.js';
import { itemModel, type ItemRecord } from './chat.model.js';

/** An item before it has a number. */
export type Draft = Omit<ItemRecord, 'n'>;
/** An item that waits to be stored, and who waits for it. */
interface Waiting {
  draft: Draft;
  since: number;
  resolve: (item: ItemRecord) => void;
  reject: (error: unknown) => void;
}
/** What this process knows of a chat's numbers, and what waits for one. */
interface Room {
  last: number | null;
  waiting: Waiting[];
  flushing: Promise<void> | null;
  /** Grows whenever something new is heard: reads made before that are not answered any more. */
  edition: number;
}

const BATCH = 100;
const QUEUE_LIMIT = 5000;
/** How long a caller waits for an answer, and a batch for the store, in ms (DESIGN 9). */
const PATIENCE_MS = 2000;
/** How old a read may be where the news of another process was lost, in ms. */
const READ_MS = 500;
/** Different reads that are kept. */
const READS = 64;
/** How long to wait before asking again a store that is away, in ms. */
const RETRY_MS = 50;

/**
 * Whether somebody still waits for this item. Who has waited longer was told `unavailable`, and
 * tries again under the same client id.
 */
const isWaitedFor = (item: Waiting): boolean => performance.now() - item.since < PATIENCE_MS;

/** The same message of the same fan, sent twice, has the same key. */
const keyOf = ({ fan, clientId }: Pick<Draft, 'fan' | 'clientId'>): string => `${fan}\0${clientId}`;

/** What the store answers. Throws `unavailable` when it does not answer in time. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  const answer = await within(
    work.then((value) => ({ value })),
    PATIENCE_MS,
  );
  if (!answer) throw new VillageError('unavailable', { seconds: 2 });
  return answer.value;
}

/**
 * Stores the items of chats, numbered without holes (DESIGN 9). A process has one queue a chat and
 * one ordered insert in flight; what arrives meanwhile is the next batch. The first number of a
 * batch is the last one acknowledged or heard of, plus one. When a unique key refuses it, our own
 * items are looked for (those found count as acknowledged), the last number is read, and the rest
 * is numbered anew.
 */
export class Delivery {
  private readonly records: Model<ItemRecord>;
  private readonly rooms = new Map<string, Room>();
  /** Recent reads: after a restart thousands ask for the same at once. */
  private readonly reads = new SwrCache<ItemRecord[]>(READ_MS, READS);
  private editions = 0;

  /** @param onStored hears of items once they are stored, in order */
  constructor(
    connection: Connection,
    private readonly onStored: (chat: string, items: ItemRecord[]) => void,
  ) {
    this.records = itemModel(connection);
  }

  private room(chat: string): Room {
    const known = this.rooms.get(chat);
    if (known) return known;
    const room: Room = { last: null, waiting: [], flushing: null, edition: this.nextEdition() };
    this.rooms.set(chat, room);
    return room;
  }

  private nextEdition(): number {
    this.editions += 1;
    return this.editions;
  }

  /**
   * Stores an item and answers it with its number. A repeat of (chat, fan, clientId) answers the
   * first one, and tells of it again. Throws `busy`, and `unavailable` after two seconds: whether
   * the item was stored is then not known, and a repeat finds out.
   */
  add(draft: Draft): Promise<ItemRecord> {
    const room = this.room(draft.chat);
    if (room.waiting.length >= QUEUE_LIMIT) room.waiting = room.waiting.filter(isWaitedFor);
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

  /** Notes that items were numbered up to this one, here or by another process. */
  heard(chat: string, n: number): void {
    const room = this.rooms.get(chat);
    if (!room) return;
    room.edition = this.nextEdition();
    if (room.last !== null && room.last < n) room.last = n;
  }

  /** Reads the last number of a chat from the store. */
  async last(chat: string): Promise<number> {
    const found = await this.records
      .findOne({ chat, n: { $gt: 0 } }, { n: 1 })
      .sort({ n: -1 })
      .lean();
    const n = found?.n ?? 0;
    const room = this.room(chat);
    if (n > (room.last ?? 0)) room.edition = this.nextEdition();
    room.last = Math.max(room.last ?? 0, n);
    return n;
  }

  /** Answers the last number that this process knows of, else reads it. */
  async known(chat: string): Promise<number> {
    return this.room(chat).last ?? this.last(chat);
  }

  /** Forgets a chat that nobody is in, so that memory does not grow with chats that are over. */
  leave(chat: string): void {
    const room = this.rooms.get(chat);
    if (room && room.waiting.length === 0 && !room.flushing) this.rooms.delete(chat);
  }

  private async run(chat: string, room: Room): Promise<void> {
    // Whatever arrives in this turn of the event loop is one batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (room.waiting.length > 0) {
      // Who was told that it cannot be done now has not said it.
      const batch = room.waiting.splice(0, BATCH).filter(isWaitedFor);
      try {
        await this.flush(chat, room, batch);
      } catch (error) {
        room.last = null;
        if (isStoreAway(error)) {
          room.waiting.unshift(...batch);
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        } else for (const item of batch) item.reject(error);
      }
    }
  }

  private async flush(chat: string, room: Room, batch: Waiting[]): Promise<void> {
    // The same message twice in one batch is stored once, and both are answered.
    const byKey = new Map<string, Waiting[]>();
    for (const item of batch) {
      const same = byKey.get(keyOf(item.draft));
      if (same) same.push(item);
      else byKey.set(keyOf(item.draft), [item]);
    }
    const answer = (item: ItemRecord): void => {
      for (const waiting of byKey.get(keyOf(item)) ?? []) waiting.resolve(item);
    };
    let open = [...byKey.values()].map(([first]) => first as Waiting);
    while (open.length > 0) {
      const stored = await this.store(chat, room, open, answer);
      open = open.slice(stored);
      if (open.length === 0) return;
      const found = await this.findOwn(chat, open, answer);
      open = open.filter((item) => !found.has(keyOf(item.draft)) && isWaitedFor(item));
      await inTime(this.last(chat));
    }
  }

  /** Numbers items and stores them; answers how many, from the first on, the store took. */
  private async store(
    chat: string,
    room: Room,
    open: Waiting[],
    answer: (item: ItemRecord) => void,
  ): Promise<number> {
    const first = (room.last ?? (await inTime(this.last(chat)))) + 1;
    const items = open.map(({ draft }, index): ItemRecord => ({ ...draft, n: first + index }));
    const insert = this.insert(items).then((count) => {
      const stored = items.slice(0, count);
      if (stored.length > 0) {
        room.last = Math.max(room.last ?? 0, first + stored.length - 1);
        room.edition = this.nextEdition();
        // Also what the store took so long to take that nobody waits any more: it is there, so it
        // is told.
        this.onStored(chat, stored);
        for (const item of stored) answer(item);
      }
      return stored.length;
    });
    return inTime(insert);
  }

  /** Looks which of these a refused or earlier insert had stored, and answers them. */
  private async findOwn(
    chat: string,
    open: Waiting[],
    answer: (item: ItemRecord) => void,
  ): Promise<Set<string>> {
    const same = open.map(({ draft }) => ({ chat, fan: draft.fan, clientId: draft.clientId }));
    const found = await inTime(this.records.find({ $or: same }).lean<ItemRecord[]>().exec());
    if (found.length > 0) {
      found.sort((a, b) => a.n - b.n);
      this.onStored(chat, found);
      for (const item of found) answer(item);
    }
    return new Set(found.map(keyOf));
  }

  /** Inserts in order; answers how many were stored before a unique key refused one. */
  private async insert(items: ItemRecord[]): Promise<number> {
    return (await insertAll(this.records, items, true))[0] ?? items.length;
  }

  /** Reads items after `n` as they look now, the oldest first. */
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

  /** Reads the newest items, the oldest of them first. */
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
