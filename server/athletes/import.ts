import type { AnyBulkWriteOperation, Model } from 'mongoose';
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { isDuplicate } from '../platform/mongo.js';
import type { AthleteRecord, AthleteStatus } from './athlete.model.js';
import { disciplineOf } from './disciplines.js';
import { slugBase, wordsOf } from './fold.js';
import { readRows } from './rows.js';

/** The first year whose Games make somebody active. */
const ACTIVE_SINCE = 2024;
const BATCH = 1000;

const count = z
  .string()
  .regex(/^\d{1,4}$/, 'no_count')
  .transform(Number);
/** A row of the import format, `scripts/data/README.md`. */
const Row = z.object({
  source: z.string().trim().min(1).max(60),
  source_id: z.string().trim().min(1).max(60),
  name: z.string().trim().min(1).max(200),
  sex: z.enum(['F', 'M', 'X', '']),
  noc: z.string().regex(/^([A-Z]{3})?$/, 'no_noc'),
  country: z.string().trim().max(100),
  sports: z
    .string()
    .min(1)
    .transform((text, context) =>
      text.split(';').map((name) => {
        const slug = disciplineOf(name);
        if (!slug) context.addIssue({ code: 'custom', message: `unknown_discipline ${name}` });
        return slug ?? '';
      }),
    ),
  games: z.string().transform((text, context) =>
    text
      .split(';')
      .filter(Boolean)
      .map((name) => {
        const match = /^(\d{4}) (Summer|Winter)$/.exec(name.trim());
        if (!match) context.addIssue({ code: 'custom', message: `no_games ${name}` });
        return `${match?.[1] ?? ''}-${(match?.[2] ?? '').toLowerCase()}`;
      }),
  ),
  gold: count,
  silver: count,
  bronze: count,
  last_year: z
    .string()
    .regex(/^\d{4}$/, 'no_year')
    .transform(Number),
});
type RowFacts = z.output<typeof Row>;

/** What a person of the directory is made of, however they came in. */
export interface AthleteFacts {
  source: string;
  sourceId: string;
  name: string;
  sex: string;
  noc: string;
  country: string;
  disciplines: string[];
  games: string[];
  medals: { gold: number; silver: number; bronze: number };
  lastYear: number;
  status?: AthleteStatus;
  demo?: boolean;
  /** Only for people whose slug is given (the demo's). */
  slug?: string;
}

/** A row that was left out: the line of the file that it begins on, and why. */
export interface BadRow {
  line: number;
  reason: string;
}
export interface ImportResult {
  rows: number;
  added: number;
  changed: number;
  same: number;
  bad: BadRow[];
  badCount: number;
}

const toFacts = (row: RowFacts): AthleteFacts => ({
  source: row.source,
  sourceId: row.source_id,
  name: row.name,
  sex: row.sex,
  noc: row.noc,
  country: row.country,
  disciplines: [...new Set(row.sports)],
  games: row.games,
  medals: { gold: row.gold, silver: row.silver, bronze: row.bronze },
  lastYear: row.last_year,
});

const digestOf = (facts: AthleteFacts): string =>
  createHash('sha1').update(JSON.stringify(facts)).digest('base64url');

function fields(
  facts: AthleteFacts,
): Pick<
  AthleteRecord,
  | 'source'
  | 'sourceId'
  | 'name'
  | 'words'
  | 'sex'
  | 'noc'
  | 'country'
  | 'disciplines'
  | 'games'
  | 'medals'
  | 'lastYear'
  | 'status'
  | 'demo'
  | 'digest'
> {
  return {
    source: facts.source,
    sourceId: facts.sourceId,
    name: facts.name,
    words: [...new Set(wordsOf(facts.name))],
    sex: facts.sex,
    noc: facts.noc,
    country: facts.country,
    disciplines: facts.disciplines,
    games: facts.games,
    medals: facts.medals,
    lastYear: facts.lastYear,
    status: facts.status ?? (facts.lastYear >= ACTIVE_SINCE ? 'active' : 'former'),
    demo: facts.demo ?? false,
    digest: digestOf(facts),
  };
}

/** The next free slugs of these bases: `name`, `name-2`, `name-3` … */
async function slugAllocator(
  records: Model<AthleteRecord>,
  bases: string[],
): Promise<(base: string) => string> {
  const taken = new Set<string>();
  for await (const one of records
    .find({ bases: { $in: bases } }, { slugs: 1 })
    .lean()
    .cursor())
    for (const slug of one.slugs) taken.add(slug);
  return (base) => {
    let slug = base;
    for (let n = 2; taken.has(slug); n += 1) slug = `${base}-${n}`;
    taken.add(slug);
    return slug;
  };
}

/**
 * Writes a batch: new people in one insert, changed ones in one bulk write, the same ones not at
 * all.
 */
export async function writeBatch(
  records: Model<AthleteRecord>,
  batch: AthleteFacts[],
  revision: number,
): Promise<{ added: number; changed: number; same: number }> {
  const before = new Map<
    string,
    Pick<AthleteRecord, '_id' | 'slugs' | 'bases' | 'digest' | 'name'>
  >();
  for (const source of new Set(batch.map((facts) => facts.source))) {
    const ids = batch.filter((facts) => facts.source === source).map((facts) => facts.sourceId);
    const found = await records
      .find(
        { source, sourceId: { $in: ids } },
        { sourceId: 1, slugs: 1, bases: 1, digest: 1, name: 1 },
      )
      .lean();
    for (const one of found) before.set(`${source}\0${one.sourceId}`, one);
  }
  const seen = new Set<string>();
  const fresh: AthleteFacts[] = [];
  const changed: {
    old: Pick<AthleteRecord, '_id' | 'slugs' | 'bases' | 'digest' | 'name'>;
    facts: AthleteFacts;
  }[] = [];
  let same = 0;
  for (const facts of batch) {
    const key = `${facts.source}\0${facts.sourceId}`;
    const old = before.get(key);
    if (seen.has(key) || old?.digest === digestOf(facts)) same += 1;
    else if (old) changed.push({ old, facts });
    else fresh.push(facts);
    seen.add(key);
  }
  const renamed = changed.filter(
    ({ old, facts }) => slugBase(old.name) !== slugBase(facts.name) && !facts.slug,
  );
  const allocate = await slugAllocator(
    records,
    [...fresh, ...renamed.map(({ facts }) => facts)].map(
      (facts) => facts.slug ?? slugBase(facts.name),
    ),
  );
  if (fresh.length > 0) {
    await records.collection.insertMany(
      fresh.map((facts) => {
        const base = facts.slug ?? slugBase(facts.name);
        const slug = allocate(base);
        return {
          _id: slug,
          slugs: [slug],
          bases: [base],
          ...fields(facts),
          networks: [],
          hidden: false,
          revision,
        };
      }) as never[],
      { ordered: false },
    );
  }
  if (changed.length > 0) {
    await records.bulkWrite(
      changed.map(({ old, facts }): AnyBulkWriteOperation<AthleteRecord> => {
        const base = slugBase(facts.name);
        const rename = renamed.some((one) => one.old._id === old._id);
        const slugs = rename
          ? { slugs: [allocate(base), ...old.slugs], bases: [...new Set([base, ...old.bases])] }
          : {};
        return {
          updateOne: {
            filter: { _id: old._id },
            update: { $set: { ...fields(facts), ...slugs, revision } },
          },
        };
      }),
    );
  }
  return { added: fresh.length, changed: changed.length, same };
}

/**
 * Imports a whole file, streaming, a batch at a time. Idempotent: a second run of the same file
 * changes nothing. `next` gives the revision of each batch; `progress` hears after each.
 */
export async function importRows(
  records: Model<AthleteRecord>,
  source: Readable,
  next: () => Promise<number>,
  progress: (result: ImportResult) => Promise<void> | void,
): Promise<ImportResult> {
  const result: ImportResult = { rows: 0, added: 0, changed: 0, same: 0, bad: [], badCount: 0 };
  const bad = (row: BadRow): void => {
    result.badCount += 1;
    result.rows += 1;
    if (result.bad.length < 1000) result.bad.push(row);
  };
  let batch: AthleteFacts[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    const revision = await next();
    // Somebody added a person by hand between reading the slugs and writing: read them again.
    const wrote = await writeBatch(records, batch, revision).catch((error: unknown) => {
      if (isDuplicate(error)) return writeBatch(records, batch, revision);
      throw error;
    });
    result.rows += batch.length;
    result.added += wrote.added;
    result.changed += wrote.changed;
    result.same += wrote.same;
    batch = [];
    await progress(result);
  };
  const judge = (record: Record<string, string>): { row: AthleteFacts } | { reason: string } => {
    const parsed = Row.safeParse(record);
    return parsed.success
      ? { row: toFacts(parsed.data) }
      : {
          reason: parsed.error.issues
            .map((issue) => `${issue.path.join('.')}: ${issue.message}`)
            .join('; '),
        };
  };
  for await (const facts of readRows(source, judge, bad)) {
    batch.push(facts);
    if (batch.length >= BATCH) await flush();
  }
  await flush();
  return result;
}
