import { nocOf } from '../../platform/countries.js';
import type { Language, Words } from '../../platform/i18n.js';
import type { BoardPage } from '../../points/service.js';

/** Boards that have a tab of their own on every page. */
const TABS = [
  'hub',
  'discipline:fencing',
  'discipline:athletics',
  'discipline:swimming',
  'discipline:judo',
  'discipline:rowing',
  'discipline:cycling',
  'discipline:gymnastics',
];
/** Places up to this one stand out. */
const TOP = 4;

/** The discipline of a board, or null for the hub's. */
const disciplineOf = (board: string): string | null =>
  board.startsWith('discipline:') ? board.slice('discipline:'.length) : null;

function presentTabs(words: Words, language: Language, current: string) {
  const boards = TABS.includes(current) ? TABS : [...TABS, current];
  return boards.map((board) => {
    const discipline = disciplineOf(board);
    return {
      board,
      current: board === current,
      label: words.t(language, discipline ? `disciplines.${discipline}` : 'points.board.hub'),
    };
  });
}

const presentRows = (board: BoardPage | null, me: string | undefined) =>
  (board?.rows ?? []).map((row) => ({
    ...row,
    noc: nocOf(row.country),
    me: row.fan === me,
    top: row.rank <= TOP,
  }));

/** What a page of a board shows. */
export interface BoardView {
  board: string;
  /** Null while the board is being counted. */
  found: BoardPage | null;
  /** The places around the reader, where they are not on this page. */
  around: BoardPage | null;
  me: string | undefined;
  /** The reader's own points. */
  points: number;
  page: number;
  pageSize: number;
}

/** A page of a board, with tabs, the reader's own place and the pages beside it. */
export function presentBoardPage(words: Words, language: Language, view: BoardView) {
  const { board, found, around, me, page, pageSize } = view;
  const total = found?.total ?? 0;
  return {
    counting: found === null,
    scope: disciplineOf(board),
    total,
    rows: presentRows(found, me),
    around: presentRows(around, me),
    me: found?.me ?? null,
    mine: view.points,
    signedIn: me !== undefined,
    missing: found?.me?.above ? found.me.above - found.me.points + 1 : null,
    page,
    pages: Math.max(1, Math.ceil(total / pageSize)),
    board,
    tabs: presentTabs(words, language, board),
    before: page > 1 ? page - 1 : null,
    after: found && page * pageSize < total ? page + 1 : null,
  };
}
