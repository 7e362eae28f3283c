import type { ApiDoors, PageDoors } from '../platform/doors.js';
import type { Athletes } from '../athletes/service.js';
import { isLost, type Fans } from '../fans/service.js';
import type { Follows } from '../follows/service.js';
import { isNetwork } from '../networks/network.js';
import { nocOf } from '../platform/countries.js';
import { param, parse, requireReader, seeOther } from '../platform/http.js';
import type { Words } from '../platform/i18n.js';
import { BoardPageQuery, StatementQuery } from '../points/schema.js';
import { medalsOf, type Entry, type Points } from '../points/service.js';
import { chartOf } from './chart.js';

export interface MeParts {
  fans: Fans;
  points: Points;
  athletes: Athletes;
  follows: Follows;
  words: Words;
}

/** `GET /api/v1/me`. */
export function meApi(router: ApiDoors, { fans, points }: MeParts): void {
  router.get('/me', { who: 'fan', scope: 'read' }, async (req, res) => {
    const reader = requireReader(req);
    const [fan, head, identities] = await Promise.all([
      fans.require(reader.id),
      points.head(reader.id),
      fans.identities.linkedBy(reader.id),
    ]);
    res.json({
      id: fan._id,
      handle: fan.handle,
      country: fan.country,
      language: fan.language,
      roles: fan.roles,
      points: head.after.points,
      medal: head.after.medals['hub']?.[0] ?? null,
      identities: identities.map((one) => ({
        network: one.network,
        handle: one.handle || null,
        linkedAt: one.linkedAt,
        lost: isLost(one),
      })),
      seq: head.seq,
    });
  });
}

async function lines(words: Words, lang: 'fr' | 'en', athletes: Athletes, entries: Entry[]) {
  const people = await athletes.byIds(entries.map((one) => one.athlete));
  return entries.map((entry) => {
    const [kind = 'follow', network = 'x'] = entry.deed.split(':');
    const athlete = people.get(entry.athlete);
    return {
      seq: entry.seq,
      gave: entry.delta > 0,
      points: entry.after.points,
      at: entry.at,
      // The line stays; whom it was about is not said of somebody who is no longer shown.
      name: athlete?.name ?? words.t(lang, 'athletes.hidden'),
      slug: athlete?.slugs[0] ?? null,
      deed: words.t(lang, entry.delta > 0 ? `points.deed.${kind}` : 'points.deed.back'),
      why: words.t(lang, `points.cause.${entry.cause}`, {
        network: isNetwork(network) ? words.t(lang, `networks.${network}`) : network,
      }),
    };
  });
}

/** The fan's own pages: medals and points, the whole statement, the boards. */
export function mePages(
  router: PageDoors,
  { fans, points, athletes, follows, words }: MeParts,
): void {
  router.get('/me', { who: 'fan' }, async (req) => {
    const reader = requireReader(req);
    const [head, rules, entries, progress, hub, identities] = await Promise.all([
      points.head(reader.id),
      points.rules.read(),
      points.statement(reader.id, 200),
      follows.progress(reader.id),
      points.board('hub', { limit: 1, me: reader.id }),
      fans.identities.linkedBy(reader.id),
    ]);
    const medals = medalsOf(head.after, rules);
    const mine = medals[0];
    const notice =
      req.query['notice'] === 'checking' ? words.t(req.lang, 'follows.checking') : null;
    await req.page(
      'pages/me',
      {
        title: words.t(req.lang, 'points.title'),
        section: 'me',
        robots: false,
        standing: head.after,
      },
      {
        points: head.after.points,
        hub: rail(mine),
        disciplines: medals.slice(1).map((one) => ({ ...one, next: one.next ?? null })),
        disciplineMedals: medals.slice(1).filter((one) => one.medal !== null).length,
        next: mine?.next ?? null,
        lane: lane(mine),
        rank: hub?.me ? { rank: hub.me.rank, tied: hub.me.tied } : null,
        ranks: !reader.roles.some((role) => role !== 'volunteer'),
        lines: await lines(words, req.lang, athletes, entries.slice(0, 6)),
        total: head.seq,
        chart: chartOf(entries, mine?.thresholds ?? []),
        notice,
        lost: identities.filter(isLost).map((one) => one.network),
        progress: progress.map(({ network, progress: one }) => ({
          network,
          ...one,
          percent: Math.round((one.done / one.total) * 100),
        })),
      },
    );
  });

  router.get('/me/ledger', { who: 'fan' }, async (req) => {
    const reader = requireReader(req);
    const { cursor } = parse(StatementQuery, req.query);
    const found = await points.statement(
      reader.id,
      41,
      cursor === undefined ? undefined : Number(cursor),
    );
    const shown = found.slice(0, 40);
    await req.page(
      'pages/ledger',
      { title: words.t(req.lang, 'points.ledger'), section: 'me', robots: false },
      {
        lines: await lines(words, req.lang, athletes, shown),
        older: found.length > 40 ? shown.at(-1)?.seq : null,
        first: cursor === undefined,
      },
    );
  });

  router.get('/boards', { who: 'anyone' }, (req, res) => {
    seeOther(res, `/${req.lang}/boards/hub`);
  });
  router.get('/boards/:board', { who: 'anyone', personal: true }, async (req) => {
    const board = param(req, 'board');
    const { page } = parse(BoardPageQuery, req.query);
    const me = req.reader?.id;
    const found = await points.board(board, {
      limit: 20,
      offset: (page - 1) * 20,
      ...(me ? { me } : {}),
    });
    const around =
      me && found?.me && !found.rows.some((row) => row.fan === me)
        ? await points.board(board, { limit: 5, around: me, me })
        : null;
    const head = me ? await points.head(me) : null;
    const scope = board.startsWith('discipline:') ? board.slice('discipline:'.length) : null;
    const rows = (view: typeof found) =>
      (view?.rows ?? []).map((row) => ({
        ...row,
        noc: nocOf(row.country),
        me: row.fan === me,
        top: row.rank <= 4,
      }));
    const tabs = [
      'hub',
      'discipline:fencing',
      'discipline:athletics',
      'discipline:swimming',
      'discipline:judo',
      'discipline:rowing',
      'discipline:cycling',
      'discipline:gymnastics',
    ];
    if (!tabs.includes(board)) tabs.push(board);
    await req.page(
      'pages/board',
      {
        title: words.t(req.lang, 'points.board.title'),
        section: 'boards',
        ...(head ? { standing: head.after } : {}),
      },
      {
        counting: found === null,
        scope,
        total: found?.total ?? 0,
        rows: rows(found),
        around: rows(around),
        me: found?.me ?? null,
        mine: head?.after.points ?? 0,
        signedIn: me !== undefined,
        missing: found?.me?.above ? found.me.above - found.me.points + 1 : null,
        page,
        pages: Math.max(1, Math.ceil((found?.total ?? 0) / 20)),
        board,
        tabs: tabs.map((one) => ({
          board: one,
          current: one === board,
          label:
            one === 'hub'
              ? words.t(req.lang, 'points.board.hub')
              : words.t(req.lang, `disciplines.${one.slice('discipline:'.length)}`),
        })),
        before: page > 1 ? page - 1 : null,
        after: found && page * 20 < found.total ? page + 1 : null,
      },
    );
  });
}

type Scope = ReturnType<typeof medalsOf>[number];
const ORDER = ['bronze', 'silver', 'gold'] as const;

/** Bronze, silver and gold of the hub, earned or not, for the rail they hang from. */
export function rail(scope: Scope | undefined) {
  const held = scope?.medal ? ORDER.indexOf(scope.medal) : -1;
  return ORDER.map((medal, at) => ({
    medal,
    earned: at <= held,
    at: scope?.thresholds[at] ?? 0,
    missing: Math.max(0, (scope?.thresholds[at] ?? 0) - (scope?.points ?? 0)),
  }));
}

/**
 * How far along the lane from nothing to gold a fan is, in percent, with the thresholds as ticks.
 */
export function lane(scope: Scope | undefined) {
  const top = scope?.thresholds[2] ?? 1;
  const points = scope?.points ?? 0;
  return {
    filled: Math.min(100, Math.round((points / top) * 1000) / 10),
    ticks: ORDER.map((medal, at) => ({
      medal,
      at: scope?.thresholds[at] ?? 0,
      place: Math.round(((scope?.thresholds[at] ?? 0) / top) * 1000) / 10,
    })),
    top,
  };
}
