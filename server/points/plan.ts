import { Types } from 'mongoose';
import type { RelatedDeeds } from './award.js';
import { nextTurn, type Command, type Outcome } from './command.js';
import {
  chain,
  instantBehind,
  MOST_POINTS,
  type After,
  type DeedFacts,
  type Entry,
  type Head,
  type TurnFacts,
} from './entry.js';
import type { RuleSet } from './rules.js';
import type { SeasonCalendar } from './seasons.js';
import { isSettled, type Answer, type Attempt, type Submission } from './submission.js';
import { isGive, turnKey, type DeedTurn, type DeedTurns } from './turns.js';
import { nextDay, windowKeys } from './windows.js';

/** How often one deed may be given in a day (LEDGER 4). */
const GIVES_A_DAY = 3;
/** The first turn that could be a fourth give in a day is the one behind this. */
export const LAST_FREE_TURN = 2 * GIVES_A_DAY;

/** All that a flush has read, and decides by. */
export interface Snapshot {
  now: Date;
  /** The time zone that cuts the days. */
  zone: string;
  /** The head of each fan: at least as new as every turn here, or one that an insert will prove. */
  heads: ReadonlyMap<string, Head>;
  turns: DeedTurns;
  rules: RuleSet;
  seasons: SeasonCalendar;
  /** By fan, for each command: whether what a give rests on still stands. */
  stands: ReadonlyMap<string, readonly boolean[]>;
  /** By fan: the related deeds that are held at an entry right behind the head. */
  related: ReadonlyMap<string, RelatedDeeds>;
}

/** What is to become of one command. */
export type Decision = Write | Unwritten;

/** An entry is to be written; `before` are the medals held until then. */
export interface Write {
  kind: 'write';
  entry: Entry;
  before: After['medals'];
}

/**
 * No entry is to be written; `turn` is the last one of the deed. Either `nothing` changes, because
 * the deed is as wanted already or not as the caller saw it; or it is `limited`, because it was
 * given as often as a day allows; or it is `dropped`, because what the give rests on no longer
 * stands or points are at their most.
 */
export type Unwritten =
  | { kind: 'nothing'; turn: number; head: Head }
  | { kind: 'limited'; turn: number; head: Head; until: Date }
  | { kind: 'dropped'; turn: number; head: Head };

/** Decides on a command behind a head; `stands` says whether what a give rests on still stands. */
export function decide(
  command: Command,
  head: Head,
  stands: boolean,
  {
    now,
    zone,
    turns,
    rules,
    seasons,
  }: Pick<Snapshot, 'now' | 'zone' | 'turns' | 'rules' | 'seasons'>,
): Decision {
  const { fan, deed } = command;
  const history = turns.get(turnKey(fan, deed)) ?? [];
  const last = history.at(-1);
  const turn = last?.turn ?? 0;
  const next = nextTurn(command, turn);
  if (next === null) return { kind: 'nothing', turn, head };
  const at = instantBehind(head, now);
  if (isGive(next)) {
    if (head.after.points >= MOST_POINTS) return { kind: 'dropped', turn, head };
    const until = limitedUntil(history, at, zone);
    if (until) return { kind: 'limited', turn, head, until };
    if (!stands) return { kind: 'dropped', turn, head };
  }
  const season = seasons.seasonAt(windowKeys(at, zone).day);
  const facts = last ? factsOf(last) : { ...firstFacts(command), season, earnedAt: at };
  const how = turnFactsOf(command);
  const entry = chain(head, { fan, deed, turn: next, facts, how }, { at, zone, season, rules });
  return { kind: 'write', entry, before: head.after.medals };
}

/** What the caller says that the first turn of a deed fixes for all later ones. */
const firstFacts = ({ facts }: Command): Command['facts'] => ({
  account: facts.account,
  on: facts.on,
  athlete: facts.athlete,
  disciplines: facts.disciplines,
});

/** What earlier turns of a deed have fixed. */
const factsOf = ({ account, on, athlete, disciplines, season, earnedAt }: DeedTurn): DeedFacts => ({
  account,
  on,
  athlete,
  disciplines,
  season,
  earnedAt,
});

const turnFactsOf = ({ cause, act, card, link, evidence, askedAt }: Command): TurnFacts => ({
  cause,
  act,
  card,
  link,
  evidence,
  askedAt,
});

/** When a deed may be given again, if it was given as often as a day allows; else null. */
function limitedUntil(history: readonly DeedTurn[], at: Date, zone: string): Date | null {
  if (history.length < LAST_FREE_TURN) return null;
  const today = windowKeys(at, zone).day;
  const givenToday = history.filter(
    (turn) => isGive(turn.turn) && windowKeys(turn.at, zone).day === today,
  );
  return givenToday.length >= GIVES_A_DAY ? nextDay(at, zone) : null;
}

/** The outcome of a command for which nothing is written. */
export const unwrittenOutcome = (decision: Unwritten): Outcome => ({
  entry: null,
  turn: decision.turn,
  head: decision.head,
  before: decision.head.after.medals,
  limited: decision.kind === 'limited' ? decision.until : null,
  dropped: decision.kind === 'dropped',
});

/** Makes a decision to write into an entry to be sent, under a record id of its own. */
export const attemptOf = (
  submission: Submission,
  index: number,
  { entry, before }: Write,
  related?: RelatedDeeds,
): Attempt => ({ submission, index, id: new Types.ObjectId(), entry, before, related });

/**
 * Whether a fan's head must be looked at again before anything is decided behind it. An insert
 * proves the head it is chained behind, so a remembered one serves for that. What is answered
 * without an insert, or from a turn that the head does not know yet, is answered from the store.
 */
export function needsNewerHead(
  { commands, outcomes }: Submission,
  head: Head,
  isRemembered: boolean,
  { turns, stands }: { turns: DeedTurns; stands: readonly boolean[] },
): boolean {
  return commands.some((command, index) => {
    if (outcomes[index]) return false;
    const last = turns.get(turnKey(command.fan, command.deed))?.at(-1);
    if (last && last.seq > head.seq) return true;
    if (!isRemembered) return false;
    const next = nextTurn(command, last?.turn ?? 0);
    if (next === null) return true;
    const mayBeRefused =
      !stands[index] || next > LAST_FREE_TURN || head.after.points >= MOST_POINTS;
    return isGive(next) && mayBeRefused;
  });
}

/** What a flush does: at most one of the three for each fan. */
export interface Plan {
  /** Commands that need no entry. */
  answers: Answer[];
  /** Entries of fans with one command, for one unordered insert. */
  singles: Attempt[];
  /** Submissions of many commands, each an ordered insert of its own (`chains.ts`). */
  chains: Submission[];
}

/** Decides on everything in a flush that has no outcome yet. */
export function planFlush(submissions: readonly Submission[], snapshot: Snapshot): Plan {
  const plan: Plan = { answers: [], singles: [], chains: [] };
  for (const submission of submissions) {
    const { fan, commands } = submission;
    if (isSettled(submission)) continue;
    if (commands.length > 1) {
      plan.chains.push(submission);
      continue;
    }
    const stands = snapshot.stands.get(fan)?.[0] ?? false;
    const head = snapshot.heads.get(fan) as Head;
    const decision = decide(commands[0] as Command, head, stands, snapshot);
    if (decision.kind === 'write')
      plan.singles.push(attemptOf(submission, 0, decision, snapshot.related.get(fan)));
    else plan.answers.push({ submission, index: 0, outcome: unwrittenOutcome(decision) });
  }
  return plan;
}
