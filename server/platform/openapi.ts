import { z } from 'zod';
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
} from 'zod-openapi';
import { scopesOf, type ApiDoors, type ApiRule } from './doors.js';
import { sessionCookie } from './sessions.js';

/** An error of the API (RFC 9457). */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    detail: z.string(),
    id: z.string(),
    instance: z.string(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457' });

/** What is said of an operation; who may use it is told by its door. */
export interface Operation {
  summary: string;
  path?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodObject;
  /** The schema that the presenter of the answer is typed by, or the media type of a file. */
  answer: z.ZodType | `${string}/${string}`;
  /** 200, unless said otherwise. */
  status?: 200 | 201 | 202;
  problem?: z.ZodType;
}

/** The operations of a room, by path (`/videos/{slug}`) and method. */
export type Operations = Record<
  string,
  Partial<Record<'get' | 'post' | 'put' | 'patch' | 'delete', Operation>>
>;

/** The parameter of paths that name one thing by its slug. */
export const SlugPath = z.object({ slug: z.string() });

function describe(operation: Operation): ZodOpenApiOperationObject {
  const { summary, path, query, body, answer, status = 200, problem = Problem } = operation;
  const content =
    typeof answer === 'string' ? { [answer]: {} } : { 'application/json': { schema: answer } };
  return {
    summary,
    requestParams: { ...(path ? { path } : {}), ...(query ? { query } : {}) },
    ...(body ? { requestBody: { content: { 'application/json': { schema: body } } } } : {}),
    responses: {
      [status]: { description: 'OK', content },
      default: {
        description: 'A problem',
        content: { 'application/problem+json': { schema: problem } },
      },
    },
  };
}

/** Who may use an operation: with which of a token's scopes, with a session, or with neither. */
function securityOf(rule: ApiRule): Record<string, string[]>[] {
  const scopes = scopesOf(rule);
  const tokens =
    scopes.length === 0 ? [{ bearer: [] }] : scopes.map((scope) => ({ bearer: [scope] }));
  return [...(rule.who === 'anyone' ? [{}] : []), ...tokens, { session: [] }];
}

/** An operation with what its door demands. Throws for one that has no door. */
function guarded(doors: ApiDoors, path: string, method: string, operation: Operation) {
  const address = doors.base + path.replace(/\{(\w+)\}/g, ':$1');
  const door = doors.list.find(({ method: its, path: at }) => its === method && at === address);
  if (door?.kind !== 'api')
    throw new Error(`openapi: ${method.toUpperCase()} ${path} is described and has no door`);
  const { rule } = door;
  return {
    ...describe(operation),
    security: securityOf(rule),
    ...(typeof rule.who === 'string' ? {} : { 'x-roles': rule.who }),
  };
}

/**
 * The OpenAPI document of these doors, as JSON: made from the schemas that check input and type
 * answers, and from the rules that the doors hold. Throws for an operation that has no door.
 */
export function describeApi(doors: ApiDoors, publicUrl: string, rooms: Operations[]): string {
  const paths = rooms
    .flatMap((operations) => Object.entries(operations))
    .map(([path, methods]) => [
      path,
      Object.fromEntries(
        Object.entries(methods).map(([method, operation]) => [
          method,
          guarded(doors, path, method, operation),
        ]),
      ),
    ]);
  const { name } = sessionCookie(publicUrl);
  const document = createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Village',
      version: '1',
      description: 'Verified accounts of athletes, points for fans, videos, chats.',
    },
    servers: [{ url: `${publicUrl}${doors.base}` }],
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        session: { type: 'apiKey', in: 'cookie', name },
      },
    },
    paths: Object.fromEntries(paths) as ZodOpenApiPathsObject,
  });
  return JSON.stringify(document);
}
