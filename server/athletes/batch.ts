import type { AnyBulkWriteOperation, Model } from 'mongoose';
import type { AthleteRecord } from './athlete.model.js';
import { digestOf, fieldsOf, type AthleteFacts } from './facts.js';
import { slugBase } from './fold.js';

/** What became of a batch, in people. */
export interface BatchResult {
  added: number;
  changed: number;
  same: number;
}

/** What must be known of a person who is in the directory already. */
type Known = Pick<AthleteRecord, '_id' | 'slugs' | 'bases' | 'digest' | 'name'>;
interface Change {
  known: Known;
  facts: AthleteFacts;
}

const keyOf = ({ source, sourceId }: Pick<AthleteFacts, 'source' | 'sourceId'>): string =>
  `${source}\0${sourceId}`;
const baseOf = (facts: AthleteFacts): string => facts.slug ?? slugBase(facts.name);
/** Whether the person needs a new slug; one that was given stays. */
const isRenamed = ({ known, facts }: Change): boolean =>
  slugBase(known.name) !== slugBase(facts.name) && !facts.slug;

/** Reads who of a batch is in the directory already, by source and id there. */
async function readKnown(
  records: Model<AthleteRecord>,
  batch: AthleteFacts[],
): Promise<Map<string, Known>> {
  const known = new Map<string, Known>();
  for (const source of new Set(batch.map((facts) => facts.source))) {
    const ids = batch.filter((facts) => facts.source === source).map((facts) => facts.sourceId);
    const found = await records
      .find(
        { source, sourceId: { $in: ids } },
        { sourceId: 1, slugs: 1, bases: 1, digest: 1, name: 1 },
      )
      .lean();
    for (const athlete of found) known.set(keyOf({ source, sourceId: athlete.sourceId }), athlete);
  }
  return known;
}

/** Sorts a batch into newcomers, changed people, and those who are the same (or come twice). */
function sortBatch(
  batch: AthleteFacts[],
  known: Map<string, Known>,
): { newcomers: AthleteFacts[]; changes: Change[]; same: number } {
  const seen = new Set<string>();
  const newcomers: AthleteFacts[] = [];
  const changes: Change[] = [];
  let same = 0;
  for (const facts of batch) {
    const key = keyOf(facts);
    const before = known.get(key);
    if (seen.has(key) || before?.digest === digestOf(facts)) same += 1;
    else if (before) changes.push({ known: before, facts });
    else newcomers.push(facts);
    seen.add(key);
  }
  return { newcomers, changes, same };
}

/** Gives the next free slugs of these bases: `name`, `name-2`, `name-3` … */
async function slugAllocator(
  records: Model<AthleteRecord>,
  bases: string[],
): Promise<(base: string) => string> {
  const taken = new Set<string>();
  for await (const { slugs } of records
    .find({ bases: { $in: bases } }, { slugs: 1 })
    .lean()
    .cursor())
    for (const slug of slugs) taken.add(slug);
  return (base) => {
    let slug = base;
    for (let n = 2; taken.has(slug); n += 1) slug = `${base}-${n}`;
    taken.add(slug);
    return slug;
  };
}

/**
 * Writes a batch of people: newcomers in one insert, changed ones in one bulk write, the same ones
 * not at all. Throws a duplicate-key error when somebody else took a slug meanwhile; the batch may
 * then be written again.
 */
export async function writeBatch(
  records: Model<AthleteRecord>,
  batch: AthleteFacts[],
  revision: number,
): Promise<BatchResult> {
  const { newcomers, changes, same } = sortBatch(batch, await readKnown(records, batch));
  const named = [...newcomers, ...changes.filter(isRenamed).map(({ facts }) => facts)];
  const allocate = await slugAllocator(records, named.map(baseOf));
  const record = (facts: AthleteFacts): AthleteRecord => {
    const base = baseOf(facts);
    const slug = allocate(base);
    return {
      _id: slug,
      slugs: [slug],
      bases: [base],
      ...fieldsOf(facts),
      networks: [],
      hidden: false,
      revision,
    };
  };
  const update = (change: Change): AnyBulkWriteOperation<AthleteRecord> => {
    const { known, facts } = change;
    const base = slugBase(facts.name);
    const names = isRenamed(change)
      ? { slugs: [allocate(base), ...known.slugs], bases: [...new Set([base, ...known.bases])] }
      : {};
    const $set = { ...fieldsOf(facts), ...names, revision };
    return { updateOne: { filter: { _id: known._id }, update: { $set } } };
  };
  if (newcomers.length > 0)
    await records.collection.insertMany(newcomers.map(record) as never[], { ordered: false });
  if (changes.length > 0) await records.bulkWrite(changes.map(update));
  return { added: newcomers.length, changed: changes.length, same };
}
