import type { Request } from 'express';
import type { Athletes } from '../athletes/service.js';
import type { ApiDoors, PageDoors } from '../platform/doors.js';
import { param, parse, requireReader, seeOther } from '../platform/http.js';
import type { Words } from '../platform/i18n.js';
import type { Limits } from '../platform/limits.js';
import { presentChat, presentChatList, presentRoom } from './present.js';
import {
  Messages,
  Say,
  SayForm,
  Saying,
  StateForm,
  type ChatsAnswer,
  type MessagesAnswer,
  type SaidAnswer,
} from './schema.js';
import type { Chats } from './service.js';

interface ChatParts {
  chats: Chats;
  athletes: Athletes;
  words: Words;
  limits: Limits;
}

/** `/api/v1/chats`. */
export function chatsApi(
  router: ApiDoors,
  { chats, limits }: Pick<ChatParts, 'chats' | 'limits'>,
): void {
  router.get('/chats', { who: 'anyone', scope: 'none' }, async (req, res) => {
    const items = (await chats.list()).map((chat) => presentChat(req.lang, chat));
    res.json({ items } satisfies ChatsAnswer);
  });
  router.get('/chats/:slug', { who: 'anyone', scope: 'none' }, async (req, res) => {
    res.json(presentChat(req.lang, await chats.require(param(req, 'slug'))));
  });
  router.get(
    '/chats/:slug/messages',
    { who: 'anyone', scope: ['read', 'chat'], personal: true },
    async (req, res) => {
      const { after, limit } = parse(Messages, req.query);
      const viewer = req.reader?.id ?? null;
      const found = await chats.items(param(req, 'slug'), viewer, after, limit);
      res.json(found satisfies MessagesAnswer);
    },
  );
  router.post('/chats/:slug/messages', { who: 'fan', scope: 'chat' }, async (req, res) => {
    const reader = requireReader(req);
    const chat = param(req, 'slug');
    await limits.countNew('say', reader.id, `${chat}:${parse(Saying, req.body).clientId}`);
    const { text, clientId } = parse(Say.omit({ chat: true }), req.body);
    const said = await chats.say(reader, chat, text, clientId);
    res.status(201).json(said satisfies SaidAnswer);
  });
}

/** The list of chats, and the page of each with its forms. */
export function chatsPages(router: PageDoors, parts: ChatParts): void {
  const { chats, athletes, words, limits } = parts;

  router.get('/chats', { who: 'anyone' }, async (req) => {
    const listed = await chats.list();
    const hosts = await athletes.byIds(listed.map((chat) => chat.host));
    await req.page(
      'village/index',
      { title: words.t(req.lang, 'village.title'), section: 'chats' },
      presentChatList(words, req.lang, listed, hosts),
    );
  });

  const showRoom = async (
    req: Request,
    status = 200,
    { typed, wrong }: { typed: string; wrong: string | null } = { typed: '', wrong: null },
  ): Promise<void> => {
    const { reader } = req;
    const chat = await chats.require(param(req, 'slug'));
    const [{ items, last }, hosts, mayLead] = await Promise.all([
      chats.items(chat._id, reader?.id ?? null, undefined),
      athletes.byIds([chat.host]),
      reader ? chats.mayLead(reader, chat) : false,
    ]);
    const host = hosts.get(chat.host);
    await req.page(
      'village/room',
      { title: chat.title[req.lang], section: 'chats', script: 'village', status, wide: true },
      presentRoom(words, req.lang, {
        ...{ chat, host, items, last, typed, wrong, mayLead },
        signedIn: reader !== null,
      }),
    );
  };
  router.get('/chats/:slug', { who: 'anyone', personal: true }, async (req) => {
    await showRoom(req);
  });
  // A link from the room to its own end would only scroll: by this way round the browser reads it
  // anew.
  router.get('/chats/:slug/latest', { who: 'anyone', personal: true }, (req, res) => {
    seeOther(res, `/${req.lang}/chats/${encodeURIComponent(param(req, 'slug'))}#end`);
  });
  router.post('/chats/:slug/say', { who: 'fan' }, async (req, res) => {
    const reader = requireReader(req);
    const chat = param(req, 'slug');
    const { clientId } = parse(Saying, req.body);
    await limits.countNew('say', reader.id, `${chat}:${clientId}`);
    const given = SayForm.safeParse(req.body);
    if (!given.success) {
      const typed = (req.body as { text?: string }).text?.slice(0, 2000) ?? '';
      await showRoom(req, 400, { typed, wrong: words.t(req.lang, 'village.wrong') });
      return;
    }
    await chats.say(reader, chat, given.data.text, clientId);
    seeOther(res, `/${req.lang}/chats/${chat}#end`);
  });
  router.post('/chats/:slug/state', { who: 'fan' }, async (req, res) => {
    await chats.setState(requireReader(req), param(req, 'slug'), parse(StateForm, req.body).state);
    seeOther(res, `/${req.lang}/chats/${param(req, 'slug')}#end`);
  });
}
