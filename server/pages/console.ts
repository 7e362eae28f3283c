import { z } from 'zod';
import { VillageError } from '../errors.js';
import type { ApiDoors, PageDoors, PageRule } from '../platform/doors.js';
import { param, parse, requireReader, seeOther } from '../platform/http.js';
import type { Language, Words } from '../platform/i18n.js';
import type { Jobs } from '../platform/jobs.js';
import { RIGHTS } from '../platform/rights.js';

/** Jobs that one page shows. */
const SHOWN = 100;
/** `GET /api/v1/jobs`: those that were given up. */
export const EndedJobs = z.object({
  state: z.literal('ended').default('ended'),
  limit: z.coerce.number().int().min(1).max(1000).default(SHOWN),
});

/** `/api/v1/jobs`: what was given up, and beginning it anew. */
export function consoleApi(router: ApiDoors, jobs: Jobs): void {
  router.get('/jobs', { who: RIGHTS.organise, scope: 'organise' }, async (req, res) => {
    res.json(await jobs.ended(parse(EndedJobs, req.query).limit));
  });
  router.post('/jobs/:id/start', { who: RIGHTS.organise, scope: 'organise' }, async (req, res) => {
    await jobs.startAgain(param(req, 'id'), requireReader(req).id);
    res.status(202).json({ job: param(req, 'id') });
  });
}

/** The organisers' page of what waits for them. Nobody else is told that it exists. */
export function consolePages(router: PageDoors, jobs: Jobs, words: Words): void {
  const staff: PageRule = { who: RIGHTS.organise, hidden: true };
  const titleOf = (lang: Language, kind: string): string => {
    const key = `console.kinds.${kind.replace('.', '_')}`;
    return words.t(lang, words.has(lang, key) ? key : 'console.kinds.other');
  };
  router.get('/console', staff, async (req) => {
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
  router.post('/console/jobs/:id/start', staff, async (req, res) => {
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
