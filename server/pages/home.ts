import type { PageDoors } from '../platform/doors.js';
import { cardOf } from '../athletes/present.js';
import type { Athletes } from '../athletes/service.js';
import type { Follows } from '../follows/service.js';
import { athletesOf } from '../locks/service.js';
import { nocOf } from '../platform/countries.js';
import { SwrCache } from '../platform/swr-cache.js';
import type { Words } from '../platform/i18n.js';
import { medalsOf, type Points } from '../points/service.js';
import type { Registry, VerifiedAccount } from '../registry/service.js';
import { presentVideo } from '../videos/present.js';
import type { Videos } from '../videos/service.js';
import type { Chats } from '../village/service.js';
import { lane, rail } from './me.js';

export interface HomeParts {
  athletes: Athletes;
  registry: Registry;
  follows: Follows;
  points: Points;
  videos: Videos;
  chats: Chats;
  words: Words;
}

/** Suggestions are chosen among so many accounts. */
const MOST = 200;
/** What every visitor sees may be so old. */
const SEEN_MS = 5000;

/**
 * Home: the next reward, what is live, whom to follow, the board, the video that is nearly open.
 */
export function homePage(
  router: PageDoors,
  { athletes, registry, follows, points, videos, chats, words }: HomeParts,
): void {
  const forVisitors = new SwrCache<Awaited<ReturnType<typeof suggest>>>(SEEN_MS);
  router.get('/', { who: 'anyone' }, async (req) => {
    const reader = req.reader?.id ?? null;
    const [accounts, list, rules, head, board, states] = await Promise.all([
      registry.verified(),
      chats.list(),
      points.rules.read(),
      reader ? points.head(reader) : null,
      reader ? points.board('hub', { limit: 5, me: reader }) : points.top(5),
      videos.list(reader),
    ]);
    const suggested = reader
      ? await suggest(accounts, follows, reader)
      : await forVisitors.get('all', () => suggest(accounts, follows, null));
    const people = await athletes.byIds([
      ...suggested.map((one) => one.account.athlete.id),
      ...list.map((one) => one.host),
      ...states.flatMap(({ video }) => [video.athlete, ...athletesOf(video.lock)]),
    ]);
    const medals = head ? medalsOf(head.after, rules)[0] : undefined;
    const nearly =
      states
        .filter((one) => !one.open && one.missing[0]?.kind === 'follow')
        .sort((a, b) => gap(a) - gap(b))[0] ?? states.find((one) => one.open);
    const live = list.find((one) => one.state === 'live');
    const host = live && people.get(live.host);
    await req.page(
      'pages/home',
      {
        title: words.t(req.lang, 'home.title'),
        section: 'home',
        ...(head ? { standing: head.after } : {}),
      },
      {
        signedIn: reader !== null,
        points: head?.after.points ?? 0,
        rail: rail(medals),
        lane: lane(medals),
        next: medals?.next ?? null,
        medal: medals?.medal ?? null,
        live: live
          ? {
              slug: live._id,
              title: live.title[req.lang],
              fromVillage: live.fromVillage,
              athlete: host ? cardOf(words, req.lang, host) : null,
              count: await chats.presence.count(live._id),
            }
          : null,
        soon: list
          .filter((one) => one.state === 'soon')
          .slice(0, 3)
          .map((one) => ({
            slug: one._id,
            title: one.title[req.lang],
            startsAt: one.startsAt,
            name: people.get(one.host)?.name ?? '',
          })),
        cards: suggested
          .map(({ account, held, turn }) => {
            const one = people.get(account.athlete.id);
            return one
              ? {
                  athlete: cardOf(words, req.lang, one),
                  network: account.network,
                  handle: account.handle,
                  url: account.url,
                  held,
                  turn,
                }
              : null;
          })
          .filter((one) => one !== null),
        board: board
          ? {
              rows: board.rows.map((row) => ({
                ...row,
                noc: nocOf(row.country),
                me: row.fan === reader,
              })),
              me: board.me && !board.rows.some((row) => row.fan === reader) ? board.me : null,
            }
          : null,
        counting: board === null,
        nearly: nearly ? presentVideo(words, req.lang, nearly, people) : null,
        total: await athletes.count(),
      },
    );
  });
}

const gap = (state: { missing: { kind: string }[] }): number =>
  state.missing.reduce(
    (sum, one) => sum + ('need' in one && 'have' in one ? Number(one.need) - Number(one.have) : 5),
    0,
  );

/** Up to four accounts of different athletes and disciplines, those not yet followed first. */
async function suggest(
  accounts: VerifiedAccount[],
  follows: Follows,
  reader: string | null,
): Promise<{ account: VerifiedAccount; held: boolean; turn: number }[]> {
  const some = accounts.slice(0, MOST);
  const states = await follows.states(reader, some);
  const sorted = some
    .map((account) => ({
      account,
      held: states.get(account.id)?.held ?? false,
      turn: states.get(account.id)?.turn ?? 0,
    }))
    .sort(
      (a, b) =>
        Number(a.held) - Number(b.held) ||
        (a.account.athlete.slug < b.account.athlete.slug ? -1 : 1),
    );
  const chosen: typeof sorted = [];
  for (const strict of [true, false]) {
    for (const one of sorted) {
      if (chosen.length >= 4) break;
      if (
        chosen.some(
          (each) =>
            each.account.athlete.id === one.account.athlete.id ||
            (strict && each.account.athlete.disciplines[0] === one.account.athlete.disciplines[0]),
        )
      )
        continue;
      chosen.push(one);
    }
  }
  return chosen;
}
