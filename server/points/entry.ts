import { sha256 } from '../platform/ids.js';
import type { RuleSet } from './medals.js';
import { emptyStanding, standingAfter, type After } from './standing.js';

export type { After } from './standing.js';

/**
 * Why a turn was taken. `restored` and `cap_day` are part of version 1 and reserved: nothing writes
 * them yet.
 */
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

/**
 * Points stop here. One more, and a board's score would pass 2^53 and no longer be exact in a
 * double (LEDGER 3 says 2^20; a property test found the edge).
 */
export const MOST_POINTS = 2 ** 20 - 1;

/**
 * A line of the ledger, in format 1. Inserting it is the whole durable act: scores, medals and
 * boards are copied from it and may be lost.
 *
 * **Frozen.** An entry that was written is never changed or removed, and no field is ever added to
 * format 1, dropped from it, or read in another sense: `hash` covers every field but itself, and
 * `verify` computes every `after` anew. What erasure takes from a fan lies outside the chain; an
 * entry names no person but by the fan's random id.
 *
 * **A format 2** would be written as `v: 2`, behind entries of format 1 in the same chain. It would
 * bring a type, a canonical text and a step of the standing of its own, chosen by `v` wherever
 * entries are hashed, verified or continued; say how a standing of format 1 is carried over by the
 * first entry of format 2 behind it; and come in two releases, so that no process meets an entry
 * that it cannot read: one that reads both, and, when it runs everywhere, one that writes the new.
 */
export interface Entry {
  /** Format. Set by `chain`. */
  v: 1;

  // Its place, set by the ledger. Unique: (fan, seq) and (fan, deed, turn).
  /** Whose statement: a random id, which means nothing once the fan is erased. */
  fan: string;
  /** Its place in the statement: 1, 2, 3 … without holes. */
  seq: number;
  /**
   * What was done: `<kind>:<network>:<id>`, made by `makeDeed` and read by `readDeed` (`deed.ts`),
   * never cut by hand. Kind and network end at the first two colons; the rest is the network's own
   * id and may hold any sign (`follow:bluesky:did:plc:abc`). The same deed has the same key under
   * every card, for ever.
   */
  deed: string;
  /** Odd turns give, even ones take back; turn n comes after turn n−1 of the same fan and deed. */
  turn: number;
  /** Points moved: 1 at an odd turn, −1 at an even turn. */
  delta: number;
  /** The fan's whole standing after this entry, enough to write the next one and to answer. */
  after: After;

  // What turn 1 of the deed fixes, told by whoever records it. The ledger copies it to later turns,
  // so that no change outside ever unbalances a total.
  /**
   * The account that the deed was about, by its network's opaque id (on Mastodon with its host).
   */
  account: string;
  /** Whether it was done to the account itself or to a post of it. */
  on: 'account' | 'post';
  /** Whose account it was: the athlete's id in the directory. */
  athlete: string;
  /** The athlete's disciplines, as they were. */
  disciplines: string[];
  /** Key of the season that ran at turn 1, set by the ledger: that of `after.windows` there. */
  season: string;
  /** `at` of turn 1, set by the ledger. The deed counts in this instant's day, week and month. */
  earnedAt: Date;

  // How this turn was decided: told by whoever records it; `rule` is set by the ledger.
  /** Version of the thresholds in force (`rules.ts`). */
  rule: number;
  /** Card it was decided under: its version and mode, `x@3:confirmed`. */
  card: string;
  cause: Cause;
  /**
   * Id of the line in the audit log of a turn that staff took (`manual`); null for other causes.
   */
  act: string | null;
  /** Random id of the identity link that backs the turn, or null. */
  link: string | null;
  /** Salted hash of the private document that shows what the network said, or null. */
  evidence: string | null;
  /** When the network was asked, by its clock where it tells the time; else when the fan acted. */
  askedAt: Date;

  // The chain, set by `chain`.
  /** When it was written, by the hub's clock; never earlier than the entry before. */
  at: Date;
  /** `hash` of the fan's entry before, empty for the first. */
  prev: string;
  /** SHA-256, in hex, of the canonical text of all other fields. */
  hash: string;
}

/** What turn 1 of a deed fixes for all its later turns. */
export type DeedFacts = Pick<
  Entry,
  'account' | 'on' | 'athlete' | 'disciplines' | 'season' | 'earnedAt'
>;

/** How and why a turn is taken. */
export type TurnFacts = Pick<Entry, 'cause' | 'act' | 'card' | 'link' | 'evidence' | 'askedAt'>;

/** The last entry of a fan, as far as the next one needs it. */
export type Head = Pick<Entry, 'seq' | 'hash' | 'after'>;

/** The head of a fan without entries. */
export const NO_HEAD: Head = { seq: 0, hash: '', after: emptyStanding() };

/** The head that this entry is. */
export const headOf = ({ seq, hash, after }: Head): Head => ({ seq, hash, after });

/** Whether a turn names the act of staff that it was, and no other turn does. */
export const namesItsAct = ({ cause, act }: Pick<Entry, 'cause' | 'act'>): boolean =>
  (cause === 'manual') === (act !== null);

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
    act: entry.act,
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
    on: entry.on,
    prev: entry.prev,
    rule: entry.rule,
    season: entry.season,
    seq: entry.seq,
    turn: entry.turn,
    v: entry.v,
  });
}

/** A turn of a deed that is to be written. */
export interface TurnToWrite {
  fan: string;
  deed: string;
  turn: number;
  facts: DeedFacts;
  how: TurnFacts;
}

/** When and by which rules an entry is written. */
export interface Terms {
  at: Date;
  zone: string;
  /** Key of the season that runs. */
  season: string;
  rules: RuleSet;
}

/**
 * The instant of an entry behind `head`. Time never runs backwards inside a statement, whatever the
 * clock does (RELIABILITY F16); all that is cut by days goes by this instant.
 */
export const instantBehind = (head: Head, now: Date): Date =>
  new Date(Math.max(now.getTime(), head.after.reachedAt));

/**
 * Makes the next entry behind `head`, at `instantBehind`. Throws for a `manual` turn without its
 * act, and for an act of any other turn: who calls has a fault.
 */
export function chain(
  head: Head,
  { fan, deed, turn, facts, how }: TurnToWrite,
  terms: Terms,
): Entry {
  if (!namesItsAct(how))
    throw new Error(`a ${how.cause} turn ${how.act === null ? 'without' : 'with'} an act of staff`);
  const { zone, season, rules } = terms;
  const at = instantBehind(head, terms.at);
  const delta = turn % 2 === 1 ? 1 : -1;
  const body: Omit<Entry, 'hash'> = {
    v: 1,
    fan,
    seq: head.seq + 1,
    deed,
    turn,
    delta,
    after: standingAfter(head.after, { delta, at, facts, zone, season, rules }),
    account: facts.account,
    on: facts.on,
    athlete: facts.athlete,
    disciplines: facts.disciplines,
    season: facts.season,
    earnedAt: facts.earnedAt,
    rule: rules.now.version,
    card: how.card,
    cause: how.cause,
    act: how.act,
    link: how.link,
    evidence: how.evidence,
    askedAt: how.askedAt,
    at,
    prev: head.hash,
  };
  return { ...body, hash: sha256(canonicalText(body)) };
}
