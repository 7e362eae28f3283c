import { VillageError } from '../errors.js';
import type { ApiDoors } from '../platform/doors.js';
import { param, parse, requireReader } from '../platform/http.js';
import type { Hidden } from './needs.js';
import { presentBoard, presentMedals, presentStatement } from './present.js';
import { BoardQuery, StatementQuery } from './schema.js';
import type { Points } from './service.js';

/** Opens `/api/v1/me/ledger`, `/api/v1/me/medals` and `/api/v1/boards`. */
export function pointsApi(
  router: ApiDoors,
  { points, athletes }: { points: Points; athletes: Hidden },
): void {
  router.get('/me/ledger', { who: 'fan', scope: 'read' }, async (req, res) => {
    const reader = requireReader(req);
    const { cursor, limit } = parse(StatementQuery, req.query);
    const [found, hidden] = await Promise.all([
      points.statement(reader.id, limit + 1, cursor === undefined ? undefined : Number(cursor)),
      athletes.hidden(),
    ]);
    res.json(presentStatement(found, limit, hidden));
  });

  router.get('/me/medals', { who: 'fan', scope: 'read' }, async (req, res) => {
    const reader = requireReader(req);
    const [{ after }, rules] = await Promise.all([points.head(reader.id), points.rules.read()]);
    res.json(presentMedals(after, rules));
  });

  router.get(
    '/boards/:board',
    { who: 'anyone', scope: 'read', personal: true },
    async (req, res) => {
      const { around, cursor, limit } = parse(BoardQuery, req.query);
      const me = req.reader?.id;
      if (around && !me) throw new VillageError('not_signed_in');
      const page = await points.board(param(req, 'board'), {
        limit,
        ...(around && me ? { around: me } : {}),
        ...(cursor ? { cursor } : {}),
        ...(me ? { me } : {}),
      });
      res.json(presentBoard(page, me ?? null));
    },
  );
}
