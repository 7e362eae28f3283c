/** The calendar spans of a moment: the local day, the ISO 8601 week and the month it lies in. */
export interface WindowKeys {
  /** `2026-11-21` */
  day: string;
  /** `2026-W47` */
  week: string;
  /** `2026-11` */
  month: string;
}

const QUARTER_MS = 900_000;
const DAY_MS = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();
let last: { zone: string; quarter: number; keys: WindowKeys } | null = null;

/** The calendar day of an instant, in the zone. */
function localDate(at: Date, zone: string): [year: number, month: number, day: number] {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-CA', {
      timeZone: zone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    });
    formats.set(zone, format);
  }
  const [year = 0, month = 0, day = 0] = format.format(at).split('-').map(Number);
  return [year, month, day];
}

const twoDigits = (n: number): string => String(n).padStart(2, '0');

/** ISO 8601 week of a calendar day: the week belongs to the year of its Thursday. */
function weekKey(year: number, month: number, day: number): string {
  const thursday = new Date(Date.UTC(year, month - 1, day));
  const weekday = thursday.getUTCDay() || 7;
  thursday.setUTCDate(thursday.getUTCDate() + 4 - weekday);
  const newYear = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const week = Math.ceil(((thursday.getTime() - newYear) / DAY_MS + 1) / 7);
  return `${thursday.getUTCFullYear()}-W${twoDigits(week)}`;
}

/** The keys of the calendar spans that an instant lies in, cut by the hub's zone (LEDGER 5). */
export function windowKeys(at: Date, zone: string): WindowKeys {
  // A quarter of an hour never spans midnight in any zone (all offsets are multiples of it), so its
  // keys serve again.
  const quarter = Math.floor(at.getTime() / QUARTER_MS);
  if (last?.zone === zone && last.quarter === quarter) return last.keys;
  const [year, month, day] = localDate(at, zone);
  const monthKey = `${year}-${twoDigits(month)}`;
  const keys = {
    day: `${monthKey}-${twoDigits(day)}`,
    week: weekKey(year, month, day),
    month: monthKey,
  };
  last = { zone, quarter, keys };
  return keys;
}

/** The first instant of the next day, in the zone. */
export function nextDay(at: Date, zone: string): Date {
  const today = windowKeys(at, zone).day;
  let low = at.getTime();
  let high = low + 26 * 3_600_000;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (windowKeys(new Date(middle), zone).day === today) low = middle;
    else high = middle;
  }
  return new Date(high);
}
