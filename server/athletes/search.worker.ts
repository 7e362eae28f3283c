/**
 * The thread that holds the search index: built from MongoDB, kept in a file by revision, fed by
 * news and by a slow look of its own.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { Connection, Model } from 'mongoose';
import { connectMongo } from '../platform/mongo.js';
import { inPieces } from '../platform/pieces.js';
import { athleteModel, type AthleteRecord } from './athlete.model.js';
import { documentOf, type SearchDocument } from './search-document.js';
import { loadIndex, saveIndex } from './search-file.js';
import type { SearchNews, SearchSetup, SearchReply, SearchRequest } from './search-messages.js';

const { uri, name, folder } = workerData as SearchSetup;
/** How long after a look at the store the next one comes by itself. */
const LOOK_MS = 5000;
/** How soon a look that failed is repeated; doubled each time, up to `LOOK_MS`. */
const RETRY_MS = 250;
/**
 * A batch written under an older revision may become visible after a newer one: so many revisions
 * are read again each time.
 */
const OVERLAP = 5;
/** After so many looks without a change nothing can become visible late any more. */
const STILL_LOOKS = 6;
/** How many people must have changed since the last file for a new one. */
const SAVE_AFTER = 2000;
/** People that the store is asked for at once. */
const PIECE = 1000;

const kept = loadIndex(folder);
const { index } = kept;
/** The newest revision in the index. */
let { revision } = kept;
/** People who have changed since the last file. */
let unsaved = 0;
/** Looks in a row that found nothing new. */
let stillLooks = 0;
/** Revisions of the people put in from the window that is read again: none is put in twice. */
const applied = new Map<string, number>();

if (!parentPort) throw new Error('search.worker runs in a thread');
const port = parentPort;
const tell = (message: SearchNews | SearchReply): void => {
  port.postMessage(message);
};

interface Store {
  connection: Connection;
  records: Model<AthleteRecord>;
}
let opening: Promise<Store> | null = null;
/**
 * The store. Opened by the first look, not before: the file takes longer to read than a store may
 * take to answer, and an answer that nobody heard in time was once the end of all looking. After a
 * failure the next look opens it again.
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
 * Finds people of the window that is read again who were not put in as they are now. Only their
 * revisions are read, which are few bytes each.
 */
async function findLate({ records }: Store): Promise<string[]> {
  const late: string[] = [];
  const window = { $gt: Math.max(0, revision - OVERLAP), $lte: revision };
  for await (const athlete of records.collection.find<Pick<AthleteRecord, '_id' | 'revision'>>(
    { revision: window },
    { projection: { revision: 1 }, batchSize: 5000 },
  ))
    if (applied.get(athlete._id) !== athlete.revision) late.push(athlete._id);
  return late;
}

/** Reads who has changed since the index was last fed, and who became visible late. */
async function* readChanged(): AsyncGenerator<AthleteRecord> {
  const opened = await store();
  const late = stillLooks < STILL_LOOKS && revision > 0 ? await findLate(opened) : [];
  yield* opened.records
    .find({ revision: { $gt: revision } })
    .lean<AthleteRecord[]>()
    .cursor({ batchSize: 2000 });
  for (const ids of inPieces(late, PIECE))
    yield* await opened.records.find({ _id: { $in: ids } }).lean<AthleteRecord[]>();
}

async function catchUp(): Promise<void> {
  const changed: SearchDocument[] = [];
  const revisions = new Map<string, number>();
  for await (const athlete of readChanged()) {
    changed.push(documentOf(athlete));
    revisions.set(athlete._id, athlete.revision);
  }
  if (changed.length === 0) return;
  // Nothing counts as known before it is in the index: if the store went away meanwhile, the next
  // look begins where this one did.
  index.put(changed);
  let newest = revision;
  for (const [id, changedIn] of revisions) {
    applied.set(id, changedIn);
    if (changedIn > revision) unsaved += 1;
    newest = Math.max(newest, changedIn);
  }
  revision = newest;
  for (const [id, changedIn] of applied) if (changedIn <= revision - OVERLAP) applied.delete(id);
}

let looking: Promise<void> | null = null;
let askedAgain = false;
/** Reads what has changed. Asked for during a look, it begins another one after it. */
async function look(): Promise<void> {
  askedAgain = true;
  looking ??= (async () => {
    while (askedAgain) {
      askedAgain = false;
      const begun = performance.now();
      await catchUp();
      tell({ kind: 'looked', tookMs: performance.now() - begun, revision, size: index.size });
    }
  })().finally(() => {
    looking = null;
  });
  await looking;
}

function close(): void {
  void (opening ?? Promise.resolve(null))
    .then((opened) => opened?.connection.close())
    .catch(() => undefined)
    .finally(() => {
      process.exit(0);
    });
}

port.on('message', (request: SearchRequest) => {
  const { id } = request;
  if (request.kind === 'close') {
    close();
    return;
  }
  if (request.kind === 'look') {
    void look().then(
      () => {
        tell({ kind: 'reply', id, answer: null });
      },
      () => {
        tell({ kind: 'reply', id, error: 'away' });
      },
    );
    return;
  }
  try {
    tell({ kind: 'reply', id, answer: index.search(request.query) });
  } catch (error) {
    tell({ kind: 'reply', id, error: String(error) });
  }
});

/** How long until the next look, spread by chance after failures. */
const waitAfter = (failures: number): number =>
  failures === 0
    ? LOOK_MS
    : Math.min(LOOK_MS, RETRY_MS * 2 ** Math.min(failures - 1, 10)) * (0.5 + Math.random() / 2);

async function lookForever(): Promise<void> {
  for (let failures = 0; ;) {
    const before = revision;
    try {
      await look();
      failures = 0;
      stillLooks = revision === before ? stillLooks + 1 : 0;
      // Only once the directory has been still for a look, so that an import under way is not
      // written out again and again.
      if (unsaved >= SAVE_AFTER && stillLooks >= 1) {
        saveIndex(folder, index, revision);
        unsaved = 0;
      }
    } catch {
      // The store is away, and may come back at any time.
      failures += 1;
      tell({ kind: 'failed', failures });
    }
    await new Promise((resolve) => setTimeout(resolve, waitAfter(failures)));
  }
}

// An index from its file answers at once; what has changed since is read right after.
if (index.size > 0) tell({ kind: 'loaded', revision, size: index.size });
void lookForever();
