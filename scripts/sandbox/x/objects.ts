import type { Request } from 'express';
import { listOf, textOf } from '../query.js';
import { handleOn, type Grant, type Person, type Post } from '../records.js';
import type { World } from '../world.js';

/** Makes the user object of a person, with the fields that the request names. */
export function userOf(
  world: World,
  person: Person,
  req: Request,
  grant: Grant,
): Record<string, unknown> {
  const fields = listOf(req.query['user.fields']);
  const optional = {
    description: person.about,
    created_at: person.since,
    protected: false,
    verified: person.page !== null,
    verified_type: person.page ? 'blue' : 'none',
    public_metrics: {
      followers_count: world.followers('x', person.ids.x).length,
      following_count: world.relations('x', person.ids.x).length,
      tweet_count: 0,
      listed_count: 0,
    },
  };
  const status = fields.includes('connection_status') ? connections(world, person, grant) : [];
  return {
    id: person.ids.x,
    name: person.name,
    username: handleOn('x', person),
    ...Object.fromEntries(Object.entries(optional).filter(([name]) => fields.includes(name))),
    // Absent when there is no connection.
    ...(status.length > 0 ? { connection_status: status } : {}),
  };
}

function connections(world: World, person: Person, grant: Grant): string[] {
  const me = world.person(grant.person);
  if (!me) return [];
  return [
    ...(world.related('x', me.ids.x, person.ids.x) ? ['following'] : []),
    ...(world.related('x', person.ids.x, me.ids.x) ? ['followed_by'] : []),
  ];
}

/** Makes the object of a post. */
export const tweetOf = (world: World, post: Post): object => ({
  id: post.id,
  text: post.text,
  author_id: post.author,
  created_at: post.at,
  edit_history_tweet_ids: [post.id],
  public_metrics: {
    retweet_count: 0,
    reply_count: 0,
    like_count: world.likers('x', post.id).length,
    quote_count: 0,
    bookmark_count: 0,
    impression_count: 0,
  },
});

/** Makes the partial error about something that does not exist. */
export const missing = (resource: string, parameter: string, value: string): object => ({
  resource_type: resource,
  parameter,
  value,
  resource_id: value,
  title: 'Not Found Error',
  detail: `Could not find ${resource} with ${parameter}: [${value}].`,
  type: 'https://api.x.com/2/problems/resource-not-found',
});

/** Makes an answer of data and partial errors, each left out when there is none. */
export const answerOf = (data: object[], errors: object[] = []): Record<string, unknown> => ({
  ...(data.length > 0 ? { data } : {}),
  ...(errors.length > 0 ? { errors } : {}),
});

/** Cuts the page that a request wants out of a list; an opaque token says where to go on. */
export function pageOf<T>(
  req: Request,
  all: T[],
  most: number,
): { part: T[]; meta: Record<string, unknown> } {
  const size = Math.min(most, Math.max(1, Number(textOf(req.query['max_results']) || 100)));
  const token = textOf(req.query['pagination_token']);
  const from = Number(Buffer.from(token, 'base64url').toString() || 0);
  const part = all.slice(from, from + size);
  const next = Buffer.from(String(from + size)).toString('base64url');
  return {
    part,
    meta: {
      result_count: part.length,
      ...(from + size < all.length ? { next_token: next } : {}),
    },
  };
}
