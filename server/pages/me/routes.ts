import type { Athletes } from '../../athletes/service.js';
import type { Fans } from '../../fans/service.js';
import type { Follows } from '../../follows/service.js';
import type { ApiDoors, PageDoors } from '../../platform/doors.js';
import { parse, requireReader } from '../../platform/http.js';
import type { Words } from '../../platform/i18n.js';
import { StatementQuery } from '../../points/schema.js';
import type { Entry, Points } from '../../points/service.js';
import { NEWEST_LINES, presentLines, presentMe, presentMedals } from './present.js';

interface MeParts {
  fans: Fans;
  points: Points;
  athletes: Athletes;
  follows: Follows;
  words: Words;
}

/** Entries that the curve of points is drawn from. */
const CHARTED = 200;
/** Entries of a page of the statement. */
const PAGE = 40;

/** `GET /api/v1/me`. */
export function meApi(router: ApiDoors, { fans, points }: Pick<MeParts, 'fans' | 'points'>): void {
  router.get('/me', { who: 'fan', scope: 'read' }, async (req, res) => {
    const { id } = requireReader(req);
    const [fan, head, identities] = await Promise.all([
      fans.require(id),
      points.head(id),
      fans.identities.linkedBy(id),
    ]);
    res.json(presentMe(fan, head, identities));
  });
}

/** The fan's own pages: medals and points, and the whole statement. */
export function mePages(router: PageDoors, parts: MeParts): void {
  const { fans, points, athletes, follows, words } = parts;
  const athletesIn = (entries: Entry[]) => athletes.byIds(entries.map((entry) => entry.athlete));

  router.get('/me', { who: 'fan' }, async (req) => {
    const { id, roles } = requireReader(req);
    const [head, rules, entries, progress, board, identities] = await Promise.all([
      points.head(id),
      points.rules.read(),
      points.statement(id, CHARTED),
      follows.progress(id),
      points.board('hub', { limit: 1, me: id }),
      fans.identities.linkedBy(id),
    ]);
    const isChecking = req.query['notice'] === 'checking';
    await req.page(
      'pages/me',
      {
        title: words.t(req.lang, 'points.title'),
        section: 'me',
        robots: false,
        standing: head.after,
      },
      presentMedals(words, req.lang, {
        ...{ head, rules, entries, progress, board, identities, roles },
        athletes: await athletesIn(entries.slice(0, NEWEST_LINES)),
        notice: isChecking ? words.t(req.lang, 'follows.checking') : null,
      }),
    );
  });

  router.get('/me/ledger', { who: 'fan' }, async (req) => {
    const { id } = requireReader(req);
    const { cursor } = parse(StatementQuery, req.query);
    const before = cursor === undefined ? undefined : Number(cursor);
    // One more than is shown says whether there are older ones.
    const found = await points.statement(id, PAGE + 1, before);
    const entries = found.slice(0, PAGE);
    await req.page(
      'pages/ledger',
      { title: words.t(req.lang, 'points.ledger'), section: 'me', robots: false },
      {
        lines: presentLines(words, req.lang, entries, await athletesIn(entries)),
        older: found.length > PAGE ? entries.at(-1)?.seq : null,
        first: cursor === undefined,
      },
    );
  });
}
