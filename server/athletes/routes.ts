import type { ApiDoors, PageDoors } from '../platform/doors.js';
import { parse } from '../platform/http.js';
import type { Words } from '../platform/i18n.js';
import type { Accounts } from './needs.js';
import { PAGE_SIZE, presentDirectory, presentFound } from './present.js';
import { ApiSearch, PageSearch, type Search } from './schema.js';
import type { SearchQuery } from './search-document.js';
import type { Athletes } from './service.js';

/** What search is asked: the values that are not empty. */
function queryOf(input: Search, limit: number): SearchQuery {
  const query: SearchQuery = { q: input.q ?? '', limit };
  for (const name of ['discipline', 'noc', 'games', 'status', 'network'] as const)
    if (input[name]) query[name] = input[name];
  if (input.verified) query.verified = true;
  return query;
}

/** `GET /api/v1/athletes`. */
export function athletesApi(
  router: ApiDoors,
  { athletes, registry }: { athletes: Athletes; registry: Accounts },
): void {
  router.get(
    '/athletes',
    { who: 'anyone', scope: 'none', limit: 'search', by: 'address' },
    async (req, res) => {
      const input = parse(ApiSearch, req.query);
      const query = queryOf(input, input.limit);
      if (input.cursor) query.cursor = input.cursor;
      const found = await athletes.search(query);
      const verified = found.items.filter(({ networks }) => networks.length > 0);
      res.json(presentFound(found, await registry.listed(verified.map(({ id }) => id))));
    },
  );
}

/** The directory's page: a form by GET, filters in the address, numbered pages. */
export function athletesPages(
  router: PageDoors,
  { athletes, words }: { athletes: Athletes; words: Words },
): void {
  router.get('/athletes', { who: 'anyone', limit: 'search', by: 'address' }, async (req, res) => {
    const input = parse(PageSearch, req.query);
    const query = { ...queryOf(input, PAGE_SIZE), offset: (input.page - 1) * PAGE_SIZE };
    const found = await athletes.search(query);
    const importing = await athletes.importUnderWay();
    res.status(200);
    await req.page(
      'athletes/index',
      { title: words.t(req.lang, 'athletes.title'), section: 'athletes' },
      presentDirectory(words, req.lang, { input, found, importing }),
    );
  });
}
