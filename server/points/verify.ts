import canonicalize from 'canonicalize';
import type { Connection } from 'mongoose';
import { NO_HEAD, headOf, hashOf, standingAfter, type Entry, type Head } from './entry.js';
import { entryModel } from './entry.model.js';
import type { RuleSet } from './rules.js';
import type { Scores } from './scores.js';

export interface VerifyResult {
  entries: number;
  fans: number;
  points: number;
  bad: { fan: string; seq: number; reason: string } | null;
}

/** How many fans' scores are read together. */
const TOGETHER = 500;

/**
 * Walks the whole ledger in order and checks every line: sequence without holes, turns without
 * gaps, deltas, hashes and their chain, and the standing recomputed from nothing; then every score
 * against its fan's last line. Stops at the first bad one and names it.
 */
export async function verifyLedger(
  connection: Connection,
  scores: Scores,
  rules: RuleSet,
  zone: string,
): Promise<VerifyResult> {
  const records = entryModel(connection);
  const result: VerifyResult = { entries: 0, fans: 0, points: 0, bad: null };
  let fan = '';
  let head: Head = NO_HEAD;
  let sum = 0;
  let turns = new Map<string, Entry>();
  const fail = (entry: { fan: string; seq: number }, reason: string): VerifyResult => ({
    ...result,
    bad: { fan: entry.fan, seq: entry.seq, reason },
  });
  /** Fans whose entries are read, still to be compared with their scores: many in one read. */
  let closed = new Map<string, { seq: number; sum: number }>();
  const compare = async (): Promise<VerifyResult | null> => {
    const found = await scores.byFans([...closed.keys()]);
    for (const [one, { seq, sum: points }] of closed) {
      const score = found.get(one);
      if (score && score.seq === seq && score.after.points !== points)
        return fail(
          { fan: one, seq },
          `the score says ${score.after.points} points, the entries sum to ${points}`,
        );
      if (score && score.seq > seq)
        return fail({ fan: one, seq: score.seq }, 'the score knows an entry that is not there');
    }
    closed = new Map();
    return null;
  };
  const closeFan = async (): Promise<VerifyResult | null> => {
    if (fan === '') return null;
    result.fans += 1;
    result.points += sum;
    closed.set(fan, { seq: head.seq, sum });
    return closed.size >= TOGETHER ? compare() : null;
  };
  /** What was read before a bad entry may be bad as well, and is named first. */
  const bad = async (entry: { fan: string; seq: number }, reason: string): Promise<VerifyResult> =>
    (await compare()) ?? fail(entry, reason);
  for await (const raw of records.collection
    .find<Entry & { _id?: unknown }>({}, { batchSize: 1000, readConcern: { level: 'majority' } })
    .sort({ fan: 1, seq: 1 })) {
    const { _id, ...entry } = raw;
    if (entry.fan !== fan) {
      const wrong = await closeFan();
      if (wrong) return wrong;
      fan = entry.fan;
      head = NO_HEAD;
      sum = 0;
      turns = new Map();
    }
    result.entries += 1;
    const before = turns.get(entry.deed);
    const rule = rules.all.get(entry.rule);
    if (entry.seq !== head.seq + 1) return bad(entry, `sequence ${entry.seq} after ${head.seq}`);
    if (entry.turn !== (before?.turn ?? 0) + 1)
      return bad(entry, `turn ${entry.turn} of ${entry.deed} after ${before?.turn ?? 0}`);
    if (entry.delta !== (entry.turn % 2 === 1 ? 1 : -1))
      return bad(entry, `delta ${entry.delta} at turn ${entry.turn}`);
    if (entry.prev !== head.hash) return bad(entry, 'prev is not the hash of the entry before');
    const { hash, ...body } = entry;
    if (hashOf(canonicalize(body) ?? '') !== hash) return bad(entry, 'the hash does not fit');
    if (!rule) return bad(entry, `rule ${entry.rule} is unknown`);
    if (
      before &&
      (before.account !== entry.account ||
        before.athlete !== entry.athlete ||
        before.season !== entry.season ||
        before.earnedAt.getTime() !== entry.earnedAt.getTime() ||
        before.disciplines.join() !== entry.disciplines.join())
    )
      return bad(entry, 'a later turn changed what turn 1 had fixed');
    const after = standingAfter(head.after, {
      delta: entry.delta,
      at: entry.at,
      facts: entry,
      zone,
      rule,
      rules: rules.all,
    });
    sum += entry.delta;
    if (canonicalize(after) !== canonicalize(entry.after) || after.points !== sum)
      return bad(entry, 'the standing after it is not what the entries give');
    turns.set(entry.deed, entry);
    head = headOf(entry);
  }
  return (await closeFan()) ?? (await compare()) ?? result;
}
