import { createHash } from 'node:crypto';
import { medalAfter, type HeldMedal, type Rule } from './medals.js';
import { windowKeys, type WindowKeys } from './windows.js';

export type Cause =
  | 'network_yes'
  | 'hub_click'
  | 'network_no'
  | 'undo'
  | 'unlinked'
  | 'revoked'
  | 'restored'
  | 'cap_day'
  | 'manual';
type Span = keyof WindowKeys;
export const SPANS: readonly Span[] = ['day', 'week', 'month', 'season'];
/**
 * Points stop here. One more, and a board's score would pass 2^53 and no longer be exact in a
 * double (LEDGER 3 says 2^20; a property test found the edge).
 */
export const MOST_POINTS = 2 ** 20 - 1;

/** A fan's whole standing after an entry (LEDGER 1). Instants are milliseconds. */
export interface After {
  points: number;
  reachedAt: number;
  disciplines: Record<string, [points: number, reachedAt: number]>;
  windows: Record<Span, [key: string, points: number]>;
  likesToday: [day: string, count: number];
  medals: Record<string, HeldMedal>;
}

/** One line of the ledger. The one insert of it is the whole durable truth. */
export interface Entry {
  v: 1;
  fan: string;
  seq: number;
  deed: string;
  turn: number;
  delta: number;
  after: After;
  account: string;
  athlete: string;
  disciplines: string[];
  season: string;
  earnedAt: Date;
  rule: number;
  card: string;
  cause: Cause;
  link: string | null;
  evidence: string | null;
  askedAt: Date;
  at: Date;
  prev: string;
  hash: string;
}

/** What turn 1 of a deed fixes for all its later turns. */
export interface DeedFacts {
  account: string;
  athlete: string;
  disciplines: string[];
  season: string;
  earnedAt: Date;
}
/** How and why a turn is taken. */
export interface TurnFacts {
  cause: Cause;
  card: string;
  link: string | null;
  evidence: string | null;
  askedAt: Date;
}

/** The last entry of a fan, all that the next one needs. */
export interface Head {
  seq: number;
  hash: string;
  after: After;
}

const emptyAfter = (): After => ({
  points: 0,
  reachedAt: 0,
  disciplines: {},
  windows: { day: ['', 0], week: ['', 0], month: ['', 0], season: ['', 0] },
  likesToday: ['', 0],
  medals: {},
});
export const NO_HEAD: Head = { seq: 0, hash: '', after: emptyAfter() };

/** Points in a span now; a window of an old key reads as 0. */
const pointsIn = (after: After, span: Span, now: WindowKeys): number =>
  after.windows[span][0] === now[span] ? after.windows[span][1] : 0;

/**
 * The standing after a turn. A turn counts in the windows in which its deed was first earned and in
 * no other, so giving and taking always balance and nobody earns a week anew by following again.
 */
export function standingAfter(
  before: After,
  change: {
    delta: number;
    at: Date;
    facts: DeedFacts;
    zone: string;
    rule: Rule;
    rules: ReadonlyMap<number, Rule>;
  },
): After {
  const { delta, facts, zone, rule, rules } = change;
  const at = change.at.getTime();
  const now = windowKeys(change.at, zone);
  const earned = windowKeys(facts.earnedAt, zone);
  const disciplines = { ...before.disciplines };
  const medals = { ...before.medals };
  const award = (scope: string, points: number): void => {
    const medal = medalAfter(points, scope, medals[scope], rule, rules);
    if (medal) medals[scope] = medal;
    else Reflect.deleteProperty(medals, scope);
  };
  const points = before.points + delta;
  award('hub', points);
  for (const slug of facts.disciplines) {
    const total = (disciplines[slug]?.[0] ?? 0) + delta;
    disciplines[slug] = [total, at];
    award(slug, total);
  }
  const windows = {} as After['windows'];
  for (const span of SPANS) {
    const current = pointsIn(before, span, now);
    const counts = span === 'season' ? facts.season === now.season : earned[span] === now[span];
    windows[span] = [now[span], current + (counts ? delta : 0)];
  }
  return {
    points,
    reachedAt: at,
    disciplines,
    windows,
    likesToday: before.likesToday[0] === now.day ? before.likesToday : [now.day, 0],
    medals,
  };
}

const sorted = <V>(record: Record<string, V>): Record<string, V> => {
  const keys = Object.keys(record);
  if (keys.length < 2) return record;
  const out: Record<string, V> = {};
  for (const key of keys.sort()) out[key] = record[key] as V;
  return out;
};

/**
 * The RFC 8785 JSON of an entry without its hash: members in the order of their names, numbers and
 * texts as ECMAScript writes them. Spelled out, because the library's general way costs a tenth of
 * an award; `verify` and a property test read it by the library. No name of ours looks like an
 * array index, the one kind that an object does not keep in the order it was given.
 */
export function canonicalText({ after, ...entry }: Omit<Entry, 'hash'>): string {
  const { day, week, month, season } = after.windows;
  return JSON.stringify({
    account: entry.account,
    after: {
      disciplines: sorted(after.disciplines),
      likesToday: after.likesToday,
      medals: sorted(after.medals),
      points: after.points,
      reachedAt: after.reachedAt,
      windows: { day, month, season, week },
    },
    askedAt: entry.askedAt,
    at: entry.at,
    athlete: entry.athlete,
    card: entry.card,
    cause: entry.cause,
    deed: entry.deed,
    delta: entry.delta,
    disciplines: entry.disciplines,
    earnedAt: entry.earnedAt,
    evidence: entry.evidence,
    fan: entry.fan,
    link: entry.link,
    prev: entry.prev,
    rule: entry.rule,
    season: entry.season,
    seq: entry.seq,
    turn: entry.turn,
    v: entry.v,
  });
}

/** SHA-256, in hex. */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/**
 * The next entry behind `head`. Time never runs backwards inside a statement, whatever the clock
 * does (RELIABILITY F16).
 */
export function chain(
  head: Head,
  fan: string,
  deed: string,
  turn: number,
  facts: DeedFacts,
  how: TurnFacts,
  time: { at: Date; floor: number; zone: string; rule: Rule; rules: ReadonlyMap<number, Rule> },
): Entry {
  const at = new Date(Math.max(time.at.getTime(), time.floor));
  const delta = turn % 2 === 1 ? 1 : -1;
  const body: Omit<Entry, 'hash'> = {
    v: 1,
    fan,
    seq: head.seq + 1,
    deed,
    turn,
    delta,
    after: standingAfter(head.after, {
      delta,
      at,
      facts,
      zone: time.zone,
      rule: time.rule,
      rules: time.rules,
    }),
    account: facts.account,
    athlete: facts.athlete,
    disciplines: facts.disciplines,
    season: facts.season,
    earnedAt: facts.earnedAt,
    rule: time.rule.version,
    card: how.card,
    cause: how.cause,
    link: how.link,
    evidence: how.evidence,
    askedAt: how.askedAt,
    at,
    prev: head.hash,
  };
  return { ...body, hash: hashOf(canonicalText(body)) };
}

export const headOf = (entry: Pick<Entry, 'seq' | 'hash' | 'after'>): Head => ({
  seq: entry.seq,
  hash: entry.hash,
  after: entry.after,
});
