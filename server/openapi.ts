import type { Router } from 'express';
import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject } from 'zod-openapi';
import { ApiSearch } from './athletes/schema.js';
import { FollowBody } from './follows/schema.js';
import { BoardQuery, StatementQuery } from './points/schema.js';
import { Decide, LookupQuery, Owner, Queue, Revoke, Submit } from './registry/schema.js';
import { Messages, Say } from './village/schema.js';

const Problem = z
  .object({ type: z.string(), title: z.string(), status: z.number(), detail: z.string(), id: z.string(), instance: z.string() })
  .meta({ id: 'Problem', description: 'RFC 9457' });
const Verdict = z.enum(['yes', 'no', 'unknown', 'unsupported']);
const Follow = z.object({
  verdict: Verdict,
  awarded: z.union([z.literal(0), z.literal(1)]),
  turn: z.number(),
  points: z.number(),
  medal: z.string().nullable(),
  unlocked: z.array(z.object({ slug: z.string(), title: z.string() })),
  open: z.string().optional(),
  job: z.string().optional(),
});
const page = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), nextCursor: z.string().nullable() });
const Account = z.object({ id: z.string(), network: z.string(), handle: z.string(), url: z.string(), since: z.iso.datetime() });
const Athlete = z.object({
  slug: z.string(),
  name: z.string(),
  noc: z.string().nullable(),
  disciplines: z.array(z.string()),
  status: z.enum(['active', 'former', 'qualified']),
  accounts: z.array(Account),
});
const Item = z.object({
  n: z.number(),
  kind: z.string().optional(),
  id: z.string().optional(),
  by: z.object({ name: z.string(), role: z.string() }).optional(),
  text: z.string().optional(),
  at: z.string().optional(),
});
const Lookup = z.object({
  result: z.enum(['listed', 'lapsed', 'revoked', 'known_fake', 'lookalike', 'unknown', 'not_an_account']),
  account: z.object({ network: z.string(), handle: z.string(), url: z.string() }).optional(),
  athlete: z.object({ slug: z.string(), name: z.string() }).optional(),
  since: z.iso.datetime().optional(),
  why: z.string().optional(),
  of: z.object({ name: z.string(), network: z.string().optional(), handle: z.string().optional() }).optional(),
  evidence: z.object({ decidedOn: z.iso.datetime().nullable(), by: z.number() }).optional(),
});
/** Where an athlete has two accounts on one network and none was named. */
const WhichAccount = Problem.extend({
  accounts: z.array(z.object({ id: z.string(), network: z.string(), handle: z.string(), url: z.string() })).optional(),
}).meta({
  id: 'FollowProblem',
  description: '`which_account` lists the accounts that may be meant; `still_following` has where to stop in `open`',
});
const slug = z.object({ slug: z.string() });

interface Door {
  summary: string;
  query?: z.ZodObject;
  path?: z.ZodObject;
  body?: z.ZodObject;
  answer: z.ZodType;
  status?: 200 | 201 | 202;
  problem?: z.ZodType;
  open?: boolean;
}
const operation = ({ summary, query, path, body, answer, status = 200, problem = Problem, open }: Door): ZodOpenApiOperationObject => ({
  summary,
  ...(open ? { security: [] } : {}),
  requestParams: { ...(query ? { query } : {}), ...(path ? { path } : {}) },
  ...(body ? { requestBody: { content: { 'application/json': { schema: body } } } } : {}),
  responses: {
    [status]: { description: 'OK', content: { 'application/json': { schema: answer } } },
    default: { description: 'A problem', content: { 'application/problem+json': { schema: problem } } },
  },
});

/** `GET /api/v1/openapi.json`, made from the very schemas that check input. */
export function openApi(router: Router, publicUrl: string): void {
  const document = createDocument({
    openapi: '3.1.0',
    info: { title: 'Village', version: '1', description: 'Verified accounts of athletes, points for fans, videos, chats.' },
    servers: [{ url: `${publicUrl}/api/v1` }],
    security: [{ bearer: [] }],
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    paths: {
      '/athletes': { get: operation({ summary: 'Search the directory', query: ApiSearch, answer: page(Athlete).extend({ total: z.number() }), open: true }) },
      '/athletes/{slug}': { get: operation({ summary: 'An athlete', path: slug, answer: Athlete.extend({ pointsToEarn: z.number() }), open: true }) },
      '/athletes/{slug}/follow': {
        post: operation({ summary: 'I follow', path: slug, body: FollowBody.omit({ csrf: true }), answer: Follow, problem: WhichAccount }),
        delete: operation({ summary: 'I follow no more', path: slug, body: FollowBody.omit({ csrf: true }), answer: Follow, problem: WhichAccount }),
      },
      '/follows/check': { post: operation({ summary: 'Ask every linked network again', answer: z.object({ job: z.string() }), status: 202 }) },
      '/registry/lookup': { get: operation({ summary: 'Whose account is this?', query: LookupQuery, answer: Lookup, open: true }) },
      '/registry/cases': {
        get: operation({
          summary: 'The moderators\u2019 queue',
          query: Queue,
          answer: z.object({ items: z.array(z.object({ id: z.string() })), open: z.number() }),
        }),
        post: operation({ summary: 'Open a case', body: Submit.omit({ csrf: true }), answer: z.object({ id: z.string() }), status: 201 }),
      },
      '/registry/cases/{id}/decision': {
        post: operation({
          summary: 'Grant or refuse',
          path: z.object({ id: z.string() }),
          body: Decide.omit({ csrf: true }),
          answer: z.object({ id: z.string(), state: z.string() }),
        }),
      },
      '/registry/cases/{id}/revocation': {
        post: operation({
          summary: 'Revoke',
          path: z.object({ id: z.string() }),
          body: Revoke.omit({ csrf: true }),
          answer: z.object({ id: z.string(), state: z.string() }),
        }),
      },
      '/registry/cases/{id}/owners': {
        post: operation({
          summary: 'Record that a fan owns an account, or does not',
          path: z.object({ id: z.string() }),
          body: Owner.omit({ csrf: true }),
          answer: z.object({ id: z.string(), owners: z.array(z.object({ fan: z.string(), by: z.string() })) }),
        }),
      },
      '/me': { get: operation({ summary: 'Who I am here', answer: z.object({ handle: z.string(), points: z.number(), medal: z.string().nullable() }) }) },
      '/me/ledger': {
        get: operation({
          summary: 'My statement, newest first',
          query: StatementQuery,
          answer: page(
            z.object({
              seq: z.number(),
              deed: z.string(),
              turn: z.number(),
              delta: z.number(),
              points: z.number(),
              cause: z.string(),
              athlete: z.string().nullable(),
            }),
          ),
        }),
      },
      '/me/medals': {
        get: operation({
          summary: 'My medals',
          answer: z.object({ items: z.array(z.object({ scope: z.string(), medal: z.string().nullable(), points: z.number() })) }),
        }),
      },
      '/boards/{board}': {
        get: operation({
          summary: 'A board of fans',
          path: z.object({ board: z.string() }),
          query: BoardQuery,
          answer: page(z.object({ rank: z.number(), fan: z.string(), points: z.number() })),
          open: true,
        }),
      },
      '/videos': {
        get: operation({
          summary: 'Videos and what opens them',
          answer: z.object({ items: z.array(z.object({ slug: z.string(), title: z.string(), open: z.boolean() })) }),
          open: true,
        }),
      },
      '/videos/{slug}': { get: operation({ summary: 'A video', path: slug, answer: z.object({ slug: z.string(), open: z.boolean() }), open: true }) },
      '/chats': {
        get: operation({
          summary: 'Chats',
          answer: z.object({ items: z.array(z.object({ slug: z.string(), title: z.string(), state: z.string(), startsAt: z.iso.datetime() })) }),
          open: true,
        }),
      },
      '/chats/{slug}': { get: operation({ summary: 'A chat', path: slug, answer: z.object({ slug: z.string(), state: z.string() }), open: true }) },
      '/chats/{slug}/messages': {
        get: operation({ summary: 'Items after n', path: slug, query: Messages, answer: z.object({ items: z.array(Item), last: z.number() }), open: true }),
        post: operation({
          summary: 'Say something',
          path: slug,
          body: Say.omit({ chat: true }),
          answer: z.object({ item: Item, last: z.number() }),
          status: 201,
        }),
      },
    },
  });
  const text = JSON.stringify(document);
  router.get('/openapi.json', (_req, res) => {
    res.type('json').send(text);
  });
}
