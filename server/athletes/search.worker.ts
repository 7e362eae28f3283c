/**
 * The thread that holds the search index: built from MongoDB, kept in a file by revision, fed by
 * news and by a slow look of its own.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { Connection, Model } from 'mongoose';
import { connectMongo } from '../platform/mongo.js';
import { athleteModel, type AthleteRecord } from './athlete.model.js';
import { documentOf, SearchIndex, type SearchDocument, type SearchQuery } from './search-index.js';

const { uri, name, folder } = workerData as { uri: string; name: string; folder: string };
const LOOK_MS = 5000;
/**
 * How soon a look that failed is tried again; doubled each time, up to the wait between two looks.
 */
const SOON_MS = 250;
/**
 * A batch written under an older number may become visible after a newer one: look back a little
 * each time.
 */
const OVERLAP = 5;
const STILL = 6;
/** Keep a new file when this many people have changed since the last. */
const KEEP_AFTER = 2000;

let index = new SearchIndex();
let revision = 0;
let unsaved = 0;
let busy: Promise<void> | null = null;
let again = false;
let quiet = 0;
/** What was read in the window that is read again: the same people are not put in twice. */
const applied = new Map<string, number>();
const port = parentPort;
if (!port) throw new Error('search.worker runs in a thread');

function load(): void {
  try {
    for (const file of readdirSync(folder)
      .filter((entry) => /^search-\d+\.json$/.test(entry))
      .sort((a, b) => Number(b.slice(7, -5)) - Number(a.slice(7, -5)))) {
      ({ index, revision } = SearchIndex.load(readFileSync(join(folder, file), 'utf8')));
      return;
    }
  } catch {
    // A file of another version or half a file: the index is built from the store instead.
    index = new SearchIndex();
    revision = 0;
  }
}

function save(): void {
  mkdirSync(folder, { recursive: true });
  const file = `search-${revision}.json`;
  writeFileSync(join(folder, `${file}.new`), index.save(revision));
  renameSync(join(folder, `${file}.new`), join(folder, file));
  for (const old of readdirSync(folder))
    if (/^search-\d+\.json$/.test(old) && old !== file) rmSync(join(folder, old), { force: true });
  unsaved = 0;
}

interface Store {
  connection: Connection;
  records: Model<AthleteRecord>;
}
let opening: Promise<Store> | null = null;
/**
 * The store. Opened by the first look, not before: the file takes longer to read than a store may
 * take to answer, and an answer that nobody heard in time was once the end of all looking. One that
 * could not be opened is opened anew by the next look.
 */
function store(): Promise<Store> {
  opening ??= connectMongo(uri, name).then(
    (connection) => ({ connection, records: athleteModel(connection) }),
    (error: unknown) => {
      opening = null;
      throw error;
    },
  );
  return opening;
}

/**
 * People of the window that is read again who were not put in as they are now: looked for by their
 * numbers, which are few bytes each.
 */
async function late(from: number): Promise<string[]> {
  const found: string[] = [];
  for await (const { _id, revision: at } of (await store()).records.collection.find<
    Pick<AthleteRecord, '_id' | 'revision'>
  >({ revision: { $gt: from, $lte: revision } }, { projection: { revision: 1 }, batchSize: 5000 }))
    if (applied.get(_id) !== at) found.push(_id);
  return found;
}

async function catchUp(): Promise<void> {
  // Once all has been still for a while nothing can be late any more.
  const missed = quiet < STILL && revision > 0 ? await late(Math.max(0, revision - OVERLAP)) : [];
  const changed: SearchDocument[] = [];
  const revisions = new Map<string, number>();
  const take = (one: AthleteRecord): void => {
    changed.push(documentOf(one));
    revisions.set(one._id, one.revision);
  };
  for await (const one of (await store()).records
    .find({ revision: { $gt: revision } })
    .lean<AthleteRecord[]>()
    .cursor({ batchSize: 2000 }))
    take(one);
  for (let from = 0; from < missed.length; from += 1000)
    for (const one of await (
      await store()
    ).records
      .find({ _id: { $in: missed.slice(from, from + 1000) } })
      .lean<AthleteRecord[]>())
      take(one);
  if (changed.length === 0) return;
  // Nothing counts as known before it is in the index: a store that went away meanwhile is asked
  // again from where we were.
  index.put(changed);
  let top = revision;
  for (const [id, at] of revisions) {
    applied.set(id, at);
    if (at > revision) unsaved += 1;
    top = Math.max(top, at);
  }
  revision = top;
  for (const [id, at] of applied) if (at <= revision - OVERLAP) applied.delete(id);
}

async function look(): Promise<void> {
  again = true;
  busy ??= (async () => {
    while (again) {
      again = false;
      const begun = performance.now();
      await catchUp();
      port?.postMessage({
        looked: true,
        took: performance.now() - begun,
        revision,
        size: index.size,
      });
    }
  })().finally(() => {
    busy = null;
  });
  await busy;
}

port.on(
  'message',
  (message: { id: number; kind: 'search' | 'look' | 'close'; query?: SearchQuery }) => {
    if (message.kind === 'close') {
      void (opening ?? Promise.resolve(null))
        .then((open) => open?.connection.close())
        .catch(() => undefined)
        .finally(() => {
          process.exit(0);
        });
      return;
    }
    if (message.kind === 'look') {
      void look().then(
        () => {
          port.postMessage({ id: message.id, done: true, revision });
        },
        () => {
          port.postMessage({ id: message.id, error: 'away' });
        },
      );
      return;
    }
    try {
      port.postMessage({ id: message.id, answer: index.search(message.query as SearchQuery) });
    } catch (error) {
      port.postMessage({ id: message.id, error: String(error) });
    }
  },
);

load();
// An index from its file answers at once; what has changed since is read right after.
if (index.size > 0) port.postMessage({ loaded: true, revision, size: index.size });
async function forever(): Promise<void> {
  for (let failures = 0; ;) {
    const before = revision;
    try {
      await look();
      failures = 0;
      quiet = revision === before ? quiet + 1 : 0;
      // Once the directory has been still for a look, so that an import under way is not written
      // out again and again.
      if (unsaved >= KEEP_AFTER && quiet >= 1) save();
    } catch {
      // The store is away: looked at again soon, and for ever.
      failures += 1;
      port?.postMessage({ failed: failures });
    }
    const wait =
      failures === 0
        ? LOOK_MS
        : Math.min(LOOK_MS, SOON_MS * 2 ** Math.min(failures - 1, 10)) * (0.5 + Math.random() / 2);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
void forever();
