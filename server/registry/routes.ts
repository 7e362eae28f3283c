import type { Request, Response } from 'express';
import { cardOf } from '../athletes/present.js';
import type { Athletes } from '../athletes/service.js';
import { VillageError } from '../errors.js';
import type { Fans } from '../fans/service.js';
import type { ApiDoors, ApiRule, PageDoors, PageRule } from '../platform/doors.js';
import { param, parse, requireReader, seeOther } from '../platform/http.js';
import type { Words } from '../platform/i18n.js';
import { RIGHTS } from '../platform/rights.js';
import type { CaseFile } from './case.model.js';
import {
  namedBy,
  presentCase,
  presentCases,
  presentDossier,
  presentLookup,
  presentQueued,
} from './present.js';
import { Decide, LookupQuery, Owner, Queue, QUEUES, Revoke, Submit } from './schema.js';
import type { AccountRecord, Registry } from './service.js';

/** `/api/v1/registry`: looking up for everybody, deciding for moderators. */
export function registryApi(router: ApiDoors, { registry }: { registry: Registry }): void {
  const staff: ApiRule = { who: RIGHTS.moderate, scope: 'moderate' };
  const urlOf = (account: AccountRecord): string => registry.urlOf(account);
  const present = (file: CaseFile) => presentCase(file, urlOf);

  router.get(
    '/registry/lookup',
    { who: 'anyone', scope: 'none', limit: 'lookup' },
    async (req, res) => {
      const { account } = parse(LookupQuery, req.query);
      res.json(presentLookup(await registry.lookup(account)));
    },
  );
  router.get('/registry/cases', staff, async (req, res) => {
    const { state } = parse(Queue, req.query);
    res.json(presentCases(await registry.queue(requireReader(req), state), urlOf));
  });
  router.post('/registry/cases', { ...staff, limit: 'submit' }, async (req, res) => {
    const { account, athlete } = parse(Submit, req.body);
    res.status(201).json(present(await registry.submit(requireReader(req), account, athlete)));
  });
  router.post('/registry/cases/:id/decision', staff, async (req, res) => {
    const { decision, reason } = parse(Decide, req.body);
    const given = { decision, reason };
    res.json(present(await registry.decide(requireReader(req), param(req, 'id'), given)));
  });
  router.post('/registry/cases/:id/revocation', staff, async (req, res) => {
    const { reason } = parse(Revoke, req.body);
    res.json(present(await registry.revoke(requireReader(req), param(req, 'id'), reason)));
  });
  router.post('/registry/cases/:id/owners', staff, async (req, res) => {
    const { fan, owns } = parse(Owner, req.body);
    const id = param(req, 'id');
    res.json(present(await registry.setOwner(requireReader(req), id, fan, owns === 'yes')));
  });
}

interface PageParts {
  registry: Registry;
  athletes: Athletes;
  fans: Fans;
  words: Words;
}
/** What was typed stays in the form it was refused in, and why it was. */
interface RefusedClaim {
  text: string;
  account: string;
  athlete: string;
}
/**
 * The same of a case's forms, each for itself: words for a grant must not stand ready for a
 * revocation.
 */
interface Typed {
  decision?: string;
  reason?: string;
  revocation?: string;
  owner?: string;
}
interface CasePage {
  status: number;
  wrong: string | null;
  typed: Typed;
}

async function showQueue(
  { registry, athletes, words }: PageParts,
  req: Request,
  status: number,
  wrong: RefusedClaim | null,
): Promise<void> {
  const { state } = parse(Queue, { state: req.query['state'] });
  const { items, open } = await registry.queue(requireReader(req), state);
  const people = await athletes.byIds(items.map(({ athlete }) => athlete));
  const hidden = words.t(req.lang, 'athletes.hidden');
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
      states: QUEUES.map((listed) => ({ state: listed, current: listed === state })),
      items: items.map((file) => presentQueued(file, people.get(file.athlete)?.name ?? hidden)),
    },
  );
}

async function showCase(
  { registry, fans, words }: PageParts,
  req: Request,
  { status, wrong, typed }: CasePage,
): Promise<void> {
  const dossier = await registry.dossier(requireReader(req), param(req, 'id'));
  const { file, athlete } = dossier;
  const names = await fans.called(namedBy(dossier));
  const { handle } = file.account;
  await req.page(
    'registry/case',
    {
      title: words.t(req.lang, 'registry.case.title', { handle, athlete: athlete?.name ?? '' }),
      section: 'moderation',
      status,
      robots: false,
    },
    {
      ...presentDossier(dossier, names, (account) => registry.urlOf(account)),
      athlete: athlete ? cardOf(words, req.lang, athlete) : null,
      wrong,
      typed,
      ownerWrong: typed.owner === undefined ? null : words.t(req.lang, 'registry.wrong.owner'),
    },
  );
}

/** Answers a claim that was refused: with the case there is, or with the form and why. */
async function refuseClaim(
  parts: PageParts,
  req: Request,
  res: Response,
  error: unknown,
): Promise<void> {
  if (!(error instanceof VillageError)) throw error;
  if (error.id === 'account_taken') {
    seeOther(res, `/${req.lang}/moderation/cases/${String(error.extra['case'])}`);
    return;
  }
  const { words } = parts;
  if (error.id === 'network_down') {
    const network = words.t(req.lang, `networks.${String(error.params['network'])}`);
    await showQueue(parts, req, 502, refusedClaim(parts, req, error.id, { network }));
  } else if (error.status < 500)
    await showQueue(parts, req, 400, refusedClaim(parts, req, error.id));
  else throw error;
}

function refusedClaim(
  { words }: PageParts,
  req: Request,
  why: string,
  params: Record<string, string> = {},
): RefusedClaim {
  const { account = '', athlete = '' } = req.body as { account?: string; athlete?: string };
  return { text: words.t(req.lang, `registry.wrong.${why}`, params), account, athlete };
}

/** The moderators' pages: the queue, a case, a new case. Nobody else is told that they exist. */
export function registryPages(router: PageDoors, parts: PageParts): void {
  const { registry, words } = parts;
  const staff: PageRule = { who: RIGHTS.moderate, hidden: true };
  const pathOf = (req: Request, id: string): string => `/${req.lang}/moderation/cases/${id}`;
  const wrong = (req: Request, why: string): string => words.t(req.lang, `registry.wrong.${why}`);

  /** Answers with the case as it is after an act, also where somebody was faster. */
  const settle = async (req: Request, res: Response, act: () => Promise<unknown>) => {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof VillageError) || error.id !== 'already_decided') throw error;
      await showCase(parts, req, { status: 409, wrong: wrong(req, 'already_decided'), typed: {} });
      return;
    }
    seeOther(res, pathOf(req, param(req, 'id')));
  };

  router.get('/moderation', staff, async (req) => {
    await showQueue(parts, req, 200, null);
  });
  router.post('/moderation/cases', { ...staff, limit: 'submit' }, async (req, res) => {
    const given = Submit.safeParse(req.body);
    if (!given.success) {
      await showQueue(parts, req, 400, refusedClaim(parts, req, 'fields'));
      return;
    }
    const slug = given.data.athlete.replace(/^.*\/athletes\//, '');
    try {
      const opened = await registry.submit(requireReader(req), given.data.account, slug);
      seeOther(res, pathOf(req, opened._id));
    } catch (error) {
      await refuseClaim(parts, req, res, error);
    }
  });
  router.get('/moderation/cases/:id', staff, async (req) => {
    await showCase(parts, req, { status: 200, wrong: null, typed: {} });
  });
  router.post('/moderation/cases/:id/decision', staff, async (req, res) => {
    const given = Decide.safeParse(req.body);
    if (!given.success) {
      const { decision = '', reason = '' } = req.body as { decision?: string; reason?: string };
      const typed = { decision, reason };
      await showCase(parts, req, { status: 400, wrong: wrong(req, 'reason'), typed });
      return;
    }
    const { decision, reason } = given.data;
    await settle(req, res, () =>
      registry.decide(requireReader(req), param(req, 'id'), { decision, reason }),
    );
  });
  router.post('/moderation/cases/:id/revocation', staff, async (req, res) => {
    const given = Revoke.safeParse(req.body);
    if (!given.success) {
      const typed = { revocation: (req.body as { reason?: string }).reason ?? '' };
      await showCase(parts, req, { status: 400, wrong: wrong(req, 'reason'), typed });
      return;
    }
    await settle(req, res, () =>
      registry.revoke(requireReader(req), param(req, 'id'), given.data.reason),
    );
  });
  router.post('/moderation/cases/:id/owners', staff, async (req, res) => {
    const given = Owner.safeParse(req.body);
    try {
      if (!given.success) throw new VillageError('fan_not_found');
      const { fan, owns } = given.data;
      await registry.setOwner(requireReader(req), param(req, 'id'), fan, owns === 'yes');
    } catch (error) {
      if (!(error instanceof VillageError) || error.id !== 'fan_not_found') throw error;
      const { fan: owner = '' } = req.body as { fan?: string };
      await showCase(parts, req, { status: 400, wrong: null, typed: { owner } });
      return;
    }
    seeOther(res, `${pathOf(req, param(req, 'id'))}#owners`);
  });
}
