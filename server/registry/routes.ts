import type { Request } from 'express';
import type { Athletes } from '../athletes/service.js';
import { cardOf } from '../athletes/present.js';
import type { Fans } from '../fans/service.js';
import { VillageError } from '../errors.js';
import type { ApiDoors, PageDoors, PageRule } from '../platform/doors.js';
import { param, parse, requireReader, seeOther } from '../platform/http.js';
import type { Words } from '../platform/i18n.js';
import { Decide, LookupQuery, Owner, Queue, Revoke, Submit } from './schema.js';
import type { AccountRecord, Registry } from './service.js';
import { RIGHTS } from '../platform/rights.js';

const presentCase = (registry: Registry, one: AccountRecord) => ({
  id: one._id,
  network: one.network,
  handle: one.handle,
  url: registry.urlOf(one),
  athlete: one.athlete,
  state: one.state,
  epoch: one.epoch,
  quorum: one.quorum,
  signatures: one.signatures.length,
  reason: one.reason,
  former: one.former.map(({ handle, until }) => ({ handle, until })),
  gone: one.gone,
  warning: one.warning && { as: one.warning.as, reason: one.warning.reason, at: one.warning.at },
  owners: one.owners.map(({ fan, by }) => ({
    fan,
    by: by === 'network' ? 'network' : 'moderator',
  })),
  submittedAt: one.submittedAt,
  decidedAt: one.decidedAt,
});

/** `/api/v1/registry`: looking up for everybody, deciding for moderators. */
export function registryApi(router: ApiDoors, registry: Registry): void {
  router.get(
    '/registry/lookup',
    { who: 'anyone', scope: 'none', limit: 'lookup' },
    async (req, res) => {
      res.json(await registry.lookup(parse(LookupQuery, req.query).account));
    },
  );
  router.get('/registry/cases', { who: RIGHTS.moderate, scope: 'moderate' }, async (req, res) => {
    const { items, open } = await registry.queue(requireReader(req), parse(Queue, req.query).state);
    res.json({ items: items.map((one) => presentCase(registry, one)), open });
  });
  router.post(
    '/registry/cases',
    { who: RIGHTS.moderate, scope: 'moderate', limit: 'submit' },
    async (req, res) => {
      const { account, athlete } = parse(Submit, req.body);
      res
        .status(201)
        .json(presentCase(registry, await registry.submit(requireReader(req), account, athlete)));
    },
  );
  router.post(
    '/registry/cases/:id/decision',
    { who: RIGHTS.moderate, scope: 'moderate' },
    async (req, res) => {
      const { decision, reason } = parse(Decide, req.body);
      res.json(
        presentCase(
          registry,
          await registry.decide(requireReader(req), param(req, 'id'), {
            grant: decision === 'grant',
            fake: decision === 'fake',
            reason,
          }),
        ),
      );
    },
  );
  router.post(
    '/registry/cases/:id/revocation',
    { who: RIGHTS.moderate, scope: 'moderate' },
    async (req, res) => {
      res.json(
        presentCase(
          registry,
          await registry.revoke(
            requireReader(req),
            param(req, 'id'),
            parse(Revoke, req.body).reason,
          ),
        ),
      );
    },
  );
  router.post(
    '/registry/cases/:id/owners',
    { who: RIGHTS.moderate, scope: 'moderate' },
    async (req, res) => {
      const { fan, owns } = parse(Owner, req.body);
      res.json(
        presentCase(
          registry,
          await registry.setOwner(requireReader(req), param(req, 'id'), fan, owns === 'yes'),
        ),
      );
    },
  );
}

/** The moderators' pages: the queue, a case, a new case. Nobody else is told that they exist. */
export function registryPages(
  router: PageDoors,
  registry: Registry,
  athletes: Athletes,
  fans: Fans,
  words: Words,
): void {
  const staff: PageRule = { who: RIGHTS.moderate, hidden: true };

  const queue = async (
    req: Request,
    status: number,
    wrong: { text: string; account: string; athlete: string } | null,
  ): Promise<void> => {
    const { state } = parse(Queue, { state: req.query['state'] });
    const { items, open } = await registry.queue(requireReader(req), state);
    const people = await athletes.byIds(items.map((one) => one.athlete));
    await req.page(
      'registry/queue',
      {
        title: words.t(req.lang, 'registry.queue.title'),
        section: 'moderation',
        status,
        robots: false,
      },
      {
        open,
        state,
        wrong,
        states: (['candidate', 'verified', 'refused', 'revoked'] as const).map((one) => ({
          state: one,
          current: one === state,
        })),
        items: items.map((one) => ({
          id: one._id,
          network: one.network,
          handle: one.handle,
          state: one.state,
          submittedAt: one.submittedAt,
          athlete: people.get(one.athlete)?.name ?? words.t(req.lang, 'athletes.hidden'),
        })),
      },
    );
  };
  router.get('/moderation', staff, async (req) => {
    await queue(req, 200, null);
  });

  router.post('/moderation/cases', { ...staff, limit: 'submit' }, async (req, res) => {
    const reader = requireReader(req);
    const given = Submit.safeParse(req.body);
    const typed = req.body as { account?: string; athlete?: string };
    const again = async (
      id: string,
      status = 400,
      params: Record<string, string> = {},
    ): Promise<void> =>
      queue(req, status, {
        text: words.t(req.lang, `registry.wrong.${id}`, params),
        account: typed.account ?? '',
        athlete: typed.athlete ?? '',
      });
    if (!given.success) {
      await again('fields');
      return;
    }
    try {
      const made = await registry.submit(
        reader,
        given.data.account,
        given.data.athlete.replace(/^.*\/athletes\//, ''),
      );
      seeOther(res, `/${req.lang}/moderation/cases/${made._id}`);
    } catch (error) {
      if (error instanceof VillageError && error.id === 'account_taken') {
        seeOther(res, `/${req.lang}/moderation/cases/${String(error.extra['case'])}`);
        return;
      }
      if (!(error instanceof VillageError)) throw error;
      if (error.id === 'network_down')
        await again(error.id, 502, {
          network: words.t(req.lang, `networks.${String(error.params['network'])}`),
        });
      else if (error.status < 500) await again(error.id);
      else throw error;
    }
  });

  /**
   * A case; `typed` stays in the form it was refused in, and in no other: words for a grant must
   * not stand ready for a revocation.
   */
  const showCase = async (
    req: Request,
    status: number,
    wrong: string | null,
    typed: { decision?: string; reason?: string; revocation?: string; owner?: string } = {},
  ): Promise<void> => {
    const { account, athlete, others, alike, log } = await registry.caseOf(
      requireReader(req),
      param(req, 'id'),
    );
    const names = await Promise.all(
      [...new Set([...log.map((line) => line.by), ...account.owners.map((one) => one.fan)])].map(
        async (id): Promise<[string, string]> => [id, (await fans.get(id))?.handle ?? id],
      ),
    );
    const nameOf = new Map(names);
    await req.page(
      'registry/case',
      {
        title: words.t(req.lang, 'registry.case.title', {
          handle: account.handle,
          athlete: athlete?.name ?? '',
        }),
        section: 'moderation',
        status,
        robots: false,
      },
      {
        account: {
          ...presentCase(registry, account),
          profile: account.profile,
          owners: account.owners.map(({ by, fan }) => ({
            handle: nameOf.get(fan) ?? fan,
            fan,
            byNetwork: by === 'network',
          })),
          sender: (await fans.get(account.submittedBy))?.handle ?? account.submittedBy,
        },
        athlete: athlete ? cardOf(words, req.lang, athlete) : null,
        sameName:
          athlete !== null && athlete.name.toLowerCase() === account.profile.name.toLowerCase(),
        others: others.map((one) => presentCase(registry, one)),
        alike: alike.map((one) => presentCase(registry, one)),
        sameHandle: others.find((one) => one.state === 'verified')?.handle ?? null,
        log: log.map((line) => ({
          at: line.at,
          act: line.act.replace('.', '_'),
          reason: line.reason,
          by: nameOf.get(line.by) ?? line.by,
        })),
        wrong,
        typed,
        warned:
          account.warning && account.state !== 'revoked'
            ? {
                key: account.warning.as === 'fake' ? 'warnedFake' : 'warnedRevoked',
                reason: account.warning.reason,
                at: account.warning.at,
              }
            : null,
        ownerWrong: typed.owner === undefined ? null : words.t(req.lang, 'registry.wrong.owner'),
        open: account.state === 'candidate',
        revocable: account.state === 'verified' || account.state === 'lapsed',
        evidence: {
          against:
            Number(account.warning !== null && account.state !== 'revoked') +
            Number(account.gone) +
            Number(alike.some((one) => one.state === 'verified')) +
            Number(
              others.some((one) => one.state === 'verified' && one.network === account.network),
            ),
          unclear: Number(account.profile.badge === null),
          supports:
            Number(
              athlete !== null && athlete.name.toLowerCase() === account.profile.name.toLowerCase(),
            ) + Number(account.profile.badge !== null),
        },
        secondOnNetwork: others.some(
          (one) => one.state === 'verified' && one.network === account.network,
        ),
        lookalike: alike.find((one) => one.state === 'verified')?.handle ?? null,
      },
    );
  };
  router.get('/moderation/cases/:id', staff, async (req) => {
    await showCase(req, 200, null);
  });

  router.post('/moderation/cases/:id/decision', staff, async (req, res) => {
    const given = Decide.safeParse(req.body);
    if (!given.success) {
      const { decision = '', reason = '' } = req.body as { decision?: string; reason?: string };
      await showCase(req, 400, words.t(req.lang, 'registry.wrong.reason'), { decision, reason });
      return;
    }
    try {
      await registry.decide(requireReader(req), param(req, 'id'), {
        grant: given.data.decision === 'grant',
        fake: given.data.decision === 'fake',
        reason: given.data.reason,
      });
    } catch (error) {
      if (!(error instanceof VillageError) || error.id !== 'already_decided') throw error;
      await showCase(req, 409, words.t(req.lang, 'registry.wrong.already_decided'));
      return;
    }
    seeOther(res, `/${req.lang}/moderation/cases/${param(req, 'id')}`);
  });
  router.post('/moderation/cases/:id/revocation', staff, async (req, res) => {
    const given = Revoke.safeParse(req.body);
    if (!given.success) {
      await showCase(req, 400, words.t(req.lang, 'registry.wrong.reason'), {
        revocation: (req.body as { reason?: string }).reason ?? '',
      });
      return;
    }
    await registry.revoke(requireReader(req), param(req, 'id'), given.data.reason);
    seeOther(res, `/${req.lang}/moderation/cases/${param(req, 'id')}`);
  });
  router.post('/moderation/cases/:id/owners', staff, async (req, res) => {
    const given = Owner.safeParse(req.body);
    const { fan = '' } = req.body as { fan?: string };
    try {
      if (!given.success) throw new VillageError('fan_not_found');
      await registry.setOwner(
        requireReader(req),
        param(req, 'id'),
        given.data.fan,
        given.data.owns === 'yes',
      );
    } catch (error) {
      if (!(error instanceof VillageError) || error.id !== 'fan_not_found') throw error;
      await showCase(req, 400, null, { owner: fan });
      return;
    }
    seeOther(res, `/${req.lang}/moderation/cases/${param(req, 'id')}#owners`);
  });
}
