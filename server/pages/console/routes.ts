import { VillageError } from '../../errors.js';
import type { ApiDoors, ApiRule, PageDoors, PageRule } from '../../platform/doors.js';
import { param, parse, requireReader, seeOther } from '../../platform/http.js';
import type { Words } from '../../platform/i18n.js';
import type { Jobs } from '../../platform/jobs.js';
import { RIGHTS } from '../../platform/rights.js';
import { presentConsole, presentEndedJobs } from './present.js';
import { EndedJobs, JOBS_SHOWN, type StartedJobAnswer } from './schema.js';

/** `/api/v1/jobs`: what was given up, and starting it again. */
export function consoleApi(router: ApiDoors, { jobs }: { jobs: Jobs }): void {
  const staff: ApiRule = { who: RIGHTS.organise, scope: 'organise' };
  router.get('/jobs', staff, async (req, res) => {
    res.json(presentEndedJobs(await jobs.ended(parse(EndedJobs, req.query).limit)));
  });
  router.post('/jobs/:id/start', staff, async (req, res) => {
    const job = param(req, 'id');
    await jobs.startAgain(job, requireReader(req).id);
    res.status(202).json({ job } satisfies StartedJobAnswer);
  });
}

/** The organisers' page of what waits for them. Nobody else is told that it exists. */
export function consolePages(
  router: PageDoors,
  { jobs, words }: { jobs: Jobs; words: Words },
): void {
  const staff: PageRule = { who: RIGHTS.organise, hidden: true };
  router.get('/console', staff, async (req) => {
    const ended = await jobs.ended(JOBS_SHOWN);
    await req.page(
      'pages/console',
      { title: words.t(req.lang, 'console.title'), section: 'console', robots: false },
      presentConsole(words, req.lang, ended, req.query['notice']),
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
