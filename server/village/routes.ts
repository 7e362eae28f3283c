import type { Request } from 'express';
import type { Athletes } from '../athletes/service.js';
import { cardOf } from '../athletes/present.js';
import type { ApiDoors, PageDoors } from '../platform/doors.js';
import { param, parse, requireReader, seeOther } from '../platform/http.js';
import { randomId } from '../platform/ids.js';
import type { Words } from '../platform/i18n.js';
import type { Limits } from '../platform/limits.js';
import { TURNS } from './policy.js';
import { Messages, Say, SayForm, Saying, StateForm } from './schema.js';
import type { ChatRecord, Chats } from './service.js';

const presentChat = (lang: 'fr' | 'en', chat: ChatRecord) => ({
  slug: chat._id,
  title: chat.title[lang],
  about: chat.about[lang],
  state: chat.state,
  startsAt: chat.startsAt,
  endsAt: chat.endsAt,
  host: chat.host,
  fromVillage: chat.fromVillage,
});

/** `/api/v1/chats`. */
export function chatsApi(router: ApiDoors, chats: Chats, limits: Limits): void {
  router.get('/chats', { who: 'anyone', scope: 'none' }, async (req, res) => {
    res.json({ items: (await chats.list()).map((one) => presentChat(req.lang, one)) });
  });
  router.get('/chats/:slug', { who: 'anyone', scope: 'none' }, async (req, res) => {
    res.json(presentChat(req.lang, await chats.require(param(req, 'slug'))));
  });
  router.get(
    '/chats/:slug/messages',
    { who: 'anyone', scope: ['read', 'chat'], personal: true },
    async (req, res) => {
      const { after, limit } = parse(Messages, req.query);
      res.json(await chats.items(param(req, 'slug'), req.reader?.id ?? null, after, limit));
    },
  );
  router.post('/chats/:slug/messages', { who: 'fan', scope: 'chat' }, async (req, res) => {
    const reader = requireReader(req);
    await limits.countNew(
      'say',
      reader.id,
      `${param(req, 'slug')}:${parse(Saying, req.body).clientId}`,
    );
    const { text, clientId } = parse(Say.omit({ chat: true }), req.body);
    res.status(201).json(await chats.say(reader, param(req, 'slug'), text, clientId));
  });
}

export function chatsPages(
  router: PageDoors,
  chats: Chats,
  athletes: Athletes,
  words: Words,
  limits: Limits,
): void {
  router.get('/chats', { who: 'anyone' }, async (req) => {
    const list = await chats.list();
    const people = await athletes.byIds(list.map((one) => one.host));
    const views = list.map((one) => {
      const host = people.get(one.host);
      return {
        ...presentChat(req.lang, one),
        athlete: host ? cardOf(words, req.lang, host) : null,
      };
    });
    await req.page(
      'village/index',
      { title: words.t(req.lang, 'village.title'), section: 'chats' },
      {
        live: views.filter((one) => one.state === 'live' || one.state === 'paused'),
        soon: views.filter((one) => one.state === 'soon'),
        over: views.filter((one) => one.state === 'ended'),
      },
    );
  });

  const room = async (
    req: Request,
    status: number,
    typed: string,
    wrong: string | null,
  ): Promise<void> => {
    const chat = await chats.require(param(req, 'slug'));
    const { items, last } = await chats.items(chat._id, req.reader?.id ?? null, undefined);
    const host = (await athletes.byIds([chat.host])).get(chat.host);
    await req.page(
      'village/room',
      { title: chat.title[req.lang], section: 'chats', script: 'village', status, wide: true },
      {
        chat: { ...presentChat(req.lang, chat), live: chat.state === 'live' },
        athlete: host ? cardOf(words, req.lang, host) : null,
        items,
        last,
        typed,
        wrong,
        clientId: randomId(),
        signedIn: req.reader !== null,
        turns: req.reader && (await chats.mayLead(req.reader, chat)) ? TURNS[chat.state] : [],
        client: {
          chat: chat._id,
          last,
          live: chat.state === 'live',
          signedIn: req.reader !== null,
          lang: req.lang,
          timeZone: words.timezone,
          words: {
            you: words.t(req.lang, 'village.you'),
            count: words.t(req.lang, 'village.count_other', { n: '#' }),
            host: words.t(req.lang, 'village.role.host'),
            moderator: words.t(req.lang, 'village.role.moderator'),
            removed: words.t(req.lang, 'village.removed'),
            away: words.t(req.lang, 'village.away'),
            back: words.t(req.lang, 'village.back'),
            failed: words.t(req.lang, 'village.failed'),
            fresh: words.t(req.lang, 'village.fresh'),
            ended: words.t(req.lang, 'village.state.ended'),
            live: words.t(req.lang, 'village.state.live'),
            paused: words.t(req.lang, 'village.state.paused'),
          },
        },
      },
    );
  };
  router.get('/chats/:slug', { who: 'anyone', personal: true }, async (req) => {
    await room(req, 200, '', null);
  });
  // A link from the room to its own end would only scroll: by this way round the browser reads it
  // anew.
  router.get('/chats/:slug/latest', { who: 'anyone', personal: true }, (req, res) => {
    seeOther(res, `/${req.lang}/chats/${encodeURIComponent(param(req, 'slug'))}#end`);
  });
  router.post('/chats/:slug/say', { who: 'fan' }, async (req, res) => {
    const reader = requireReader(req);
    const { clientId } = parse(Saying, req.body);
    await limits.countNew('say', reader.id, `${param(req, 'slug')}:${clientId}`);
    const given = SayForm.safeParse(req.body);
    if (!given.success) {
      await room(
        req,
        400,
        (req.body as { text?: string }).text?.slice(0, 2000) ?? '',
        words.t(req.lang, 'village.wrong'),
      );
      return;
    }
    await chats.say(reader, param(req, 'slug'), given.data.text, clientId);
    seeOther(res, `/${req.lang}/chats/${param(req, 'slug')}#end`);
  });
  router.post('/chats/:slug/state', { who: 'fan' }, async (req, res) => {
    await chats.setState(requireReader(req), param(req, 'slug'), parse(StateForm, req.body).state);
    seeOther(res, `/${req.lang}/chats/${param(req, 'slug')}#end`);
  });
}
