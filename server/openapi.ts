import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject } from 'zod-openapi';
import { ApiSearch } from './athletes/schema.js';
import { FollowBody, LetGo, NetworkPath, TakingLimits } from './follows/schema.js';
import { EndedJobs } from './pages/console/schema.js';
import { scopesOf, type ApiDoors, type ApiRule } from './platform/doors.js';
import { sessionCookie } from './platform/sessions.js';
import { BoardQuery, StatementQuery } from './points/schema.js';
import { Decide, LookupQuery, Owner, Queue, Revoke, Submit } from './registry/schema.js';
import { Messages, Say } from './village/schema.js';

const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    detail: z.string(),
    id: z.string(),
    instance: z.string(),
  })
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
const page = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() });
const Account = z.object({
  id: z.string(),
  network: z.string(),
  handle: z.string(),
  url: z.string(),
  since: z.iso.datetime(),
});
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
  result: z.enum([
    'listed',
    'lapsed',
    'revoked',
    'known_fake',
    'lookalike',
    'unknown',
    'not_an_account',
  ]),
  account: z.object({ network: z.string(), handle: z.string(), url: z.string() }).optional(),
  athlete: z.object({ slug: z.string(), name: z.string() }).optional(),
  since: z.iso.datetime().optional(),
  why: z.string().optional(),
  of: z
    .object({ name: z.string(), network: z.string().optional(), handle: z.string().optional() })
    .optional(),
  evidence: z.object({ decidedOn: z.iso.datetime().nullable(), by: z.number() }).optional(),
});
const Limits = z.object({ share: z.number(), least: z.number() });
const Taking = z.object({
  network: z.string(),
  stopped: z
    .object({
      at: z.iso.datetime(),
      taken: z.number(),
      wanted: z.number(),
      held: z.number(),
      limit: z.number(),
    })
    .nullable(),
  released: z
    .object({ at: z.iso.datetime(), by: z.string(), reason: z.string(), deeds: z.number() })
    .nullable(),
  waiting: z.object({ deeds: z.number(), fans: z.number() }),
});
/** Where an athlete has two accounts on one network and none was named. */
const WhichAccount = Problem.extend({
  accounts: z
    .array(z.object({ id: z.string(), network: z.string(), handle: z.string(), url: z.string() }))
    .optional(),
}).meta({
  id: 'FollowProblem',
  description:
    '`which_account` lists the accounts that may be meant; `still_following` has where to stop in `open`',
});
const slug = z.object({ slug: z.string() });

const media = (type: string): ZodOpenApiOperationObject['responses'] => ({
  200: { description: 'OK', content: { [type]: {} } },
  default: {
    description: 'A problem',
    content: { 'application/problem+json': { schema: Problem } },
  },
});
interface Described {
  summary: string;
  query?: z.ZodObject;
  path?: z.ZodObject;
  body?: z.ZodObject;
  answer: z.ZodType;
  status?: 200 | 201 | 202;
  problem?: z.ZodType;
}
const operation = ({
  summary,
  query,
  path,
  body,
  answer,
  status = 200,
  problem = Problem,
}: Described): ZodOpenApiOperationObject => ({
  summary,
  requestParams: { ...(query ? { query } : {}), ...(path ? { path } : {}) },
  ...(body ? { requestBody: { content: { 'application/json': { schema: body } } } } : {}),
  responses: {
    [status]: { description: 'OK', content: { 'application/json': { schema: answer } } },
    default: {
      description: 'A problem',
      content: { 'application/problem+json': { schema: problem } },
    },
  },
});

/**
 * Who may use an operation, as its door says: with which of a token's scopes, with a session, or
 * with neither.
 */
function securityOf(rule: ApiRule): Record<string, string[]>[] {
  const scopes = scopesOf(rule);
  const tokens = scopes.length === 0 ? [{ bearer: [] }] : scopes.map((one) => ({ bearer: [one] }));
  return [...(rule.who === 'anyone' ? [{}] : []), ...tokens, { session: [] }];
}

/**
 * Writes what each door demands into the operations of a document. Throws for an operation that has
 * no door.
 */
function secure(paths: Record<string, object>, { base, list }: ApiDoors): void {
  for (const [path, operations] of Object.entries(paths) as [
    string,
    Record<string, Record<string, unknown>>,
  ][])
    for (const [method, operation] of Object.entries(operations)) {
      const door = list.find(
        (one) => one.method === method && one.path === base + path.replace(/\{(\w+)\}/g, ':$1'),
      );
      if (door?.kind !== 'api')
        throw new Error(`openapi: ${method.toUpperCase()} ${path} is described and has no door`);
      operation['security'] = securityOf(door.rule);
      if (typeof door.rule.who !== 'string') operation['x-roles'] = door.rule.who;
    }
}

/**
 * `GET /api/v1/openapi.json`, made from the very schemas that check input and the very rules that
 * doors hold.
 */
export function openApi(router: ApiDoors, publicUrl: string): void {
  const document = createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Village',
      version: '1',
      description: 'Verified accounts of athletes, points for fans, videos, chats.',
    },
    servers: [{ url: `${publicUrl}/api/v1` }],
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        session: { type: 'apiKey', in: 'cookie', name: sessionCookie(publicUrl).name },
      },
    },
    paths: {
      '/athletes': {
        get: operation({
          summary: 'Search the directory',
          query: ApiSearch,
          answer: page(Athlete).extend({ total: z.number() }),
        }),
      },
      '/athletes/{slug}': {
        get: operation({
          summary: 'An athlete',
          path: slug,
          answer: Athlete.extend({ pointsToEarn: z.number() }),
        }),
      },
      '/athletes/{slug}/follow': {
        post: operation({
          summary: 'I follow',
          path: slug,
          body: FollowBody.omit({ csrf: true }),
          answer: Follow,
          problem: WhichAccount,
        }),
        delete: operation({
          summary: 'I follow no more',
          path: slug,
          body: FollowBody.omit({ csrf: true }),
          answer: Follow,
          problem: WhichAccount,
        }),
      },
      '/follows/check': {
        post: operation({
          summary: 'Ask every linked network again',
          answer: z.object({ job: z.string() }),
          status: 202,
        }),
      },
      '/networks/taking': {
        get: operation({
          summary: 'Where taking back is stopped, and what waits',
          answer: z.object({ items: z.array(Taking), limits: Limits }),
        }),
      },
      '/networks/taking/limits': {
        post: operation({
          summary: 'How much an hour may take',
          body: TakingLimits.omit({ csrf: true }),
          answer: Limits,
        }),
      },
      '/networks/{network}/taking': {
        post: operation({
          summary: 'Let taking go on',
          path: NetworkPath,
          body: z.object({ ...LetGo.omit({ csrf: true }).shape, at: z.iso.datetime() }),
          answer: Taking,
        }),
      },
      '/registry/lookup': {
        get: operation({ summary: 'Whose account is this?', query: LookupQuery, answer: Lookup }),
      },
      '/registry/cases': {
        get: operation({
          summary: 'The moderators\u2019 queue',
          query: Queue,
          answer: z.object({ items: z.array(z.object({ id: z.string() })), open: z.number() }),
        }),
        post: operation({
          summary: 'Open a case',
          body: Submit.omit({ csrf: true }),
          answer: z.object({ id: z.string() }),
          status: 201,
        }),
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
          answer: z.object({
            id: z.string(),
            owners: z.array(z.object({ fan: z.string(), by: z.string() })),
          }),
        }),
      },
      '/jobs': {
        get: operation({
          summary: 'Jobs that were given up, newest first',
          query: EndedJobs,
          answer: z.object({
            items: z.array(
              z.object({
                id: z.string(),
                kind: z.string(),
                name: z.string(),
                attempts: z.number(),
                failedAt: z.iso.datetime(),
                reason: z.string(),
              }),
            ),
            total: z.number(),
          }),
        }),
      },
      '/jobs/{id}/start': {
        post: operation({
          summary: 'Start a job again that was given up',
          path: z.object({ id: z.string() }),
          answer: z.object({ job: z.string() }),
          status: 202,
        }),
      },
      '/me': {
        get: operation({
          summary: 'Who I am here',
          answer: z.object({
            handle: z.string(),
            points: z.number(),
            medal: z.string().nullable(),
          }),
        }),
      },
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
          answer: z.object({
            items: z.array(
              z.object({ scope: z.string(), medal: z.string().nullable(), points: z.number() }),
            ),
          }),
        }),
      },
      '/boards/{board}': {
        get: operation({
          summary: 'A board of fans',
          path: z.object({ board: z.string() }),
          query: BoardQuery,
          answer: page(z.object({ rank: z.number(), fan: z.string(), points: z.number() })),
        }),
      },
      '/videos': {
        get: operation({
          summary: 'Videos and what opens them',
          answer: z.object({
            items: z.array(z.object({ slug: z.string(), title: z.string(), open: z.boolean() })),
          }),
        }),
      },
      '/videos/{slug}': {
        get: operation({
          summary: 'A video',
          path: slug,
          answer: z.object({ slug: z.string(), open: z.boolean() }),
        }),
      },
      '/videos/{slug}/media': {
        get: {
          summary: 'The video itself, by ranges; 403 while it is locked',
          requestParams: { path: slug },
          responses: media('video/mp4'),
        },
      },
      '/videos/{slug}/poster': {
        get: {
          summary: 'Its picture',
          requestParams: { path: slug },
          responses: media('image/jpeg'),
        },
      },
      '/videos/{slug}/captions/{language}': {
        get: {
          summary: 'Its captions',
          requestParams: { path: slug.extend({ language: z.string() }) },
          responses: media('text/vtt'),
        },
      },
      '/chats': {
        get: operation({
          summary: 'Chats',
          answer: z.object({
            items: z.array(
              z.object({
                slug: z.string(),
                title: z.string(),
                state: z.string(),
                startsAt: z.iso.datetime(),
              }),
            ),
          }),
        }),
      },
      '/chats/{slug}': {
        get: operation({
          summary: 'A chat',
          path: slug,
          answer: z.object({ slug: z.string(), state: z.string() }),
        }),
      },
      '/chats/{slug}/messages': {
        get: operation({
          summary: 'Items after n',
          path: slug,
          query: Messages,
          answer: z.object({ items: z.array(Item), last: z.number() }),
        }),
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
  secure(document.paths ?? {}, router);
  const text = JSON.stringify(document);
  router.get('/openapi.json', { who: 'anyone', scope: 'none' }, (_req, res) => {
    res.type('json').send(text);
  });
}
