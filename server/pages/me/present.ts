import type { AthleteRecord } from '../../athletes/service.js';
import { presentFan, presentIdentity } from '../../fans/present.js';
import { isLost, type FanRecord, type IdentityRecord } from '../../fans/service.js';
import type { Follows } from '../../follows/service.js';
import { isNetwork } from '../../networks/network.js';
import type { Language, Words } from '../../platform/i18n.js';
import {
  medalsOf,
  readDeed,
  type BoardPage,
  type Entry,
  type Head,
  type RuleSet,
} from '../../points/service.js';
import { presentLane, presentRail } from '../medals.js';
import { chartOf } from './chart.js';
import type { MeAnswer } from './schema.js';

/** Entries of the statement that the page of medals shows. */
export const NEWEST_LINES = 6;

/** The reader, in JSON. */
export const presentMe = (fan: FanRecord, head: Head, identities: IdentityRecord[]): MeAnswer => ({
  ...presentFan(fan),
  points: head.after.points,
  medal: head.after.medals['hub']?.[0] ?? null,
  identities: identities.map(presentIdentity),
  seq: head.seq,
});

/** Entries as lines of a statement, in the reader's words. */
export function presentLines(
  words: Words,
  language: Language,
  entries: Entry[],
  athletes: Map<string, AthleteRecord>,
) {
  return entries.map((entry) => {
    const { kind, network } = readDeed(entry.deed);
    const athlete = athletes.get(entry.athlete);
    const gave = entry.delta > 0;
    return {
      seq: entry.seq,
      gave,
      points: entry.after.points,
      at: entry.at,
      // The line stays; whom it was about is not said of somebody who is no longer shown.
      name: athlete?.name ?? words.t(language, 'athletes.hidden'),
      slug: athlete?.slugs[0] ?? null,
      deed: words.t(language, gave ? `points.deed.${kind}` : 'points.deed.back'),
      why: words.t(language, `points.cause.${entry.cause}`, {
        network: isNetwork(network) ? words.t(language, `networks.${network}`) : network,
      }),
    };
  });
}

/** What the page of medals and points shows. */
export interface MeView {
  head: Head;
  rules: RuleSet;
  /** Newest first. */
  entries: Entry[];
  athletes: Map<string, AthleteRecord>;
  progress: Awaited<ReturnType<Follows['progress']>>;
  board: BoardPage | null;
  identities: IdentityRecord[];
  roles: readonly string[];
  notice: string | null;
}

/** Medals, points, the newest lines and the curve of a fan. */
export function presentMedals(words: Words, language: Language, view: MeView) {
  const { head, entries, board, identities } = view;
  const [hub, ...disciplines] = medalsOf(head.after, view.rules);
  return {
    points: head.after.points,
    hub: presentRail(hub),
    disciplines: disciplines.map((line) => ({ ...line, next: line.next ?? null })),
    disciplineMedals: disciplines.filter((line) => line.medal !== null).length,
    next: hub?.next ?? null,
    lane: presentLane(hub),
    rank: board?.me ? { rank: board.me.rank, tied: board.me.tied } : null,
    ranks: !view.roles.some((role) => role !== 'volunteer'),
    lines: presentLines(words, language, entries.slice(0, NEWEST_LINES), view.athletes),
    total: head.seq,
    chart: chartOf(entries, hub?.thresholds ?? []),
    notice: view.notice,
    lost: identities.filter(isLost).map((identity) => identity.network),
    progress: view.progress.map(({ network, progress }) => ({
      network,
      ...progress,
      percent: Math.round((progress.done / progress.total) * 100),
    })),
  };
}
