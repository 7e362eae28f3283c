import type { Connection, Model } from 'mongoose';
import type { Athletes } from '../athletes/service.js';
import { VillageError } from '../errors.js';
import type { Fans } from '../fans/service.js';
import type { Audit } from '../platform/audit.js';
import type { Bus } from '../platform/bus.js';
import type { Clock } from '../platform/clock.js';
import { SwrCache } from '../platform/swr-cache.js';
import { randomId } from '../platform/ids.js';
import type { RedisClients } from '../platform/redis.js';
import type { Registry } from '../registry/service.js';
import type { ChatItem } from '../wire.js';
import { chatModel, type ChatRecord, type ChatState, type ItemRecord } from './chat.model.js';
import { Delivery, type Draft } from './delivery.js';
import { mayTurn } from './policy.js';
import { Presence } from './presence.js';
import { presentItem } from './present.js';
import { may } from '../platform/rights.js';

export type { ChatRecord, ChatState } from './chat.model.js';

/** What chats need of the hub and of the rooms below. */
export interface ChatParts {
  connection: Connection;
  fans: Fans;
  registry: Registry;
  athletes: Athletes;
  redis: RedisClients;
  audit: Audit;
  bus: Bus;
  clock: Clock;
}
/** Who speaks. */
export interface Speaker {
  id: string;
  name: string;
  roles: readonly string[];
}

/** How old what is known of a chat may be. */
const KEPT_MS = 2000;
/** Items that a page begins with. */
const HISTORY = 100;
/** The fan for whom items are shown; null for a visitor. */
export type Viewer = string | null;

/** Live chats from the village. */
export class Chats {
  private readonly records: Model<ChatRecord>;
  private readonly delivery: Delivery;
  private readonly lists = new SwrCache<ChatRecord[]>(KEPT_MS);
  private readonly cache = new SwrCache<ChatRecord | null>(KEPT_MS);
  /** Who is in which room. */
  readonly presence: Presence;

  constructor(private readonly parts: ChatParts) {
    const { connection, redis, bus } = parts;
    this.records = chatModel(connection);
    this.presence = new Presence(redis, bus);
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

  /**
   * Reads a chat, at most two seconds old. An item of its state that some process left undelivered
   * is delivered by whichever finds it.
   */
  private get(slug: string): Promise<ChatRecord | null> {
    return this.cache.get(slug, async () => {
      const chat = await this.records.findById(slug).lean<ChatRecord>().exec();
      if (chat?.outbox) this.deliver(chat.outbox).catch(() => undefined);
      return chat;
    });
  }

  private forget(slug: string): void {
    this.cache.invalidate(slug);
    this.lists.invalidate();
  }

  /** Answers a chat. Throws `chat_not_found`, also for the chat of a hidden athlete (RULES R13). */
  async require(slug: string): Promise<ChatRecord> {
    const chat = await this.get(slug);
    if (!chat || (await this.parts.athletes.hidden()).has(chat.host))
      throw new VillageError('chat_not_found', { slug });
    return chat;
  }

  /** Lists chats: live ones first, then those to come, then the newest that are over. */
  async list(): Promise<ChatRecord[]> {
    const hidden = await this.parts.athletes.hidden();
    return (await this.lists.get('', () => this.readList())).filter(
      (chat) => !hidden.has(chat.host),
    );
  }

  private async readList(): Promise<ChatRecord[]> {
    const all = await this.records.find().sort({ startsAt: 1 }).limit(200).lean<ChatRecord[]>();
    const order: ChatState[] = ['live', 'paused', 'soon', 'ended'];
    return all.sort(
      (a, b) =>
        order.indexOf(a.state) - order.indexOf(b.state) ||
        (a.state === 'ended'
          ? b.startsAt.getTime() - a.startsAt.getTime()
          : a.startsAt.getTime() - b.startsAt.getTime()),
    );
  }

  /** Finds the chat of an athlete that is live or comes next. */
  async nextOf(athlete: string): Promise<ChatRecord | null> {
    return (
      (await this.list()).find((chat) => chat.host === athlete && chat.state !== 'ended') ?? null
    );
  }

  /** Opens a room, unless there is one already. Throws `not_allowed` for who may not organise. */
  async open(actor: Speaker, chat: ChatRecord): Promise<void> {
    if (!may(actor.roles, 'organise')) throw new VillageError('not_allowed');
    await this.records.updateOne({ _id: chat._id }, { $setOnInsert: chat }, { upsert: true });
    this.forget(chat._id);
    await this.parts.audit.add({ by: actor.id, act: 'chat.opened', on: `chat:${chat._id}` });
  }

  /**
   * Starts, pauses or ends a chat, for its host or an organiser. The change is an item like every
   * other, so that everybody in the room learns it. Once this resolves, the state and its item are
   * stored; asking again for the state that it has only delivers an item that a first try left
   * behind. Throws `not_allowed`, and `chat_turn` where the chat cannot go there from its state.
   */
  async setState(actor: Speaker, slug: string, state: ChatState): Promise<void> {
    const chat = await this.records.findById(slug).lean<ChatRecord>();
    if (!chat) throw new VillageError('chat_not_found', { slug });
    if (!(await this.mayLead(actor, chat))) throw new VillageError('not_allowed');
    if (chat.outbox) await this.deliver(chat.outbox);
    if (chat.state === state) return;
    if (!mayTurn(chat.state, state))
      throw new VillageError('chat_turn', { from: chat.state, to: state });
    const outbox = await this.draft(actor, chat, 'state', state, randomId(), 'host');
    // `null` is matched by an absent one too.
    const done = await this.records.updateOne(
      { _id: slug, state: chat.state, outbox: null },
      { $set: { state, outbox } },
    );
    this.forget(slug);
    // Somebody else was quicker: judge again, from the state that the chat has now.
    if (done.modifiedCount === 0) return this.setState(actor, slug, state);
    await this.deliver(outbox);
  }

  /**
   * Numbers the item of a state, once however many try, and then lets the next change of state
   * through.
   */
  private async deliver(outbox: Draft): Promise<void> {
    const item = await this.delivery.add(outbox);
    const done = await this.records.updateOne(
      { _id: outbox.chat, 'outbox._id': item._id },
      { $set: { outbox: null } },
    );
    this.forget(outbox.chat);
    if (done.modifiedCount === 1)
      await this.parts.audit.add({
        by: outbox.fan,
        act: `chat.${outbox.text}`,
        on: `chat:${outbox.chat}`,
      });
  }

  /** Whether somebody may start, pause and end this chat. */
  async mayLead(speaker: Speaker, chat: ChatRecord): Promise<boolean> {
    return may(speaker.roles, 'organise') || (await this.roleOf(speaker, chat)) === 'host';
  }

  /** In which role somebody speaks in a room; its host owns a verified account of the athlete. */
  async roleOf(
    speaker: Speaker,
    chat: ChatRecord,
  ): Promise<'fan' | 'host' | 'moderator' | 'athlete'> {
    if (speaker.roles.includes('athlete'))
      return (await this.parts.registry.owns(speaker.id, chat.host)) ? 'host' : 'athlete';
    return may(speaker.roles, 'moderate') ? 'moderator' : 'fan';
  }

  private async draft(
    speaker: Speaker,
    chat: ChatRecord,
    kind: 'said' | 'state',
    text: string,
    clientId: string,
    role: ItemRecord['by']['role'],
  ): Promise<Draft> {
    // A host speaks under the athlete's own name, which the room knows.
    const name =
      role === 'host'
        ? ((await this.parts.registry.verifiedOf(chat.host))[0]?.athlete.name ?? speaker.name)
        : speaker.name;
    return {
      _id: randomId(),
      chat: chat._id,
      kind,
      fan: speaker.id,
      by: { name, role },
      text,
      lang: '',
      at: this.parts.clock.now(),
      clientId,
      removed: false,
    };
  }

  /**
   * Says something: durable and numbered when this resolves. Throws `chat_closed` unless the chat
   * is live, `unavailable` when the store does not answer in time.
   */
  async say(
    speaker: Speaker,
    slug: string,
    text: string,
    clientId: string,
  ): Promise<{ item: ChatItem; last: number }> {
    const chat = await this.require(slug);
    if (chat.state !== 'live') throw new VillageError('chat_closed', { state: chat.state });
    const stored = await this.delivery.add(
      await this.draft(speaker, chat, 'said', text, clientId, await this.roleOf(speaker, chat)),
    );
    return { item: presentItem(stored, speaker.id), last: await this.delivery.known(slug) };
  }

  /**
   * Reads items after a number, or the newest hundred, as they look now to this viewer, and the
   * last number there is.
   */
  async items(
    slug: string,
    viewer: Viewer,
    after: number | undefined,
    limit = HISTORY,
  ): Promise<{ items: ChatItem[]; last: number }> {
    await this.require(slug);
    const found =
      after === undefined
        ? await this.delivery.newest(slug, limit)
        : await this.delivery.after(slug, after, limit);
    const known = await this.delivery.known(slug);
    // What was said stays; its author goes by today's name, so that one that was given up is shown
    // nowhere.
    const called = await this.parts.fans.called(found.map((item) => item.fan));
    return {
      items: found.map((item) => presentItem(item, viewer, called)),
      last: Math.max(known, found.at(-1)?.n ?? 0),
    };
  }

  /**
   * Reads the last number there is, so that an item whose news was lost between processes is
   * noticed; while the store is away, answers the last one heard of.
   */
  last(slug: string): Promise<number> {
    return this.delivery.last(slug).catch(() => this.delivery.known(slug));
  }

  /**
   * Does what is due every few seconds (other processes learn who is here, an undelivered state is
   * delivered), and answers what the room is told then.
   */
  async pulse(slug: string): Promise<{ count: number; last: number }> {
    await Promise.all([this.presence.tell(slug), this.get(slug).catch(() => null)]);
    const [count, last] = await Promise.all([this.presence.count(slug), this.last(slug)]);
    return { count, last };
  }

  /**
   * Forgets a room that nobody is in on this process any more, and tells the other processes.
   */
  async emptied(slug: string): Promise<void> {
    this.delivery.leave(slug);
    await this.presence.tell(slug);
  }
}
