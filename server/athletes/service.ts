import type { Connection, Model } from 'mongoose';
import { NETWORKS } from '../networks/network.js';
import type { Readable } from 'node:stream';
import { VillageError } from '../errors.js';
import { BatchLoader } from '../platform/batch-loader.js';
import type { Bus } from '../platform/bus.js';
import type { Changes } from '../platform/changes.js';
import type { Leases } from '../platform/leases.js';
import type { Settings } from '../platform/settings.js';
import { SwrCache } from '../platform/swr-cache.js';
import { athleteModel, type AthleteRecord } from './athlete.model.js';
import type { AthleteFacts } from './facts.js';
import { wordsOf } from './fold.js';
import { importRows, writeFacts, type ImportResult } from './import.js';
import type { Search } from './search.js';
import { documentOf, type SearchAnswer, type SearchQuery } from './search-document.js';
import { SearchIndex } from './search-index.js';
import { readCursor } from './search-place.js';

export type { AthleteRecord } from './athlete.model.js';
export type { AthleteFacts } from './facts.js';
export type { ImportResult } from './import.js';

/** How far an import is; `at` is when that was noted. */
export interface ImportState {
  running: boolean;
  rows: number;
  /** Rows expected, 0 when unknown. */
  total: number;
  at: string;
}

/** What was found; `partial` when only exact words and beginnings could be. */
export type Found = SearchAnswer & { partial: boolean };

/** The count of changes of the directory: each record bears the number of its last one. */
const REVISION = 'athletes.revision';
const IMPORT_LEASE_MS = 60_000;
/** The progress of an import is noted every so many rows. */
const NOTE_ROWS = 5000;
/** An import of which nothing was noted for so long is not shown as running. */
const IMPORT_SILENT_MS = 60_000;
/** People that the store is asked for while the index is being prepared. */
const MOST_PARTIAL = 400;
const MOST_TERMS = 8;
const COUNT_MS = 60_000;
/** How long people are kept while nothing is said to have changed. */
const KEPT_MS = 60_000;

/** The directory: who the athletes are, and how they are found. */
export class Athletes {
  private readonly records: Model<AthleteRecord>;
  private readonly settings: Settings;
  private readonly leases: Leases;
  private readonly bus: Bus;
  private readonly changes: Changes;
  private readonly index: Search | null;
  private readonly bySlugs = new SwrCache<AthleteRecord | null>(KEPT_MS, 5000);
  private readonly people = new SwrCache<AthleteRecord | null>(KEPT_MS, 20_000);
  private readonly loader: BatchLoader<AthleteRecord>;
  private readonly counted = new SwrCache<number>(COUNT_MS);
  private readonly hiddenIds = new SwrCache<ReadonlySet<string>>(KEPT_MS);

  constructor(parts: {
    connection: Connection;
    settings: Settings;
    leases: Leases;
    bus: Bus;
    changes: Changes;
    search: Search | null;
  }) {
    this.records = athleteModel(parts.connection);
    this.settings = parts.settings;
    this.leases = parts.leases;
    this.bus = parts.bus;
    this.changes = parts.changes;
    this.index = parts.search;
    this.loader = new BatchLoader(async (ids) => {
      const found = await this.records.find({ _id: { $in: ids } }).lean<AthleteRecord[]>();
      return new Map(found.map((athlete) => [athlete._id, athlete]));
    });
    this.bus.on('athletes:changed', () => {
      this.forget();
      return this.index?.look().catch(() => undefined);
    });
    this.changes.on('athletes', () => {
      this.forget();
    });
  }

  private forget(): void {
    this.bySlugs.invalidate();
    this.people.invalidate();
    this.hiddenIds.invalidate();
  }

  /** Spreads the news that people were changed, once that is stored. */
  private async announce(revision: number): Promise<void> {
    this.forget();
    await this.changes.mark('athletes');
    this.bus.tell('athletes:changed', { revision });
  }

  private nextRevision(): Promise<number> {
    return this.settings.next(REVISION);
  }

  /**
   * Imports a file of the documented format. One import at a time over all processes; answers null
   * when another runs.
   * @param total rows expected, for the progress that the directory page shows (0 when unknown)
   */
  async importFile(
    source: Readable,
    total: number,
    progress?: (result: ImportResult) => void,
  ): Promise<ImportResult | null> {
    const lease = await this.leases.take('athletes.import', IMPORT_LEASE_MS);
    if (!lease) return null;
    let noted = 0;
    const note = async (result: ImportResult): Promise<void> => {
      progress?.(result);
      if (result.rows - noted < NOTE_ROWS) return;
      noted = result.rows;
      await lease.renew();
      await this.noteImport({ running: true, rows: result.rows, total });
    };
    try {
      const result = await importRows(this.records, source, () => this.nextRevision(), note);
      await this.noteImport({ running: false, rows: result.rows, total: result.rows });
      return result;
    } finally {
      await lease.release();
    }
  }

  /** Notes how far an import is, and announces the people it has written. */
  private async noteImport(progress: Omit<ImportState, 'at'>): Promise<void> {
    const state: ImportState = { ...progress, at: new Date().toISOString() };
    await this.settings.set('athletes.import', state);
    await this.announce(0);
  }

  /** How far the last import is, or null when none ever ran. */
  importState(): Promise<ImportState | null> {
    return this.settings.get<ImportState>('athletes.import');
  }

  /** The import that is running, or null: one that was silent for a minute has died. */
  async importUnderWay(): Promise<ImportState | null> {
    const state = await this.importState();
    const isUnderWay =
      state?.running === true && Date.now() - new Date(state.at).getTime() < IMPORT_SILENT_MS;
    return isUnderWay ? state : null;
  }

  /** Adds or updates people who did not come from a file. */
  async put(people: AthleteFacts[]): Promise<void> {
    const revision = await this.nextRevision();
    await writeFacts(this.records, people, revision);
    await this.announce(revision);
  }

  /** The athlete with this slug, current or old, or null; hidden people are not found. */
  async bySlug(slug: string): Promise<AthleteRecord | null> {
    await this.changes.look();
    return this.bySlugs.get(slug, () =>
      this.records
        .findOne({ slugs: slug, hidden: { $ne: true } })
        .lean<AthleteRecord>()
        .exec(),
    );
  }

  /** The athlete with this slug, as `bySlug`. Throws `athlete_not_found`. */
  async require(slug: string): Promise<AthleteRecord> {
    const found = await this.bySlug(slug);
    if (!found) throw new VillageError('athlete_not_found', { slug });
    return found;
  }

  /**
   * Several athletes by id, in one read; as fresh as `Changes`. Whoever is hidden is not among
   * them: no page, door or packet shows them.
   */
  async byIds(ids: string[]): Promise<Map<string, AthleteRecord>> {
    await this.changes.look();
    const found = await Promise.all(
      [...new Set(ids)].map((id) => this.people.get(id, () => this.loader.load(id))),
    );
    return new Map(
      found
        .filter((athlete) => athlete !== null)
        .filter((athlete) => !athlete.hidden)
        .map((athlete) => [athlete._id, athlete]),
    );
  }

  /**
   * People who changed behind a number of the count of the directory's changes, hidden ones too, as
   * the store has them, and how far that count is. `athletes` is null when there are more than
   * `most`. A change is numbered first and written then: see `CountBefore`.
   */
  async changedSince(
    from: number,
    most: number,
  ): Promise<{ athletes: AthleteRecord[] | null; to: number }> {
    // The count first: what is numbered after it is found by the next look.
    const to = (await this.settings.get<number>(REVISION)) ?? 0;
    if (to <= from) return { athletes: [], to };
    const found = await this.records
      .find({ revision: { $gt: from } })
      .limit(most + 1)
      .lean<AthleteRecord[]>();
    return { athletes: found.length > most ? null : found, to };
  }

  /**
   * The ids of everybody who is hidden; as fresh as `Changes`. An id is made of a name, so whoever
   * shows something that names one of these must not say whom.
   */
  async hidden(): Promise<ReadonlySet<string>> {
    await this.changes.look();
    return this.hiddenIds.get('', async () => {
      const found = await this.records.find({ hidden: true }, { _id: 1 }).lean();
      return new Set(found.map(({ _id }) => _id));
    });
  }

  /** Notes on which networks an athlete has verified accounts now; the registry calls it. */
  async setNetworks(id: string, networks: string[]): Promise<void> {
    const revision = await this.nextRevision();
    await this.records.updateOne(
      { _id: id },
      { $set: { networks: [...networks].sort(), revision } },
    );
    await this.announce(revision);
  }

  /**
   * Takes somebody out of the directory at their wish, for ever (RULES R13), or shows them again.
   * Throws `athlete_not_found`.
   */
  async hide(slug: string, hidden: boolean): Promise<AthleteRecord> {
    const revision = await this.nextRevision();
    const athlete = await this.records
      .findOneAndUpdate(
        { slugs: slug },
        { $set: { hidden, revision } },
        { returnDocument: 'after' },
      )
      .lean<AthleteRecord>();
    if (!athlete) throw new VillageError('athlete_not_found', { slug });
    await this.announce(revision);
    return athlete;
  }

  /** About how many people there are, at most a minute old (some stores count slowly). */
  count(): Promise<number> {
    return this.counted.get('', () => this.records.estimatedDocumentCount().exec());
  }

  /**
   * Finds people by any words of their name, best first. `partial` says that the index is not up
   * (or has not heard of the store for long) and MongoDB answered, which knows exact words and
   * beginnings only. Throws `bad_cursor`.
   */
  async search(query: SearchQuery): Promise<Found> {
    requireCursor(query);
    const indexed = this.index?.fresh ? await this.searchIndex(query) : null;
    if (indexed) return indexed;
    try {
      return { ...(await this.searchStore(query)), partial: true };
    } catch (error) {
      // An old answer is better than none.
      const old = this.index?.ready ? await this.searchIndex(query) : null;
      if (old) return old;
      throw error;
    }
  }

  private async searchIndex(query: SearchQuery): Promise<Found | null> {
    const answer = (await this.index?.search(query).catch(() => null)) ?? null;
    return answer && { ...(await this.withoutHidden(answer)), partial: false };
  }

  /**
   * Leaves out whoever was hidden meanwhile: the index hears of people a little later than the
   * store. While the store is away the answer stays as it is.
   */
  private async withoutHidden(answer: SearchAnswer): Promise<SearchAnswer> {
    const hidden = await this.hidden().catch(() => new Set<string>());
    const items = answer.items.filter(({ id }) => !hidden.has(id));
    return { ...answer, items, total: answer.total - (answer.items.length - items.length) };
  }

  /**
   * Finds exact words and beginnings by the store's index on `words`; without any word, whoever has
   * verified accounts. A range, not a regular expression: every store answers it from the index.
   * What is found is ordered as the search index would.
   */
  private async searchStore(query: SearchQuery): Promise<SearchAnswer> {
    const [longest] = wordsOf(query.q)
      .slice(0, MOST_TERMS)
      .sort((a, b) => b.length - a.length);
    const filter = longest
      ? { words: { $gte: longest, $lt: `${longest}\uffff` } }
      : { networks: { $in: NETWORKS } };
    const found = await this.records.find(filter).limit(MOST_PARTIAL).lean<AthleteRecord[]>();
    const small = new SearchIndex();
    small.put(found.map(documentOf));
    return small.search(query);
  }
}

/** Throws `bad_cursor` for a cursor that is none of ours. */
function requireCursor({ cursor }: SearchQuery): void {
  if (!cursor) return;
  try {
    readCursor(cursor);
  } catch {
    throw new VillageError('bad_cursor');
  }
}
