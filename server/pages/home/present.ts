import { cardOf } from '../../athletes/present.js';
import type { AthleteRecord } from '../../athletes/service.js';
import { nocOf } from '../../platform/countries.js';
import type { Language, Words } from '../../platform/i18n.js';
import { medalsOf, type BoardPage, type Head, type RuleSet } from '../../points/service.js';
import { presentVideo } from '../../videos/present.js';
import type { VideoState } from '../../videos/service.js';
import type { ChatRecord } from '../../village/service.js';
import { presentLane, presentRail } from '../medals.js';
import type { Suggestion } from './suggestions.js';

type Athletes = Map<string, AthleteRecord>;

/** Chats to come that home names. */
const SOON = 3;
/** How far away a lock of another kind than following counts as. */
const FAR = 5;

/** What home shows. */
export interface HomeView {
  reader: string | null;
  head: Head | null;
  rules: RuleSet;
  /** Null while the board is being counted. */
  board: BoardPage | null;
  chats: ChatRecord[];
  /** How many are in the live chat; 0 when none is live. */
  inRoom: number;
  suggestions: Suggestion[];
  videos: VideoState[];
  athletes: Athletes;
  /** How many people the directory has. */
  directory: number;
}

const presentLive = (
  words: Words,
  language: Language,
  chat: ChatRecord,
  athletes: Athletes,
  count: number,
) => {
  const host = athletes.get(chat.host);
  return {
    slug: chat._id,
    title: chat.title[language],
    fromVillage: chat.fromVillage,
    athlete: host ? cardOf(words, language, host) : null,
    count,
  };
};

const presentSoon = (language: Language, chats: ChatRecord[], athletes: Athletes) =>
  chats
    .filter((chat) => chat.state === 'soon')
    .slice(0, SOON)
    .map((chat) => ({
      slug: chat._id,
      title: chat.title[language],
      startsAt: chat.startsAt,
      name: athletes.get(chat.host)?.name ?? '',
    }));

function presentSuggestion(
  words: Words,
  language: Language,
  { account, held, turn }: Suggestion,
  athletes: Athletes,
) {
  const athlete = athletes.get(account.athlete.id);
  if (!athlete) return null;
  const { network, handle, url } = account;
  return { athlete: cardOf(words, language, athlete), network, handle, url, held, turn };
}

function presentTop(board: BoardPage, reader: string | null) {
  const rows = board.rows.map((row) => ({
    ...row,
    noc: nocOf(row.country),
    me: row.fan === reader,
  }));
  return { rows, me: rows.some((row) => row.me) ? null : board.me };
}

/** How many follows a locked video still needs. */
const missingFor = ({ missing }: VideoState): number =>
  missing.reduce((sum, rule) => sum + (rule.kind === 'follow' ? rule.need - rule.have : FAR), 0);

/** The video that needs the fewest follows more, else one that is open. */
const nearlyOpen = (videos: VideoState[]): VideoState | undefined =>
  videos
    .filter((video) => !video.open && video.missing[0]?.kind === 'follow')
    .sort((a, b) => missingFor(a) - missingFor(b))[0] ?? videos.find((video) => video.open);

/** Home: the next reward, what is live, whom to follow, the board, the video nearly open. */
export function presentHome(words: Words, language: Language, view: HomeView) {
  const { reader, head, board, chats, athletes } = view;
  const medals = head ? medalsOf(head.after, view.rules)[0] : undefined;
  const live = chats.find((chat) => chat.state === 'live');
  const nearly = nearlyOpen(view.videos);
  return {
    signedIn: reader !== null,
    points: head?.after.points ?? 0,
    rail: presentRail(medals),
    lane: presentLane(medals),
    next: medals?.next ?? null,
    medal: medals?.medal ?? null,
    live: live ? presentLive(words, language, live, athletes, view.inRoom) : null,
    soon: presentSoon(language, chats, athletes),
    cards: view.suggestions
      .map((suggestion) => presentSuggestion(words, language, suggestion, athletes))
      .filter((card) => card !== null),
    board: board ? presentTop(board, reader) : null,
    counting: board === null,
    nearly: nearly ? presentVideo(words, language, nearly, athletes) : null,
    total: view.directory,
  };
}
