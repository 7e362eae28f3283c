import { cardOf, type AthleteCard } from '../athletes/present.js';
import type { AthleteRecord } from '../athletes/service.js';
import type { Missing } from '../locks/service.js';
import type { Language, Words } from '../platform/i18n.js';
import type { VideoAnswer } from './schema.js';
import type { VideoState } from './service.js';

type People = Map<string, AthleteRecord>;

/** What one rule of a lock still asks for, as pages show it. */
export interface MissingView {
  kind: 'follow' | 'medal';
  text: string;
  need: number;
  have: number;
  stamps: { at: number; done: boolean }[];
  athletes: { slug: string; name: string; followed: boolean }[];
  network: string | null;
}

function presentMissingMedal(
  words: Words,
  language: Language,
  { scope, medal }: Extract<Missing, { kind: 'medal' }>,
): MissingView {
  const where = scope === 'hub' ? 'videos.lock.onHub' : `disciplines.${scope}`;
  return {
    kind: 'medal',
    text: words.t(language, 'videos.lock.medal', {
      medal: words.t(language, `points.medal.${medal}`),
      scope: words.t(language, where),
    }),
    need: 1,
    have: 0,
    stamps: [{ at: 1, done: false }],
    athletes: [],
    network: null,
  };
}

function presentMissingFollows(
  words: Words,
  language: Language,
  { need, have, network, athletes }: Extract<Missing, { kind: 'follow' }>,
  people: People,
): MissingView {
  const named = athletes.flatMap(({ id, followed }) => {
    const athlete = people.get(id);
    return athlete ? [{ slug: athlete.slugs[0] ?? id, name: athlete.name, followed }] : [];
  });
  const on = network
    ? words.t(language, 'videos.lock.onNetwork', {
        network: words.t(language, `networks.${network}`),
      })
    : '';
  const count = Math.max(0, need - have);
  const text =
    named.length === 1
      ? words.t(language, 'videos.lock.one', { name: named[0]?.name ?? '', on })
      : words.t(language, 'videos.lock.several', { count, of: named.length, on });
  const stamps = Array.from({ length: need }, (_stamp, index) => ({
    at: index + 1,
    done: index < have,
  }));
  return { kind: 'follow', text, need, have, stamps, athletes: named, network };
}

/** What a rule asks for, in words: "Follow 1 more of these 3 athletes". */
const presentMissing = (
  words: Words,
  language: Language,
  missing: Missing,
  people: People,
): MissingView =>
  missing.kind === 'medal'
    ? presentMissingMedal(words, language, missing)
    : presentMissingFollows(words, language, missing, people);

/** A video as tickets and its page show it. */
export interface VideoView {
  slug: string;
  title: string;
  about: string;
  minutes: number;
  seconds: number;
  open: boolean;
  missing: MissingView[];
  /** The first rule that is missing. */
  locked: MissingView | null;
  /** How many follows or medals are missing in all. */
  more: number;
  stamps: { at: number; done: boolean }[];
  athlete: AthleteCard | null;
  /** An athlete to follow next. */
  quickest: { slug: string; name: string } | null;
}

/** A video as tickets and its page show it; `people` are the athletes that it and its lock name. */
export function presentVideo(
  words: Words,
  language: Language,
  { video, open, missing: rules }: VideoState,
  people: People,
): VideoView {
  const missing = rules.map((rule) => presentMissing(words, language, rule, people));
  const athlete = people.get(video.athlete);
  const locked = missing[0] ?? null;
  return {
    slug: video._id,
    title: video.title[language],
    about: video.about[language],
    minutes: Math.floor(video.seconds / 60),
    seconds: video.seconds % 60,
    open,
    missing,
    locked,
    more: missing.reduce((sum, rule) => sum + Math.max(0, rule.need - rule.have), 0),
    stamps: locked?.stamps ?? [],
    athlete: athlete ? cardOf(words, language, athlete) : null,
    quickest: missing.flatMap((rule) => rule.athletes).find((named) => !named.followed) ?? null,
  };
}

/** A video in JSON: what is missing, in the reader's language too. */
export function presentVideoItem(
  words: Words,
  language: Language,
  state: VideoState,
  people: People,
): VideoAnswer {
  const view = presentVideo(words, language, state, people);
  return {
    slug: view.slug,
    title: view.title,
    about: view.about,
    seconds: state.video.seconds,
    athlete: view.athlete?.slug ?? null,
    open: view.open,
    missing: view.missing.map(({ stamps: _stamps, ...rule }) => rule),
    ...(view.open ? { media: `/api/v1/videos/${view.slug}/media` } : {}),
  };
}
