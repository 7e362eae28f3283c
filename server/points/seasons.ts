import { Schema, type Connection, type Model } from 'mongoose';
import { InputError, VillageError } from '../errors.js';
import type { Clock } from '../platform/clock.js';
import { parse } from '../platform/http.js';
import type { Leases } from '../platform/leases.js';
import { model } from '../platform/mongo.js';
import { SwrCache } from '../platform/swr-cache.js';
import { NewSeason } from './schema.js';
import { windowKeys } from './windows.js';

/** A season as organisers wrote it: a span of local days, the first and the last included. */
export interface Season {
  key: string;
  /** `2026-11-21`, as `to`. */
  from: string;
  to: string;
}
interface SeasonRecord {
  _id: string;
  from: string;
  to: string;
}
const schema = new Schema<SeasonRecord>({ _id: String, from: String, to: String });

/** As fresh as the rules. */
const FRESH_MS = 30_000;
/**
 * How long before it begins a season must be known. Every process reads the seasons anew within
 * half a minute, and the clocks of two may be two hours apart (RELIABILITY F16): none of them
 * counts a day of a season by what was before.
 */
const LEAD_MS = 3 * 3_600_000;
const LEASE_MS = 10_000;

/** The seasons as they were read: they name the season of any day. */
export class SeasonCalendar {
  private readonly seasons: readonly Season[];

  constructor(seasons: readonly Season[]) {
    this.seasons = [...seasons].sort((a, b) => (a.from < b.from ? -1 : 1));
  }

  /**
   * The key of the season that a local day lies in. Where organisers wrote none, it is the calendar
   * year (`2026`). What is left of a year after a season is a season of its own (`2026-2`): had it
   * the key of what came before, its window would begin at 0 again and taking back an earlier deed
   * would go below that. Seasons are only added ahead, so the key of a day that has come never
   * changes.
   */
  seasonAt(day: string): string {
    const season = this.seasons.find(({ from, to }) => from <= day && day <= to);
    if (season) return season.key;
    const year = day.slice(0, 4);
    // One that begins with the year leaves nothing before it.
    const ended = this.seasons.filter(
      ({ from, to }) => from.startsWith(year) && from > `${year}-01-01` && to < day,
    ).length;
    return ended === 0 ? year : `${year}-${ended + 1}`;
  }

  /** The first season that shares a day with this one, or null. */
  findOverlap({ from, to }: Season): Season | null {
    return this.seasons.find((season) => season.from <= to && from <= season.to) ?? null;
  }

  /** Whether a season bears this key. */
  has(key: string): boolean {
    return this.seasons.some((season) => season.key === key);
  }
}

/** The seasons that organisers wrote: added ahead, never changed, never removed. */
export class Seasons {
  private readonly records: Model<SeasonRecord>;
  private readonly known: SwrCache<SeasonCalendar>;

  constructor(
    connection: Connection,
    private readonly clock: Clock,
    private readonly leases: Leases,
    private readonly zone: string,
  ) {
    this.records = model(connection, 'Season', schema, 'seasons');
    this.known = new SwrCache(FRESH_MS, 1, () => clock.now().getTime());
  }

  /** The seasons, at most half a minute old. */
  read(): Promise<SeasonCalendar> {
    return this.known.get('all', () => this.load());
  }

  /**
   * Adds a season. Throws `bad_input` when its key is taken, malformed or like that of a year, when
   * its days are none, end before they begin or belong to another season in part, or when it begins
   * before every process can know of it; `busy` while another season is being added.
   */
  async add(season: Season): Promise<void> {
    const added = parse(NewSeason, season);
    const { key, from, to } = added;
    // Alone: two that are added at once must each see the other.
    const lease = await this.leases.take('points.seasons', LEASE_MS);
    if (!lease) throw new VillageError('busy', { seconds: 2 });
    try {
      this.check(added, await this.load());
      await this.records.create({ _id: key, from, to });
    } finally {
      await lease.release();
    }
    this.known.invalidate();
  }

  private check(season: Season, calendar: SeasonCalendar): void {
    const refuse = (path: keyof Season, issue: string): never => {
      throw new InputError([{ path, issue }]);
    };
    const soon = new Date(this.clock.now().getTime() + LEAD_MS);
    if (season.to < season.from) refuse('to', 'season_ends_before');
    if (season.from <= windowKeys(soon, this.zone).day) refuse('from', 'season_too_soon');
    if (calendar.has(season.key)) refuse('key', 'season_taken');
    if (calendar.findOverlap(season)) refuse('from', 'season_overlaps');
  }

  private async load(): Promise<SeasonCalendar> {
    const found = await this.records.find().lean();
    return new SeasonCalendar(found.map(({ _id, from, to }) => ({ key: _id, from, to })));
  }
}
