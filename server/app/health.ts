import type { Context } from '../context.js';
import { VillageError } from '../errors.js';
import { within } from '../platform/clock.js';
import type { PageDoors } from '../platform/doors.js';
import { bearer } from '../platform/guard.js';

/** How long a store may take to answer `/readyz`, in ms. */
const READY_MS = 1500;

/** Serves `/healthz`, `/readyz` and `/metrics` (DESIGN 7). */
export function health(context: Context, doors: PageDoors): void {
  const { connection, redis, config, metrics, search } = context;
  let indexed = false;
  doors.get('/healthz', { who: 'anyone' }, (_req, res) => {
    res.json({ ok: true });
  });
  doors.get('/readyz', { who: 'anyone' }, async (_req, res) => {
    const answers = (work: Promise<unknown>): Promise<boolean> =>
      within(work, READY_MS).then(
        (answer) => answer !== null,
        () => false,
      );
    const [mongodb, cache] = await Promise.all([
      answers(connection.db?.command({ ping: 1 }) ?? Promise.reject(new Error('closed'))),
      answers(redis.commands.ping()),
    ]);
    if (mongodb && !indexed)
      indexed = (await context.missingIndexes().catch(() => ['unknown'])).length === 0;
    const ok = mongodb && cache && indexed;
    res.status(ok ? 200 : 503).json({
      ok,
      mongodb,
      redis: cache,
      indexes: indexed,
      ...(search ? { search: search.state() } : {}),
    });
  });
  doors.get('/metrics', { who: 'anyone', personal: true }, async (req, res) => {
    if (!config.metricsToken || bearer(req) !== config.metricsToken)
      throw new VillageError('not_found');
    res.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
}
