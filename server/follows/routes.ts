import type { Request, RequestHandler } from 'express';
import type { Athletes } from '../athletes/service.js';
import { VillageError } from '../errors.js';
import type { ApiDoors, ApiRule, PageDoors, PageRule } from '../platform/doors.js';
import { param, parse, requireReader, seeOther } from '../platform/http.js';
import { followNotice, presentCheck, presentFollow, undoNotice } from './present.js';
import type { FollowResult } from './results.js';
import { FollowBody } from './schema.js';
import type { Follows } from './service.js';

type Act = 'confirm' | 'undo';

interface FollowParts {
  follows: Follows;
  athletes: Athletes;
}

/** `POST` and `DELETE /api/v1/athletes/:slug/follow`, `POST /api/v1/follows/check`. */
export function followsApi(router: ApiDoors, { follows, athletes }: FollowParts): void {
  const acting: ApiRule = { who: 'fan', scope: 'follow', limit: 'follow' };
  const act =
    (name: Act): RequestHandler =>
    async (req, res) => {
      const { id: fan } = requireReader(req);
      const hasBody = Object.keys((req.body ?? {}) as object).length > 0;
      const { network, account, turn } = parse(FollowBody, hasBody ? req.body : req.query);
      const athlete = (await athletes.require(param(req, 'slug')))._id;
      const result = await follows[name]({
        fan,
        athlete,
        network,
        account,
        turn,
        language: req.lang,
      });
      res.status(result.job ? 202 : 200).json(presentFollow(result));
    };
  router.post('/athletes/:slug/follow', acting, act('confirm'));
  router.delete('/athletes/:slug/follow', acting, act('undo'));
  router.post(
    '/follows/check',
    { who: 'fan', scope: 'follow', limit: 'check' },
    async (req, res) => {
      const [job, ...more] = await follows.checkAll(requireReader(req).id);
      if (!job) throw new VillageError('not_linked', { network: 'x' });
      res.status(202).json(presentCheck(job, more));
    },
  );
}

/** What came of an act, as a notice; the conflicts that a page explains are notices too. */
async function noticeOf(
  result: Promise<FollowResult>,
  present: (result: FollowResult) => string,
): Promise<string> {
  try {
    return present(await result);
  } catch (error) {
    if (error instanceof VillageError && error.status === 409) return error.id;
    throw error;
  }
}

/**
 * The same acts by form: 303 back to the athlete's accounts, with what came of it in the address.
 */
export function followsPages(router: PageDoors, { follows, athletes }: FollowParts): void {
  const acting: PageRule = { who: 'fan', limit: 'follow' };
  const act =
    (name: Act, present: (result: FollowResult) => string): RequestHandler =>
    async (req, res) => {
      const { id: fan } = requireReader(req);
      const { network, account, turn } = parse(FollowBody, req.body);
      const { _id: athlete, slugs } = await athletes.require(param(req, 'slug'));
      const result = follows[name]({ fan, athlete, network, account, turn, language: req.lang });
      const notice = await noticeOf(result, present);
      const page = `/${req.lang}/athletes/${slugs[0] ?? athlete}`;
      seeOther(res, `${page}?notice=${notice}&network=${network}#accounts`);
    };
  router.post('/athletes/:slug/follow', acting, act('confirm', followNotice));
  router.post('/athletes/:slug/unfollow', acting, act('undo', undoNotice));
  router.post('/me/check', { who: 'fan', limit: 'check' }, async (req: Request, res) => {
    await follows.checkAll(requireReader(req).id);
    seeOther(res, `/${req.lang}/me?notice=checking`);
  });
}
