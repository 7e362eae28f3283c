import type { ApiDoors, PageDoors } from '../platform/doors.js';
import { cardOf } from '../athletes/present.js';
import type { AthleteRecord, Athletes } from '../athletes/service.js';
import type { Follows } from '../follows/service.js';
import type { NetworkId } from '../networks/network.js';
import { param, seeOther } from '../platform/http.js';
import type { Words } from '../platform/i18n.js';
import type { Posts } from '../posts/service.js';
import { athletesOf } from '../locks/service.js';
import type { AccountRecord, Registry } from '../registry/service.js';
import { presentVideo, presentVideoItem } from '../videos/present.js';
import type { Videos } from '../videos/service.js';
import type { Chats } from '../village/service.js';

export interface AthletePageParts {
  athletes: Athletes;
  registry: Registry;
  follows: Follows;
  videos: Videos;
  chats: Chats;
  posts: Posts;
  words: Words;
}

interface AccountView {
  id: string;
  /** The network's own id. */
  account: string;
  network: string;
  handle: string;
  url: string;
  state: string;
  since: Date | null;
  reason: string | null;
  turn: number;
  held: boolean;
  mode: string;
  linked: boolean;
  earns: boolean;
  verified: boolean;
}

async function accountViews(
  { registry, follows }: AthletePageParts,
  athlete: AthleteRecord,
  reader: string | null,
): Promise<AccountView[]> {
  const [all, verified] = await Promise.all([
    registry.publicOf(athlete._id),
    registry.verifiedOf(athlete._id),
  ]);
  const states = await follows.states(reader, verified);
  // A claim to a network on which somebody else's claim is proved may be an impostor's, and one the
  // public was warned of stays a fake: they are not shown.
  const shown = all.filter(
    (one) =>
      one.state !== 'candidate' ||
      (one.warning === null && !verified.some((each) => each.network === one.network)),
  );
  return shown.map((one: AccountRecord): AccountView => {
    const state = states.get(one._id);
    return {
      id: one._id,
      account: one.accountId,
      network: one.network,
      handle: one.handle,
      url: registry.urlOf(one),
      state: one.state,
      since: one.since,
      // What moderators wrote of a grant is theirs alone.
      reason: one.state === 'revoked' ? (one.warning?.reason ?? null) : null,
      turn: state?.turn ?? 0,
      held: state?.held ?? false,
      mode: state?.mode ?? 'off',
      linked: state?.linked ?? false,
      earns: one.state === 'verified' && state !== undefined && state.mode !== 'off',
      verified: one.state === 'verified',
    };
  });
}

/** `GET /api/v1/athletes/:slug`. */
export function athleteApi(router: ApiDoors, parts: AthletePageParts): void {
  const { athletes, videos, chats, words } = parts;
  router.get('/athletes/:slug', { who: 'anyone', scope: 'read' }, async (req, res) => {
    const athlete = await athletes.require(param(req, 'slug'));
    const reader = req.reader?.id ?? null;
    const [accounts, states, chat] = await Promise.all([
      accountViews(parts, athlete, reader),
      videos.about(reader, athlete._id),
      chats.nextOf(athlete._id),
    ]);
    const people = await athletes.byIds(
      states.flatMap(({ video }) => [video.athlete, ...athletesOf(video.lock)]),
    );
    res.json({
      slug: athlete.slugs[0],
      name: athlete.name,
      noc: athlete.noc || null,
      country: athlete.country,
      disciplines: athlete.disciplines,
      status: athlete.status,
      games: athlete.games,
      medals: athlete.medals,
      demo: athlete.demo,
      accounts: accounts
        .filter((one) => one.verified)
        .map(({ account, network, handle, url, since, turn, held, mode }) => ({
          id: account,
          network,
          handle,
          url,
          since,
          ...(reader ? { turn, followed: held } : {}),
          earns: mode !== 'off',
        })),
      pointsToEarn: accounts.filter((one) => one.earns && !one.held).length,
      videos: states.map((one) => presentVideoItem(words, req.lang, one, people)),
      nextChat: chat
        ? {
            slug: chat._id,
            title: chat.title[req.lang],
            state: chat.state,
            startsAt: chat.startsAt,
          }
        : null,
    });
  });
}

const NOTICES = new Set([
  'awarded',
  'unlocked',
  'already',
  'no',
  'unknown',
  'undone',
  'waits',
  'still_following',
  'not_linked',
  'not_verified',
  'not_supported',
  'own_account',
  'which_account',
]);

/** Those that speak of the deed itself: a follow on one network, a like on another. */
const OF_A_DEED = new Set(['awarded', 'no', 'still_following', 'not_supported']);

/**
 * Where the words of a notice stand. Only what the network was asked about is said to be confirmed
 * by it.
 */
function noticeKey(notice: string, network: NetworkId, here: boolean): string {
  const key = `follows.notice.${notice === 'awarded' && here ? 'awardedHere' : notice}`;
  return OF_A_DEED.has(notice) ? `${key}.${network}` : key;
}

/** The athlete's page. An old slug is sent to the current one. */
export function athletePage(router: PageDoors, parts: AthletePageParts): void {
  const { athletes, registry, videos, chats, posts, words } = parts;
  router.get('/athletes/:slug', { who: 'anyone' }, async (req, res) => {
    const slug = param(req, 'slug');
    const athlete = await athletes.require(slug);
    if (athlete.slugs[0] !== slug) {
      res.redirect(301, `/${req.lang}/athletes/${athlete.slugs[0] ?? ''}`);
      return;
    }
    const reader = req.reader?.id ?? null;
    // Nobody waits for a network: what it says is there at the next look.
    void registry.refresh(athlete._id).catch(() => undefined);
    const [accounts, states, chat, newest] = await Promise.all([
      accountViews(parts, athlete, reader),
      videos.about(reader, athlete._id),
      chats.nextOf(athlete._id),
      posts.newest(athlete._id, 4),
    ]);
    const people = await athletes.byIds(
      states.flatMap(({ video }) => [video.athlete, ...athletesOf(video.lock)]),
    );
    const earning = accounts.filter((one) => one.earns);
    const { notice } = req.query;
    const network = req.query['network'] === 'facebook' ? 'facebook' : 'x';
    const here = accounts.find((one) => one.network === network)?.mode === 'hub';
    const said =
      typeof notice === 'string' && NOTICES.has(notice)
        ? {
            good: ['awarded', 'unlocked', 'already', 'undone'].includes(notice),
            text: words.t(req.lang, noticeKey(notice, network, here), {
              name: athlete.name,
              network: words.t(req.lang, `networks.${network}`),
            }),
          }
        : null;
    if (notice === 'not_linked') {
      seeOther(res, `/${req.lang}/me/settings?notice=link`);
      return;
    }
    await req.page(
      'pages/athlete',
      { title: athlete.name, section: 'athletes', script: 'athlete' },
      {
        athlete: {
          ...cardOf(words, req.lang, athlete),
          sex: athlete.sex,
          medals: athlete.medals,
          medalTotal: athlete.medals.gold + athlete.medals.silver + athlete.medals.bronze,
          disciplines: athlete.disciplines,
        },
        games: [...athlete.games]
          .sort()
          .reverse()
          .map((one) => ({
            year: one.slice(0, 4),
            season: words.t(req.lang, `athletes.season.${one.slice(5)}`),
          })),
        accounts,
        verified: accounts.filter((one) => one.verified),
        earning: earning.length,
        earned: earning.filter((one) => one.held).length,
        said,
        signedIn: reader !== null,
        videos: states.map((one) => presentVideo(words, req.lang, one, people)),
        chat: chat
          ? {
              slug: chat._id,
              title: chat.title[req.lang],
              live: chat.state === 'live',
              startsAt: chat.startsAt,
            }
          : null,
        posts: newest.map(({ network: on, text, url, createdAt }) => ({
          network: on,
          text,
          url,
          createdAt,
        })),
      },
    );
  });
}
