import type { AthleteRecord } from '../athletes/service.js';
import { cardOf, type AthleteCard } from '../athletes/present.js';
import type { Language, Words } from '../platform/i18n.js';
import type { Missing } from '../locks/service.js';
import type { VideoState } from './service.js';

export interface MissingView {
  kind: 'follow' | 'medal';
  text: string;
  need: number;
  have: number;
  stamps: { at: number; done: boolean }[];
  athletes: { slug: string; name: string; followed: boolean }[];
  network: string | null;
}

/** What a rule asks for, in words: "Follow 1 more of these 3 athletes". */
function presentMissing(
  words: Words,
  lang: Language,
  missing: Missing,
  people: Map<string, AthleteRecord>,
): MissingView {
  if (missing.kind === 'medal') {
    const scope =
      missing.scope === 'hub'
        ? words.t(lang, 'videos.lock.onHub')
        : words.t(lang, `disciplines.${missing.scope}`);
    return {
      kind: 'medal',
      text: words.t(lang, 'videos.lock.medal', {
        medal: words.t(lang, `points.medal.${missing.medal}`),
        scope,
      }),
      need: 1,
      have: 0,
      stamps: [{ at: 1, done: false }],
      athletes: [],
      network: null,
    };
  }
  const athletes = missing.athletes.flatMap(({ id, followed }) => {
    const one = people.get(id);
    return one ? [{ slug: one.slugs[0] ?? id, name: one.name, followed }] : [];
  });
  const more = Math.max(0, missing.need - missing.have);
  const on = missing.network
    ? words.t(lang, 'videos.lock.onNetwork', {
        network: words.t(lang, `networks.${missing.network}`),
      })
    : '';
  const text =
    athletes.length === 1
      ? words.t(lang, 'videos.lock.one', { name: athletes[0]?.name ?? '', on })
      : words.t(lang, 'videos.lock.several', { count: more, of: athletes.length, on });
  return {
    kind: 'follow',
    text,
    need: missing.need,
    have: missing.have,
    stamps: Array.from({ length: missing.need }, (_x, at) => ({
      at: at + 1,
      done: at < missing.have,
    })),
    athletes,
    network: missing.network,
  };
}

export interface VideoView {
  slug: string;
  title: string;
  about: string;
  minutes: number;
  seconds: number;
  open: boolean;
  missing: MissingView[];
  locked: MissingView | null;
  more: number;
  stamps: { at: number; done: boolean }[];
  athlete: AthleteCard | null;
  quickest: { slug: string; name: string } | null;
}

/** A video as tickets and its page show it. */
export function presentVideo(
  words: Words,
  lang: Language,
  state: VideoState,
  people: Map<string, AthleteRecord>,
): VideoView {
  const { video } = state;
  const missing = state.missing.map((one) => presentMissing(words, lang, one, people));
  const athlete = people.get(video.athlete);
  const first = missing[0] ?? null;
  return {
    slug: video._id,
    title: video.title[lang],
    about: video.about[lang],
    minutes: Math.floor(video.seconds / 60),
    seconds: video.seconds % 60,
    open: state.open,
    missing,
    locked: first,
    more: missing.reduce((sum, one) => sum + Math.max(0, one.need - one.have), 0),
    stamps: first?.stamps ?? [],
    athlete: athlete ? cardOf(words, lang, athlete) : null,
    quickest: missing.flatMap((one) => one.athletes).find((one) => !one.followed) ?? null,
  };
}

/** A video in the JSON of `/api/v1/videos`: what is missing, in the reader's language too. */
export const presentVideoItem = (
  words: Words,
  lang: Language,
  state: VideoState,
  people: Map<string, AthleteRecord>,
) => {
  const view = presentVideo(words, lang, state, people);
  return {
    slug: view.slug,
    title: view.title,
    about: view.about,
    seconds: state.video.seconds,
    athlete: view.athlete?.slug ?? null,
    open: view.open,
    missing: view.missing.map(({ kind, text, need, have, athletes, network }) => ({
      kind,
      text,
      need,
      have,
      athletes,
      network,
    })),
    ...(view.open ? { media: `/api/v1/videos/${view.slug}/media` } : {}),
  };
};
