import type { Athletes } from '../../athletes/service.js';
import type { Follows } from '../../follows/service.js';
import type { PageDoors } from '../../platform/doors.js';
import type { Words } from '../../platform/i18n.js';
import { SwrCache } from '../../platform/swr-cache.js';
import type { Points } from '../../points/service.js';
import type { Registry } from '../../registry/service.js';
import { athletesNamedIn, type Videos } from '../../videos/service.js';
import type { Chats } from '../../village/service.js';
import { presentHome } from './present.js';
import { suggest, type Suggestion } from './suggestions.js';

interface HomeParts {
  athletes: Athletes;
  registry: Registry;
  follows: Follows;
  points: Points;
  videos: Videos;
  chats: Chats;
  words: Words;
}

/** How old what every visitor sees may be. */
const SEEN_MS = 5000;
/** Places of the board that home shows. */
const TOP = 5;

/** Home. */
export function homePage(router: PageDoors, parts: HomeParts): void {
  const { athletes, registry, follows, points, videos, chats, words } = parts;
  const forVisitors = new SwrCache<Suggestion[]>(SEEN_MS);
  router.get('/', { who: 'anyone' }, async (req) => {
    const reader = req.reader?.id ?? null;
    const [accounts, listed, rules, head, board, states] = await Promise.all([
      registry.verified(),
      chats.list(),
      points.rules.read(),
      reader ? points.head(reader) : null,
      reader ? points.board('hub', { limit: TOP, me: reader }) : points.top(TOP),
      videos.list(reader),
    ]);
    const suggestions = reader
      ? await suggest(accounts, follows, reader)
      : await forVisitors.get('all', () => suggest(accounts, follows, null));
    const live = listed.find((chat) => chat.state === 'live');
    const [people, inRoom, directory] = await Promise.all([
      athletes.byIds([
        ...suggestions.map(({ account }) => account.athlete.id),
        ...listed.map((chat) => chat.host),
        ...athletesNamedIn(states),
      ]),
      live ? chats.presence.count(live._id) : 0,
      athletes.count(),
    ]);
    await req.page(
      'pages/home',
      {
        title: words.t(req.lang, 'home.title'),
        section: 'home',
        ...(head ? { standing: head.after } : {}),
      },
      presentHome(words, req.lang, {
        ...{ reader, head, rules, board, suggestions, inRoom, directory },
        ...{ chats: listed, videos: states, athletes: people },
      }),
    );
  });
}
