import type { Request, Response } from 'express';
import type { Athletes } from '../athletes/service.js';
import { VillageError } from '../errors.js';
import type { ApiDoors, PageDoors, PageRule } from '../platform/doors.js';
import { param, parse, requireReader, seeOther } from '../platform/http.js';
import { FollowBody } from './schema.js';
import type { FollowAnswer, Follows } from './service.js';

const statusOf = (answer: FollowAnswer): number => (answer.job ? 202 : 200);

/** `POST` and `DELETE /api/v1/athletes/:slug/follow`, `POST /api/v1/follows/check`. */
export function followsApi(router: ApiDoors, follows: Follows, athletes: Athletes): void {
  const act = async (req: Request, how: 'follow' | 'unfollow'): Promise<FollowAnswer> => {
    const reader = requireReader(req);
    const { turn, ...which } = parse(
      FollowBody,
      Object.keys((req.body ?? {}) as object).length > 0 ? req.body : req.query,
    );
    const athlete = await athletes.require(param(req, 'slug'));
    return follows[how](reader, athlete._id, which, { turn, language: req.lang });
  };
  router.post(
    '/athletes/:slug/follow',
    { who: 'fan', scope: 'follow', limit: 'follow' },
    async (req, res) => {
      const answer = await act(req, 'follow');
      res.status(statusOf(answer)).json(answer);
    },
  );
  router.delete(
    '/athletes/:slug/follow',
    { who: 'fan', scope: 'follow', limit: 'follow' },
    async (req, res) => {
      const answer = await act(req, 'unfollow');
      res.status(statusOf(answer)).json(answer);
    },
  );
  router.post(
    '/follows/check',
    { who: 'fan', scope: 'follow', limit: 'check' },
    async (req, res) => {
      const [job, ...more] = await follows.checkAll(requireReader(req).id);
      if (!job) throw new VillageError('not_linked', { network: 'x' });
      res.status(202).json({ job, ...(more.length > 0 ? { jobs: [job, ...more] } : {}) });
    },
  );
}

/**
 * The same acts by form: 303 back to the athlete's accounts, with what came of it in the address.
 */
export function followsPages(router: PageDoors, follows: Follows, athletes: Athletes): void {
  const acts: PageRule = { who: 'fan', limit: 'follow' };
  const noticeOf = (answer: FollowAnswer): string =>
    answer.waitsUntil
      ? 'waits'
      : answer.awarded
        ? answer.unlocked.length > 0
          ? 'unlocked'
          : 'awarded'
        : answer.verdict === 'yes'
          ? 'already'
          : answer.verdict === 'no'
            ? 'no'
            : 'unknown';
  const act =
    (how: 'follow' | 'unfollow') =>
    async (req: Request, res: Response): Promise<void> => {
      const reader = requireReader(req);
      const { turn, ...which } = parse(FollowBody, req.body);
      const athlete = await athletes.require(param(req, 'slug'));
      let notice: string;
      try {
        const answer = await follows[how](reader, athlete._id, which, { turn, language: req.lang });
        notice = how === 'unfollow' && answer.verdict === 'no' ? 'undone' : noticeOf(answer);
      } catch (error) {
        if (!(error instanceof VillageError) || error.status !== 409) throw error;
        notice = error.id;
      }
      seeOther(
        res,
        `/${req.lang}/athletes/${athlete.slugs[0] ?? athlete._id}?notice=${notice}&network=${which.network}#accounts`,
      );
    };
  router.post('/athletes/:slug/follow', acts, act('follow'));
  router.post('/athletes/:slug/unfollow', acts, act('unfollow'));
  router.post('/me/check', { who: 'fan', limit: 'check' }, async (req, res) => {
    await follows.checkAll(requireReader(req).id);
    seeOther(res, `/${req.lang}/me?notice=checking`);
  });
}
