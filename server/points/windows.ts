/** The spans that boards count in, cut by the hub's time zone (LEDGER 5). */
export interface WindowKeys {
  day: string;
  week: string;
  month: string;
  season: string;
}

const formats = new Map<string, Intl.DateTimeFormat>();
let last: { zone: string; from: number; to: number; keys: WindowKeys } | null = null;

function local(at: Date, zone: string): [number, number, number] {
  let format = formats.get(zone);
  if (!format)
    formats.set(
      zone,
      (format = new Intl.DateTimeFormat('en-CA', {
        timeZone: zone,
        year: 'numeric',
        month: '2-digit',
        day: '2-digit',
      })),
    );
  const [year = 0, month = 0, day = 0] = format.format(at).split('-').map(Number);
  return [year, month, day];
}

/** ISO 8601 week of a calendar day, `2026-W47`. */
function week(year: number, month: number, day: number): string {
  const date = new Date(Date.UTC(year, month - 1, day));
  const weekday = date.getUTCDay() || 7;
  date.setUTCDate(date.getUTCDate() + 4 - weekday);
  const first = Date.UTC(date.getUTCFullYear(), 0, 1);
  return `${date.getUTCFullYear()}-W${String(Math.ceil(((date.getTime() - first) / 86_400_000 + 1) / 7)).padStart(2, '0')}`;
}

/** The keys of the spans an instant lies in. A season is a calendar year. */
export function windowKeys(at: Date, zone: string): WindowKeys {
  // A quarter of an hour never spans midnight in any zone (all offsets are multiples of it), so its
  // keys serve again.
  const quarter = Math.floor(at.getTime() / 900_000);
  if (last?.zone === zone && last.from === quarter) return last.keys;
  const [year, month, day] = local(at, zone);
  const keys = {
    day: `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`,
    week: week(year, month, day),
    month: `${year}-${String(month).padStart(2, '0')}`,
    season: String(year),
  };
  last = { zone, from: quarter, to: quarter, keys };
  return keys;
}

/** The first instant of the day after this one, in the zone. */
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
