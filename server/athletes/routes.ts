import type { Words } from '../platform/i18n.js';
import type { ApiDoors, PageDoors } from '../platform/doors.js';
import { parse } from '../platform/http.js';
import { NOCS } from '../platform/countries.js';
import { DISCIPLINES } from './disciplines.js';
import type { Accounts } from './needs.js';
import { countryName, presentCard, presentItem } from './present.js';
import { ApiSearch, PageSearch } from './schema.js';
import type { Athletes } from './service.js';
import type { SearchQuery } from './search-index.js';

const PAGE = 20;
type Input = {
  q?: string | undefined;
  discipline?: string | undefined;
  noc?: string | undefined;
  games?: string | undefined;
  status?: string | undefined;
  network?: string | undefined;
  verified?: string | undefined;
};

function queryOf(input: Input, limit: number): SearchQuery {
  const query: SearchQuery = { q: input.q ?? '', limit };
  for (const name of ['discipline', 'noc', 'games', 'status', 'network'] as const)
    if (input[name]) query[name] = input[name];
  if (input.verified) query.verified = true;
  return query;
}

/** `GET /api/v1/athletes`. */
export function athletesApi(router: ApiDoors, athletes: Athletes, accounts: Accounts): void {
  router.get(
    '/athletes',
    { who: 'anyone', scope: 'none', limit: 'search', by: 'address' },
    async (req, res) => {
      const input = parse(ApiSearch, req.query);
      const query = queryOf(input, input.limit);
      if (input.cursor) query.cursor = input.cursor;
      const found = await athletes.search(query);
      const listed = await accounts.listed(
        found.items.filter((one) => one.networks.length > 0).map((one) => one.id),
      );
      res.json({
        items: found.items.map((one) => presentItem(one, listed.get(one.id) ?? [])),
        nextCursor: found.next,
        total: found.total,
        ...(found.partial ? { partial: true } : {}),
      });
    },
  );
}

/** The directory's page: a form by GET, filters in the address, numbered pages. */
export function athletesPages(router: PageDoors, athletes: Athletes, words: Words): void {
  const games = [
    ...Array.from({ length: 9 }, (_x, n) => `${2026 - n * 4}-winter`),
    ...Array.from({ length: 9 }, (_x, n) => `${2024 - n * 4}-summer`),
  ]
    .sort()
    .reverse();
  router.get('/athletes', { who: 'anyone', limit: 'search', by: 'address' }, async (req, res) => {
    const input = parse(PageSearch, req.query);
    const found = await athletes.search({
      ...queryOf(input, PAGE),
      offset: (input.page - 1) * PAGE,
    });
    const state = await athletes.importState();
    const importing =
      state?.running && Date.now() - new Date(state.at).getTime() < 60_000 ? state : null;
    const chosen = Object.entries(input).filter(
      ([name, value]) => name !== 'page' && value !== undefined && value !== '',
    ) as [string, string][];
    const link = (change: Record<string, string | number | null>): string => {
      const search = new URLSearchParams(Object.fromEntries(chosen));
      for (const [name, value] of Object.entries(change))
        if (value === null) search.delete(name);
        else search.set(name, String(value));
      const text = search.toString();
      return `/${req.lang}/athletes${text ? `?${text}` : ''}`;
    };
    const label = (name: string, value: string): string => {
      if (name === 'discipline') return words.t(req.lang, `disciplines.${value}`);
      if (name === 'noc') return countryName(words, req.lang, value, value);
      if (name === 'status') return words.t(req.lang, `athletes.status.${value}`);
      if (name === 'games')
        return words.t(req.lang, `athletes.edition.${value.slice(5)}`, { year: value.slice(0, 4) });
      if (name === 'verified') return words.t(req.lang, 'athletes.verifiedOnly');
      return value;
    };
    const pages = Math.max(1, Math.ceil(found.total / PAGE));
    const option = (name: string, value: string) => ({
      value,
      label: label(name, value),
      chosen: (input as Record<string, unknown>)[name] === value,
    });
    const byLabel = (a: { label: string }, b: { label: string }): number =>
      a.label.localeCompare(b.label, req.lang);
    res.status(200);
    await req.page(
      'athletes/index',
      { title: words.t(req.lang, 'athletes.title'), section: 'athletes' },
      {
        q: input.q ?? '',
        filtering: chosen.some(([name]) => name !== 'q'),
        total: found.total,
        partial: found.partial,
        importing,
        items: found.items.map((one) => presentCard(words, req.lang, one)),
        filters: chosen.map(([name, value]) => ({
          label: label(name, value),
          without: link({ [name]: null, page: null }),
        })),
        disciplines: DISCIPLINES.map((value) => option('discipline', value)).sort(byLabel),
        nocs: NOCS.map((value) => option('noc', value)).sort(byLabel),
        games: games.map((value) => option('games', value)),
        statuses: ['active', 'former', 'qualified'].map((value) => option('status', value)),
        verified: input.verified === '1',
        page: input.page,
        pages,
        before: input.page > 1 ? link({ page: input.page - 1 }) : null,
        after: input.page < pages ? link({ page: input.page + 1 }) : null,
        reset: `/${req.lang}/athletes`,
      },
    );
  });
}
