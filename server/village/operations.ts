import { SlugPath, type Operations } from '../platform/openapi.js';
import { ChatAnswer, ChatsAnswer, Messages, MessagesAnswer, SaidAnswer, Say } from './schema.js';

/** What the API says of chats. */
export const chatsOperations: Operations = {
  '/chats': { get: { summary: 'Chats', answer: ChatsAnswer } },
  '/chats/{slug}': { get: { summary: 'A chat', path: SlugPath, answer: ChatAnswer } },
  '/chats/{slug}/messages': {
    get: { summary: 'Items after n', path: SlugPath, query: Messages, answer: MessagesAnswer },
    post: {
      summary: 'Say something',
      path: SlugPath,
      body: Say.omit({ chat: true }),
      answer: SaidAnswer,
      status: 201,
    },
  },
};
