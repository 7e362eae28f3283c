import { cardOf, presentFacts } from '../../athletes/present.js';
import type { AthleteRecord } from '../../athletes/service.js';
import type { Language, Words } from '../../platform/i18n.js';
import type { PostRecord } from '../../posts/service.js';
import { presentVideo, presentVideoItem } from '../../videos/present.js';
import type { AthleteView } from './read.js';
import type { AthleteAnswer } from './schema.js';

/** An athlete in JSON. What a visitor cannot have (turn, followed) is absent. */
export function presentAthlete(
  words: Words,
  language: Language,
  { athlete, accounts, videos, chat, people }: AthleteView,
  isFan: boolean,
): AthleteAnswer {
  return {
    ...presentFacts(athlete),
    accounts: accounts
      .filter((account) => account.verified)
      .map(({ account, network, handle, url, since, turn, held, mode }) => ({
        ...{ id: account, network, handle, url, since: since?.toISOString() ?? null },
        ...(isFan ? { turn, followed: held } : {}),
        earns: mode !== 'off',
      })),
    pointsToEarn: accounts.filter((account) => account.earns && !account.held).length,
    videos: videos.map((video) => presentVideoItem(words, language, video, people)),
    nextChat: chat && {
      slug: chat._id,
      title: chat.title[language],
      state: chat.state,
      startsAt: chat.startsAt.toISOString(),
    },
  };
}

/** Editions an athlete took part in, the newest first: `2024-summer`. */
const presentGames = (words: Words, language: Language, games: readonly string[]) =>
  [...games]
    .sort()
    .reverse()
    .map((edition) => ({
      year: edition.slice(0, 4),
      season: words.t(language, `athletes.season.${edition.slice(5)}`),
    }));

const presentPerson = (words: Words, language: Language, athlete: AthleteRecord) => ({
  ...cardOf(words, language, athlete),
  sex: athlete.sex,
  medals: athlete.medals,
  medalTotal: athlete.medals.gold + athlete.medals.silver + athlete.medals.bronze,
  disciplines: athlete.disciplines,
});

/** The athlete's page. */
export function presentAthletePage(
  words: Words,
  language: Language,
  { athlete, accounts, videos, chat, people }: AthleteView,
  {
    posts,
    said,
    signedIn,
  }: { posts: PostRecord[]; said: { good: boolean; text: string } | null; signedIn: boolean },
) {
  const earning = accounts.filter((account) => account.earns);
  return {
    athlete: presentPerson(words, language, athlete),
    games: presentGames(words, language, athlete.games),
    accounts,
    verified: accounts.filter((account) => account.verified),
    earning: earning.length,
    earned: earning.filter((account) => account.held).length,
    said,
    signedIn,
    videos: videos.map((video) => presentVideo(words, language, video, people)),
    chat: chat && {
      slug: chat._id,
      title: chat.title[language],
      live: chat.state === 'live',
      startsAt: chat.startsAt,
    },
    posts: posts.map(({ network, text, url, createdAt }) => ({ network, text, url, createdAt })),
  };
}
