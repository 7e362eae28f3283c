import { Schema, type Connection, type Model } from 'mongoose';
import { model } from '../platform/mongo.js';

/** What a room is: to come, live, paused or over. */
export type ChatState = 'soon' | 'live' | 'paused' | 'ended';
/** A live room and its host, an athlete. Kept whole. */
export interface ChatRecord {
  _id: string;
  title: { fr: string; en: string };
  about: { fr: string; en: string };
  host: string;
  state: ChatState;
  startsAt: Date;
  endsAt: Date;
  fromVillage: boolean;
  /**
   * The item that tells of the state, until it is stored: a transactional outbox. It is written
   * with the state in one update, so that neither is ever without the other, and no further change
   * of state happens before it is delivered.
   */
  outbox?: Omit<ItemRecord, 'n'> | null;
}
const both = { fr: String, en: String };
const chat = new Schema<ChatRecord>({
  _id: String,
  title: both,
  about: both,
  host: String,
  state: String,
  startsAt: Date,
  endsAt: Date,
  fromVillage: Boolean,
  outbox: Schema.Types.Mixed,
});
chat.index({ state: 1, startsAt: 1 });
chat.index({ host: 1 });
/** The chats of a database. */
export const chatModel = (connection: Connection): Model<ChatRecord> =>
  model(connection, 'Chat', chat, 'chats');

/**
 * Whatever changes what a chat shows. `n` is given by the insert itself, under the partial unique
 * (chat, n). Shard key: `chat`.
 */
export interface ItemRecord {
  _id: string;
  chat: string;
  n: number;
  kind: 'said' | 'state';
  fan: string;
  by: { name: string; role: 'fan' | 'host' | 'moderator' | 'athlete' };
  text: string;
  lang: string;
  at: Date;
  clientId: string;
  removed: boolean;
}
const item = new Schema<ItemRecord>({
  _id: String,
  chat: String,
  n: Number,
  kind: String,
  fan: String,
  by: { name: String, role: String },
  text: String,
  lang: String,
  at: Date,
  clientId: String,
  removed: Boolean,
});
item.index(
  { chat: 1, n: 1 },
  { unique: true, partialFilterExpression: { n: { $type: 'number' } } },
);
item.index({ chat: 1, fan: 1, clientId: 1 }, { unique: true });
/** The items of all chats of a database. */
export const itemModel = (connection: Connection): Model<ItemRecord> =>
  model(connection, 'ChatItem', item, 'chat_items');
