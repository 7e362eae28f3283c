import type { Request, Router } from 'express';
import { z } from 'zod';
import { VillageError } from '../errors.js';
import { mayOrganise } from '../fans/service.js';
import { csrfCheck } from '../platform/guard.js';
import { param, parse, personal, requireReader, requireScope, seeOther, type Reader } from '../platform/http.js';
import type { Language, Words } from '../platform/i18n.js';
import type { Jobs } from '../platform/jobs.js';

/** Jobs that one page shows. */
const SHOWN = 100;
/** `GET /api/v1/jobs`: those that were given up. */
export const EndedJobs = z.object({ state: z.literal('ended').default('ended'), limit: z.coerce.number().int().min(1).max(1000).default(SHOWN) });

/** The organiser whose token (if it is one) may organise; everybody else is not allowed. */
function requireOrganiser(req: Request): Reader {
  const reader = requireScope(req, 'organise');
  if (!mayOrganise(reader.roles)) throw new VillageError('not_allowed');
  return reader;
}

/** `/api/v1/jobs`: what was given up, and beginning it anew. */
export function consoleApi(router: Router, jobs: Jobs): void {
  router.get('/jobs', personal, async (req, res) => {
    requireOrganiser(req);
    res.json(await jobs.ended(parse(EndedJobs, req.query).limit));
  });
  router.post('/jobs/:id/start', personal, csrfCheck, async (req, res) => {
    const reader = requireOrganiser(req);
    await jobs.startAgain(param(req, 'id'), reader.id);
    res.status(202).json({ job: param(req, 'id') });
  });
}

/** The organisers' page of what waits for them. Nobody else is told that it exists. */
export function consolePages(router: Router, jobs: Jobs, words: Words): void {
  router.use('/console', personal, (req, _res, next) => {
    if (!mayOrganise(requireReader(req).roles)) throw new VillageError('not_found');
    next();
  });
  const titleOf = (lang: Language, kind: string): string => {
    const key = `console.kinds.${kind.replace('.', '_')}`;
    return words.t(lang, words.has(lang, key) ? key : 'console.kinds.other');
  };
  router.get('/console', async (req) => {
    const { items, total } = await jobs.ended(SHOWN);
    const { notice } = req.query;
    await req.page(
      'pages/console',
      { title: words.t(req.lang, 'console.title'), section: 'console', robots: false },
      {
        started: notice === 'started',
        gone: notice === 'gone',
        total,
        items: items.map((one) => ({ ...one, title: titleOf(req.lang, one.kind) })),
      },
    );
  });
  router.post('/console/jobs/:id/start', csrfCheck, async (req, res) => {
    const notice = await jobs.startAgain(param(req, 'id'), requireReader(req).id).then(
      () => 'started',
      (error: unknown) => {
        // Somebody else was quicker: there is nothing left to do.
        if (error instanceof VillageError && error.id === 'job_not_found') return 'gone';
        throw error;
      },
    );
    seeOther(res, `/${req.lang}/console?notice=${notice}`);
  });
}
