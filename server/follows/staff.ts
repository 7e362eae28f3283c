import type { Request } from 'express';
import { VillageError } from '../errors.js';
import { type Fans } from '../fans/service.js';
import type { ApiDoors, ApiRule, PageDoors, PageRule } from '../platform/doors.js';
import { parse, requireReader, seeOther } from '../platform/http.js';
import type { Words } from '../platform/i18n.js';
import type { Brakes, BrakeState } from './brakes.js';
import { LetGo, NetworkPath, TakingLimits } from './schema.js';
import { RIGHTS } from '../platform/rights.js';

const presentState = ({ network, stop, release, ripe }: BrakeState) => ({
  network,
  stopped: stop,
  released: release,
  waiting: ripe,
});

/**
 * `/api/v1/networks/taking`: whether taking back is stopped, letting it go on, and how much an hour
 * may take. For organisers and admins.
 */
export function brakesApi(router: ApiDoors, brakes: Brakes): void {
  const staff: ApiRule = { who: RIGHTS.organise, scope: 'organise' };
  router.get('/networks/taking', staff, async (req, res) => {
    const reader = requireReader(req);
    const [items, limits] = [await brakes.all(reader), await brakes.limits(reader)];
    res.json({ items: items.map(presentState), limits });
  });
  router.post('/networks/taking/limits', staff, async (req, res) => {
    const reader = requireReader(req);
    const { share, least } = parse(TakingLimits, req.body);
    await brakes.limit(reader, { share, least });
    res.json(await brakes.limits(reader));
  });
  router.post('/networks/:network/taking', staff, async (req, res) => {
    const reader = requireReader(req);
    const { network } = parse(NetworkPath, req.params);
    const { at, deeds, reason } = parse(LetGo, req.body);
    await brakes.letGo(reader, network, { at, deeds }, reason);
    const now = (await brakes.all(reader)).find((one) => one.network === network) as BrakeState;
    res.json(presentState(now));
  });
}

/** The same by page and form, under the console. Nobody else is told that it exists. */
export function brakesPages(router: PageDoors, brakes: Brakes, fans: Fans, words: Words): void {
  const staff: PageRule = { who: RIGHTS.organise, hidden: true };

  const show = async (
    req: Request,
    status: number,
    wrong: string | null,
    typed: { network?: string; reason?: string } = {},
  ): Promise<void> => {
    const reader = requireReader(req);
    const [states, limits] = [await brakes.all(reader), await brakes.limits(reader)];
    const people = new Map<string, string>();
    for (const { log, release } of states)
      for (const id of [...log.map((one) => one.by), ...(release ? [release.by] : [])])
        people.set(id, (await fans.get(id))?.handle ?? id);
    await req.page(
      'follows/taking',
      {
        title: words.t(req.lang, 'follows.taking.title'),
        section: 'console',
        status,
        robots: false,
      },
      {
        wrong: typed.network ? null : wrong,
        percent: Math.round(limits.share * 10_000) / 100,
        least: limits.least,
        networks: states.map(({ network, stop, release, ripe, log }) => ({
          network,
          stop,
          release: release && { ...release, by: people.get(release.by) },
          ripe,
          wrong: typed.network === network ? wrong : null,
          reason: typed.network === network ? typed.reason : '',
          log: log.map((line) => ({
            at: line.at,
            act: line.act.replace('.', '_'),
            reason: line.reason,
            by: people.get(line.by),
          })),
        })),
      },
    );
  };
  router.get('/console/networks', staff, async (req) => {
    await show(req, 200, null);
  });
  router.post('/console/networks/limits', staff, async (req, res) => {
    const { percent = '', least = '' } = req.body as { percent?: string; least?: string };
    const given = TakingLimits.safeParse({
      share: percent === '' ? undefined : Number(percent.replace(',', '.')) / 100,
      least: least === '' ? undefined : least,
    });
    if (!given.success) {
      await show(req, 400, words.t(req.lang, 'follows.taking.wrong.limits'));
      return;
    }
    await brakes.limit(requireReader(req), { share: given.data.share, least: given.data.least });
    seeOther(res, `/${req.lang}/console/networks`);
  });
  router.post('/console/networks/:network', staff, async (req, res) => {
    const { network } = parse(NetworkPath, req.params);
    const given = LetGo.safeParse(req.body);
    const { reason = '' } = req.body as { reason?: string };
    if (!given.success) {
      await show(req, 400, words.t(req.lang, 'follows.taking.wrong.reason'), { network, reason });
      return;
    }
    try {
      await brakes.letGo(requireReader(req), network, given.data, given.data.reason);
    } catch (error) {
      if (!(error instanceof VillageError) || error.id !== 'already_decided') throw error;
      await show(req, 409, words.t(req.lang, 'follows.taking.wrong.already_decided'), {
        network,
        reason,
      });
      return;
    }
    seeOther(res, `/${req.lang}/console/networks`);
  });
}
