import type { PageDoors } from '../../platform/doors.js';
import { param, parse, seeOther } from '../../platform/http.js';
import type { Words } from '../../platform/i18n.js';
import { BoardPageQuery } from '../../points/schema.js';
import type { Points } from '../../points/service.js';
import { presentBoardPage } from './present.js';

/** Places of one page of a board. */
const PAGE = 20;
/** Places around the reader, where they are not on the page. */
const AROUND = 5;

/** The rankings of fans: the hub's, and one for each discipline. */
export function boardsPages(
  router: PageDoors,
  { points, words }: { points: Points; words: Words },
): void {
  router.get('/boards', { who: 'anyone' }, (req, res) => {
    seeOther(res, `/${req.lang}/boards/hub`);
  });
  router.get('/boards/:board', { who: 'anyone', personal: true }, async (req) => {
    const board = param(req, 'board');
    const { page } = parse(BoardPageQuery, req.query);
    const me = req.reader?.id;
    const mine = me ? { me } : {};
    const [found, head] = await Promise.all([
      points.board(board, { limit: PAGE, offset: (page - 1) * PAGE, ...mine }),
      me ? points.head(me) : null,
    ]);
    const isElsewhere = found?.me && !found.rows.some((row) => row.fan === me);
    const around =
      me && isElsewhere ? await points.board(board, { limit: AROUND, around: me, me }) : null;
    await req.page(
      'pages/board',
      {
        title: words.t(req.lang, 'points.board.title'),
        section: 'boards',
        ...(head ? { standing: head.after } : {}),
      },
      presentBoardPage(words, req.lang, {
        ...{ board, found, around, page, me },
        pageSize: PAGE,
        points: head?.after.points ?? 0,
      }),
    );
  });
}
