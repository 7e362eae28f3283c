import type { Request } from 'express';
import { VillageError } from '../errors.js';
import type { Fans } from '../fans/service.js';
import type { ApiDoors, ApiRule, PageDoors, PageRule } from '../platform/doors.js';
import { parse, requireReader, seeOther } from '../platform/http.js';
import type { Words } from '../platform/i18n.js';
import { RIGHTS } from '../platform/rights.js';
import {
  peopleIn,
  presentTaking,
  presentTakingList,
  takingView,
  type WrongForm,
} from './present.js';
import { LetGo, NetworkPath, TakingLimits } from './schema.js';
import type { Follows } from './service.js';
import type { TakeBackState } from './take-backs.js';

/**
 * `/api/v1/networks/taking`: whether taking back is stopped, letting it go on, and how much an hour
 * may take back. For organisers and admins.
 */
export function takeBacksApi(router: ApiDoors, { follows }: { follows: Follows }): void {
  const { takeBacks } = follows;
  const staff: ApiRule = { who: RIGHTS.organise, scope: 'organise' };
  router.get('/networks/taking', staff, async (req, res) => {
    const reader = requireReader(req);
    const [states, limits] = await Promise.all([takeBacks.list(reader), takeBacks.limits(reader)]);
    res.json(presentTakingList(states, limits));
  });
  router.post('/networks/taking/limits', staff, async (req, res) => {
    const reader = requireReader(req);
    const { share, least } = parse(TakingLimits, req.body);
    await takeBacks.setLimits(reader, { share, least });
    res.json(await takeBacks.limits(reader));
  });
  router.post('/networks/:network/taking', staff, async (req, res) => {
    const reader = requireReader(req);
    const { network } = parse(NetworkPath, req.params);
    const { at, deeds, reason } = parse(LetGo, req.body);
    await takeBacks.release(reader, network, { at, deeds }, reason);
    const states = await takeBacks.list(reader);
    res.json(presentTaking(states.find((state) => state.network === network) as TakeBackState));
  });
}

/** The limits as the form sends them: a percentage, with a comma or a point. */
function readLimits(body: unknown): ReturnType<typeof TakingLimits.safeParse> {
  const { percent = '', least = '' } = body as { percent?: string; least?: string };
  return TakingLimits.safeParse({
    share: percent === '' ? undefined : Number(percent.replace(',', '.')) / 100,
    least: least === '' ? undefined : least,
  });
}

/** The same by page and form, under the console. Nobody else is told that it exists. */
export function takeBacksPages(
  router: PageDoors,
  { follows, fans, words }: { follows: Follows; fans: Fans; words: Words },
): void {
  const { takeBacks } = follows;
  const staff: PageRule = { who: RIGHTS.organise, hidden: true };

  const show = async (
    req: Request,
    status = 200,
    wrong: WrongForm | null = null,
  ): Promise<void> => {
    const reader = requireReader(req);
    const [states, limits] = await Promise.all([takeBacks.list(reader), takeBacks.limits(reader)]);
    const people = [...peopleIn(states)];
    const called = await fans.called(people);
    const names = new Map(people.map((id) => [id, called.get(id) ?? id]));
    await req.page(
      'follows/taking',
      {
        title: words.t(req.lang, 'follows.taking.title'),
        section: 'console',
        status,
        robots: false,
      },
      takingView(states, limits, names, wrong),
    );
  };
  const wrong = (req: Request, what: 'limits' | 'reason' | 'already_decided'): string =>
    words.t(req.lang, `follows.taking.wrong.${what}`);

  router.get('/console/networks', staff, async (req) => {
    await show(req);
  });
  router.post('/console/networks/limits', staff, async (req, res) => {
    const given = readLimits(req.body);
    if (!given.success) {
      await show(req, 400, { message: wrong(req, 'limits') });
      return;
    }
    const { share, least } = given.data;
    await takeBacks.setLimits(requireReader(req), { share, least });
    seeOther(res, `/${req.lang}/console/networks`);
  });
  router.post('/console/networks/:network', staff, async (req, res) => {
    const { network } = parse(NetworkPath, req.params);
    const { reason = '' } = req.body as { reason?: string };
    const given = LetGo.safeParse(req.body);
    if (!given.success) {
      await show(req, 400, { message: wrong(req, 'reason'), network, reason });
      return;
    }
    try {
      await takeBacks.release(requireReader(req), network, given.data, given.data.reason);
    } catch (error) {
      if (!(error instanceof VillageError) || error.id !== 'already_decided') throw error;
      await show(req, 409, { message: wrong(req, 'already_decided'), network, reason });
      return;
    }
    seeOther(res, `/${req.lang}/console/networks`);
  });
}
