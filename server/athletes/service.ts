import type { Connection, Model } from 'mongoose';
import type { Readable } from 'node:stream';
import { VillageError } from '../errors.js';
import { BatchLoader } from '../platform/batch-loader.js';
import type { Bus } from '../platform/bus.js';
import type { Changes } from '../platform/changes.js';
import { SwrCache } from '../platform/swr-cache.js';
import type { Leases } from '../platform/leases.js';
import { isDuplicate } from '../platform/mongo.js';
import type { Settings } from '../platform/settings.js';
import { athleteModel, type AthleteRecord } from './athlete.model.js';
import { wordsOf } from './fold.js';
import { importRows, writeBatch, type AthleteFacts, type ImportResult } from './import.js';
import type { Search } from './search.js';
import {
  documentOf,
  readCursor,
  SearchIndex,
  type SearchAnswer,
  type SearchQuery,
} from './search-index.js';

export type { AthleteFacts, ImportResult } from './import.js';
export type { AthleteRecord } from './athlete.model.js';
export interface ImportState {
  running: boolean;
  rows: number;
  total: number;
  at: string;
}

/** The count of changes of the directory: each record bears the number of its last one. */
const REVISION = 'athletes.revision';
const IMPORT_LEASE_MS = 60_000;
/** How many people the store is asked for while the index is being prepared. */
const PARTIAL = 400;
const COUNT_MS = 60_000;
/** How long people are kept while nothing is said to have changed. */
const KEPT_MS = 60_000;

/** The directory: who the athletes are, and how they are found. */
export class Athletes {
  private readonly records: Model<AthleteRecord>;
  private readonly bySlugs = new SwrCache<AthleteRecord | null>(KEPT_MS, 5000);
  private readonly people = new SwrCache<AthleteRecord | null>(KEPT_MS, 20_000);
  private readonly reader: BatchLoader<AthleteRecord>;
  private readonly counted = new SwrCache<number>(COUNT_MS);
  private readonly objected = new SwrCache<ReadonlySet<string>>(KEPT_MS);

  constructor(
    connection: Connection,
    private readonly settings: Settings,
    private readonly leases: Leases,
    private readonly bus: Bus,
    private readonly index: Search | null,
    private readonly changes: Changes,
  ) {
    this.records = athleteModel(connection);
    this.reader = new BatchLoader(
      async (ids) =>
        new Map(
          (await this.records.find({ _id: { $in: ids } }).lean<AthleteRecord[]>()).map((one) => [
            one._id,
            one,
          ]),
        ),
    );
    bus.on('athletes:changed', () => {
      this.forget();
      return this.index?.look().catch(() => undefined);
    });
    changes.on('athletes', () => {
      this.forget();
    });
  }

  private forget(): void {
    this.bySlugs.invalidate();
    this.people.invalidate();
    this.objected.invalidate();
  }

  /** People were changed, and that is stored. */
  private async changed(revision: number): Promise<void> {
    this.forget();
    await this.changes.mark('athletes');
    this.bus.tell('athletes:changed', { revision });
  }

  private next(): Promise<number> {
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
    try {
      let told = 0;
      const result = await importRows(
        this.records,
        source,
        () => this.next(),
        async (now) => {
          progress?.(now);
          if (now.rows - told < 5000) return;
          told = now.rows;
          await lease.renew();
          await this.settings.set('athletes.import', {
            running: true,
            rows: now.rows,
            total,
            at: new Date().toISOString(),
          } satisfies ImportState);
          await this.changed(0);
        },
      );
      await this.settings.set('athletes.import', {
        running: false,
        rows: result.rows,
        total: result.rows,
        at: new Date().toISOString(),
      } satisfies ImportState);
      await this.changed(0);
      return result;
    } finally {
      await lease.release();
    }
  }

  /** How far an import is, or null when none ever ran. */
  importState(): Promise<ImportState | null> {
    return this.settings.get<ImportState>('athletes.import');
  }

  /** Adds or updates people who did not come from a file. */
  async put(people: AthleteFacts[]): Promise<void> {
    const revision = await this.next();
    try {
      await writeBatch(this.records, people, revision);
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      await writeBatch(this.records, people, revision);
    }
    await this.changed(revision);
  }

  /** The athlete with this slug, current or old; hidden people are not found. */
  async bySlug(slug: string): Promise<AthleteRecord | null> {
    await this.changes.look();
    return this.bySlugs.get(slug, () =>
      this.records
        .findOne({ slugs: slug, hidden: { $ne: true } })
        .lean<AthleteRecord>()
        .exec(),
    );
  }

  /** As `bySlug`, or `athlete_not_found`. */
  async require(slug: string): Promise<AthleteRecord> {
    const found = await this.bySlug(slug);
    if (!found) throw new VillageError('athlete_not_found', { slug });
    return found;
  }

  /**
   * Several by id, in one read; as fresh as `Changes`. Whoever is hidden is not among them: no
   * page, door or packet shows them.
   */
  async byIds(ids: string[]): Promise<Map<string, AthleteRecord>> {
    await this.changes.look();
    const found = await Promise.all(
      [...new Set(ids)].map((id) => this.people.get(id, () => this.reader.load(id))),
    );
    return new Map(
      found
        .filter((one) => one !== null)
        .filter((one) => !one.hidden)
        .map((one) => [one._id, one]),
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
   * The ids of everybody who is hidden; as fresh as `Changes`. An id is made of a name: what names
   * one of these says nothing of who it is.
   */
  async hidden(): Promise<ReadonlySet<string>> {
    await this.changes.look();
    return this.objected.get(
      '',
      async () =>
        new Set(
          (await this.records.find({ hidden: true }, { _id: 1 }).lean()).map((one) => one._id),
        ),
    );
  }

  /** The registry says on which networks an athlete has verified accounts now. */
  async setNetworks(id: string, networks: string[]): Promise<void> {
    const revision = await this.next();
    await this.records.updateOne(
      { _id: id },
      { $set: { networks: [...networks].sort(), revision } },
    );
    await this.changed(revision);
  }

  /**
   * Takes somebody out of the directory at their wish, for ever (RULES R13), or shows them again.
   */
  async hide(slug: string, hidden: boolean): Promise<AthleteRecord> {
    const revision = await this.next();
    const athlete = await this.records
      .findOneAndUpdate(
        { slugs: slug },
        { $set: { hidden, revision } },
        { returnDocument: 'after' },
      )
      .lean<AthleteRecord>();
    if (!athlete) throw new VillageError('athlete_not_found', { slug });
    await this.changed(revision);
    return athlete;
  }

  /** About how many people there are, at most a minute old (some stores count slowly). */
  count(): Promise<number> {
    return this.counted.get('', () => this.records.estimatedDocumentCount().exec());
  }

  /**
   * Finds people by any words of their name, best first. `partial` says that the index is not up
   * (or has not heard of the store for long) and MongoDB answered, which knows exact words and
   * prefixes only. Throws `bad_cursor`.
   */
  async search(query: SearchQuery): Promise<SearchAnswer & { partial: boolean }> {
    if (query.cursor) {
      try {
        readCursor(query.cursor);
      } catch {
        throw new VillageError('bad_cursor');
      }
    }
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

  private async searchIndex(
    query: SearchQuery,
  ): Promise<(SearchAnswer & { partial: boolean }) | null> {
    const answer = (await this.index?.search(query).catch(() => null)) ?? null;
    return answer && { ...(await this.shown(answer)), partial: false };
  }

  /**
   * The index hears of people a little later than the store: whoever was hidden meanwhile is left
   * out. While the store is away it answers as it is.
   */
  private async shown(answer: SearchAnswer): Promise<SearchAnswer> {
    const hidden = await this.hidden().catch(() => new Set<string>());
    const items = answer.items.filter((one) => !hidden.has(one.id));
    return { ...answer, items, total: answer.total - (answer.items.length - items.length) };
  }

  /**
   * Exact words and prefixes by the index on `words`; without any word, whoever has verified
   * accounts. A range, not a regular expression: every store answers it from the index. What is
   * found is ordered as the index would.
   */
  private async searchStore(query: SearchQuery): Promise<SearchAnswer> {
    const terms = wordsOf(query.q)
      .slice(0, 8)
      .sort((a, b) => b.length - a.length);
    const filter = terms[0]
      ? { words: { $gte: terms[0], $lt: `${terms[0]}\uffff` } }
      : { networks: { $in: ['x', 'facebook'] } };
    const found = await this.records.find(filter).limit(PARTIAL).lean<AthleteRecord[]>();
    const small = new SearchIndex();
    small.put(found.map(documentOf));
    return small.search(query);
  }
}
