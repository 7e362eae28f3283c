import type { Connection } from 'mongoose';
import type { Clock } from '../platform/clock.js';
import type { RelatedDeeds, Written } from './award.js';
import { planChain, writeChain } from './chains.js';
import { stillStands, type Command, type Outcome } from './command.js';
import { namesItsAct, type Head } from './entry.js';
import { EntryWriter } from './entry-writer.js';
import { GroupCommit, type UnsureFan } from './group-commit.js';
import type { Heads } from './heads.js';
import { needsNewerHead, planFlush, type Plan, type Snapshot } from './plan.js';
import { deedsToRead, relatedAt, RelatedMemory } from './related.js';
import { newestRule, type Rules } from './rules.js';
import type { Seasons } from './seasons.js';
import { answer, type Submission } from './submission.js';
import { TURN_FIELDS, Turns, type DeedTurns } from './turns.js';

/** What the ledger tells and asks while it writes. */
export interface LedgerHooks {
  /** Hears every entry that is known to be durable, in order for each fan. */
  written(entries: Written[]): void;
  /**
   * Hears of fans for whom an insert may or may not have been stored when the patience ended, with
   * when their commands came.
   */
  unsure(fans: UnsureFan[]): void;
  /** Awaited before anything is written that bears this instant (ms). */
  ready(at: number): Promise<void>;
}

/**
 * The append-only statements of all fans (LEDGER 2). `GroupCommit` gathers commands into flushes,
 * and each flush takes four steps: it **reads** heads and last turns, **plans** a decision for each
 * command (`plan.ts`), **writes** one unordered insert with at most one entry a fan, and an ordered
 * one for each fan with many commands (`chains.ts`), and **reconciles** the answers of the store
 * with the commands (`entry-writer.ts`). A refused insert is never renumbered: the next flush reads
 * and decides again.
 */
export class Ledger {
  private readonly turns: Turns;
  private readonly related = new RelatedMemory();
  private readonly writer: EntryWriter;
  private readonly commits: GroupCommit;

  constructor(
    private readonly parts: {
      connection: Connection;
      heads: Heads;
      rules: Rules;
      seasons: Seasons;
      clock: Clock;
      timezone: string;
      hooks: LedgerHooks;
    },
  ) {
    const { connection, heads, clock, hooks } = parts;
    this.turns = new Turns(connection);
    this.writer = new EntryWriter(connection, heads, this.related, (entries) => {
      hooks.written(entries);
    });
    this.commits = new GroupCommit(
      clock,
      (submissions, now) => this.flush(submissions, now),
      (fans) => {
        hooks.unsure(fans);
      },
    );
  }

  /**
   * Records one command. Throws `busy` or `unavailable` (503): the command may or may not have been
   * carried out then, and recording it again is safe.
   */
  async record(command: Command): Promise<Outcome> {
    return (await this.recordMany(command.fan, [command]))[0] as Outcome;
  }

  /**
   * Records many commands of one fan, in order; each must be about another deed. Throws likewise.
   */
  recordMany(fan: string, commands: Command[]): Promise<Outcome[]> {
    if (commands.length === 0) return Promise.resolve([]);
    // Known before it is queued: a fault of one caller must not fail a flush of many.
    if (!commands.every(namesItsAct))
      return Promise.reject(new Error('a manual turn names the act of staff, and no other does'));
    return this.commits.submit(fan, commands);
  }

  /** The instant before which every entry of this process was acknowledged and heard, in ms. */
  get clearTo(): number {
    return this.commits.clearTo;
  }

  /** Resolves when nothing is queued or in flight. */
  idle(): Promise<void> {
    return this.commits.idle();
  }

  private async flush(submissions: Submission[], now: Date): Promise<void> {
    try {
      await this.parts.hooks.ready(now.getTime());
      const snapshot = await this.read(submissions, now);
      await this.write(planFlush(submissions, snapshot), snapshot);
    } catch (error) {
      this.parts.heads.forget(submissions.map(({ fan }) => fan));
      throw error;
    }
  }

  /** Reads all that a flush decides by, and recognises what an earlier one wrote unanswered. */
  private async read(submissions: Submission[], now: Date): Promise<Snapshot> {
    // Asked while heads and turns are read, and for all commands at once: one round trip less.
    const standing = standsOf(submissions);
    standing.catch(() => undefined);
    const { heads, remembered, fresh } = await this.readHeads(submissions);
    const turns = await this.readTurns(submissions, heads, fresh);
    for (const submission of submissions) this.writer.recognise(submission, turns);
    const related = this.relatedDeeds(submissions, heads, turns);
    const stands = await standing;
    const doubtful = new Map<string, Head>();
    for (const submission of submissions) {
      const { fan } = submission;
      const head = heads.get(fan) as Head;
      const known = { turns, stands: stands.get(fan) ?? [] };
      if (needsNewerHead(submission, head, remembered.has(fan), known)) doubtful.set(fan, head);
    }
    for (const [fan, head] of await this.parts.heads.findNewer(doubtful)) {
      heads.set(fan, head);
      // Looked up for an entry behind the older head, and true of no other.
      related.delete(fan);
    }
    const [rules, seasons] = await Promise.all([
      this.parts.rules.read(newestRule(heads.values())),
      this.parts.seasons.read(),
    ]);
    return { now, zone: this.parts.timezone, heads, turns, rules, seasons, stands, related };
  }

  /** The heads of all fans: remembered ones, and fresh ones from the store for the rest. */
  private async readHeads(
    submissions: Submission[],
  ): Promise<Record<'heads' | 'remembered' | 'fresh', Map<string, Head>>> {
    const fans = submissions.map(({ fan }) => fan);
    const remembered = this.parts.heads.recall(fans);
    const fresh = await this.parts.heads.refresh(fans.filter((fan) => !remembered.has(fan)));
    return { heads: new Map([...remembered, ...fresh]), remembered, fresh };
  }

  private readTurns(
    submissions: Submission[],
    heads: ReadonlyMap<string, Head>,
    fresh: ReadonlyMap<string, Head>,
  ): Promise<DeedTurns> {
    const deeds = new Map<string, Set<string>>();
    for (const submission of submissions) {
      const { fan } = submission;
      // Whoever has no entry, as the store says just now and not as we remember, has done no deed:
      // there is no turn to read.
      if (fresh.get(fan)?.seq === 0) continue;
      const head = heads.get(fan) as Head;
      deeds.set(fan, deedsToRead(submission, head, this.related.recall(fan, head)));
    }
    return this.turns.find(deeds, TURN_FIELDS);
  }

  /**
   * By fan: the related deeds held at an entry right behind the head, where some are asked about.
   */
  private relatedDeeds(
    submissions: Submission[],
    heads: ReadonlyMap<string, Head>,
    turns: DeedTurns,
  ): Map<string, RelatedDeeds> {
    const related = new Map<string, RelatedDeeds>();
    for (const submission of submissions) {
      const { fan } = submission;
      const head = heads.get(fan) as Head;
      const held = relatedAt(submission, head, turns, this.related.recall(fan, head));
      if (held) related.set(fan, held);
    }
    return related;
  }

  /** Writes what was planned, and reconciles what the store answers with the commands. */
  private async write({ answers, singles, chains }: Plan, snapshot: Snapshot): Promise<void> {
    answer(answers);
    // All of them, also when one fails: what is still on its way must not meet the next flush.
    const results = await Promise.allSettled([
      this.writer.writeSingles(singles),
      ...chains.map((submission) => writeChain(planChain(submission, snapshot), this.writer)),
    ]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }
}

/** By fan, for each command: whether what a give rests on still stands. */
const standsOf = async (submissions: Submission[]): Promise<Map<string, boolean[]>> =>
  new Map(
    await Promise.all(
      submissions.map(
        async ({ fan, commands }) => [fan, await Promise.all(commands.map(stillStands))] as const,
      ),
    ),
  );
