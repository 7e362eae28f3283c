import type { Connection, Model } from 'mongoose';
import { VillageError } from '../errors.js';
import { mayModerate, mayOrganise, type Fans } from '../fans/service.js';
import type { Audit } from '../platform/audit.js';
import type { Bus } from '../platform/bus.js';
import type { Clock } from '../platform/clock.js';
import { Fresh } from '../platform/fresh.js';
import { randomId } from '../platform/ids.js';
import type { RedisClients } from '../platform/redis.js';
import type { Registry } from '../registry/service.js';
import type { ChatItem } from '../wire.js';
import { chatModel, type ChatRecord, type ChatState, type ItemRecord } from './chat.model.js';
import { Delivery } from './delivery.js';
import { presentItem } from './present.js';

export type { ChatRecord, ChatState } from './chat.model.js';
export interface Speaker {
  id: string;
  name: string;
  roles: readonly string[];
}

const FRESH_MS = 2000;
const HISTORY = 100;
const PRESENCE_S = 15;
const COUNT_MS = 1000;
/** A visitor for whom items are shown. */
export type Viewer = string | null;

/** Live chats from the village. */
export class Chats {
  private readonly records: Model<ChatRecord>;
  private readonly delivery: Delivery;
  private readonly lists = new Fresh<ChatRecord[]>(FRESH_MS);
  private readonly cache = new Fresh<ChatRecord | null>(FRESH_MS);
  private readonly counts = new Fresh<Record<string, string>>(COUNT_MS);

  constructor(
    connection: Connection,
    private readonly fans: Fans,
    private readonly registry: Registry,
    private readonly redis: RedisClients,
    private readonly audit: Audit,
    private readonly bus: Bus,
    private readonly clock: Clock,
  ) {
    this.records = chatModel(connection);
    this.delivery = new Delivery(connection, (chat, items) => {
      for (const event of ['said', 'state'] as const) {
        const part = items.filter((item) => item.kind === event);
        if (part.length > 0) bus.tell('chat:items', { chat, event: `chat:${event}`, items: part });
      }
    });
    bus.on('chat:items', ({ chat, items }) => {
      this.delivery.heard(chat, Math.max(...(items as ItemRecord[]).map((item) => item.n)));
      if ((items as ItemRecord[]).some((item) => item.kind === 'state')) this.forget(chat);
    });
  }

  private get(slug: string): Promise<ChatRecord | null> {
    return this.cache.get(slug, () => this.records.findById(slug).lean<ChatRecord>().exec());
  }

  private forget(slug: string): void {
    this.cache.forget(slug);
    this.lists.forget();
  }

  async require(slug: string): Promise<ChatRecord> {
    const chat = await this.get(slug);
    if (!chat) throw new VillageError('chat_not_found', { slug });
    return chat;
  }

  /** Live ones first, then those to come, then the newest that are over. */
  list(): Promise<ChatRecord[]> {
    return this.lists.get('', () => this.readList());
  }

  private async readList(): Promise<ChatRecord[]> {
    const all = await this.records.find().sort({ startsAt: 1 }).limit(200).lean<ChatRecord[]>();
    const order: ChatState[] = ['live', 'paused', 'soon', 'ended'];
    return all.sort(
      (a, b) =>
        order.indexOf(a.state) - order.indexOf(b.state) ||
        (a.state === 'ended' ? b.startsAt.getTime() - a.startsAt.getTime() : a.startsAt.getTime() - b.startsAt.getTime()),
    );
  }

  /** The chat of an athlete that is live or comes next. */
  async nextOf(athlete: string): Promise<ChatRecord | null> {
    return (await this.list()).find((one) => one.host === athlete && one.state !== 'ended') ?? null;
  }

  /** Opens a room. Organisers only. */
  async open(actor: Speaker, chat: ChatRecord): Promise<void> {
    if (!mayOrganise(actor.roles)) throw new VillageError('not_allowed');
    await this.records.updateOne({ _id: chat._id }, { $setOnInsert: chat }, { upsert: true });
    this.forget(chat._id);
    await this.audit.add({ by: actor.id, act: 'chat.opened', on: `chat:${chat._id}` });
  }

  /** Starts, pauses or ends a chat: an item like every other, so that everybody in the room learns it. Its host or an organiser. */
  async setState(actor: Speaker, slug: string, state: ChatState): Promise<void> {
    const chat = await this.require(slug);
    if (!(await this.mayLead(actor, chat))) throw new VillageError('not_allowed');
    const done = await this.records.updateOne({ _id: slug, state: chat.state }, { $set: { state } });
    this.forget(slug);
    if (done.modifiedCount === 0) return;
    await this.delivery.add(await this.draft(actor, chat, 'state', state, randomId(), 'host'));
    await this.audit.add({ by: actor.id, act: `chat.${state}`, on: `chat:${slug}` });
  }

  /** Whether somebody may start, pause and end a chat. */
  async mayLead(speaker: Speaker, chat: ChatRecord): Promise<boolean> {
    return mayOrganise(speaker.roles) || (await this.roleOf(speaker, chat)) === 'host';
  }

  /** How somebody speaks in a room: its host is whoever owns a verified account of the athlete. */
  async roleOf(speaker: Speaker, chat: ChatRecord): Promise<'fan' | 'host' | 'moderator' | 'athlete'> {
    if (speaker.roles.includes('athlete')) {
      const [identities, accounts] = await Promise.all([this.fans.identities.of(speaker.id), this.registry.verifiedOf(chat.host)]);
      if (accounts.some((one) => identities.some((mine) => mine.network === one.network && mine.networkId === one.accountId))) return 'host';
      return 'athlete';
    }
    return mayModerate(speaker.roles) ? 'moderator' : 'fan';
  }

  private async draft(
    speaker: Speaker,
    chat: ChatRecord,
    kind: 'said' | 'state',
    text: string,
    clientId: string,
    role: ItemRecord['by']['role'],
  ): Promise<Omit<ItemRecord, 'n'>> {
    // A host speaks under the athlete's own name, which the room knows.
    const name = role === 'host' ? ((await this.registry.verifiedOf(chat.host))[0]?.athlete.name ?? speaker.name) : speaker.name;
    return {
      _id: randomId(),
      chat: chat._id,
      kind,
      fan: speaker.id,
      by: { name, role },
      text,
      lang: '',
      at: this.clock.now(),
      clientId,
      removed: false,
    };
  }

  /** Says something. Durable and numbered when this resolves. Throws `chat_closed` unless the chat is live. */
  async say(speaker: Speaker, slug: string, text: string, clientId: string): Promise<{ item: ChatItem; last: number }> {
    const chat = await this.require(slug);
    if (chat.state !== 'live') throw new VillageError('chat_closed', { state: chat.state });
    const stored = await this.delivery.add(await this.draft(speaker, chat, 'said', text, clientId, await this.roleOf(speaker, chat)));
    return { item: presentItem(stored, speaker.id), last: await this.delivery.known(slug) };
  }

  /** Items after a number, or the newest hundred, as they look now for this viewer; and the last number there is. */
  async items(slug: string, viewer: Viewer, after: number | undefined, limit = HISTORY): Promise<{ items: ChatItem[]; last: number }> {
    await this.require(slug);
    const found = after === undefined ? await this.delivery.newest(slug, limit) : await this.delivery.after(slug, after, limit);
    const known = await this.delivery.known(slug);
    // What is said stays; what its author is called is read anew, so that a name that was given up is shown nowhere.
    const called = await this.fans.called(found.map((item) => item.fan));
    return { items: found.map((item) => presentItem(item, viewer, called)), last: Math.max(known, found.at(-1)?.n ?? 0) };
  }

  /** The last number there is, so that an item whose news was lost between processes is noticed; while the store is away, the last one heard. */
  last(slug: string): Promise<number> {
    return this.delivery.last(slug).catch(() => this.delivery.known(slug));
  }

  /** Tells how many are in a room on this process: an absolute count, that of a dead process fades. Nobody left: the room is forgotten here. */
  async tellHere(slug: string, here: number): Promise<void> {
    if (here === 0) this.delivery.leave(slug);
    const key = this.presenceKey(slug);
    await this.redis.commands
      .multi()
      .hset(key, this.bus.process, `${here}:${Math.floor(Date.now() / 1000)}`)
      .expire(key, 60)
      .exec()
      .catch(() => null);
  }

  /**
   * How many are in a room everywhere: what other processes told, at most a second late, and those here, if given, as they are now. While Redis is
   * away, those here.
   */
  async count(slug: string, here?: number): Promise<number> {
    const since = Math.floor(Date.now() / 1000) - PRESENCE_S;
    const told = await this.counts.get(slug, () => this.redis.commands.hgetall(this.presenceKey(slug))).catch(() => ({}));
    let sum = here ?? 0;
    for (const [process, text] of Object.entries(told)) {
      const [count = 0, at = 0] = text.split(':').map(Number);
      if (at > since && (here === undefined || process !== this.bus.process)) sum += count;
    }
    return sum;
  }

  private presenceKey(slug: string): string {
    return `${this.redis.prefix}presence:${slug}`;
  }
}
