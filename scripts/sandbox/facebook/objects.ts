import { handleOn, type Person, type Post } from '../records.js';
import type { World } from '../world.js';

/** Parameters of a call, from its address and its body. */
export type Params = Record<string, string>;

/** Leaves those fields of an object that a call names; `normal` when it names none; always `id`. */
export function project(
  full: Record<string, unknown>,
  fields: string | undefined,
  normal: string[],
): Record<string, unknown> {
  const wanted = fields ? fields.replace(/\{[^}]*\}/g, '').split(',') : normal;
  return Object.fromEntries(
    Object.entries(full).filter(([name]) => name === 'id' || wanted.includes(name)),
  );
}

/** A time as Graph writes it, without parts of a second. */
export const timeOf = (iso: string): string => iso.replace(/\.\d+Z$/, '+0000');

/** Makes the object of a person's Page. */
export const pageOf = (
  world: World,
  origin: string,
  person: Person,
  fields?: string,
): Record<string, unknown> =>
  project(
    {
      id: person.page,
      name: person.name,
      username: handleOn('facebook', person),
      about: person.about,
      fan_count: world.followers('facebook', person.page ?? '').length,
      link: `${origin}/${handleOn('facebook', person)}`,
      verification_status: 'blue_verified',
    },
    fields,
    ['id', 'name'],
  );

/** Makes the object of a post. */
export const postOf = (origin: string, post: Post, fields?: string): Record<string, unknown> =>
  project(
    {
      id: post.id,
      message: post.text,
      created_time: timeOf(post.at),
      permalink_url: `${origin}/${post.id}`,
    },
    fields,
    ['id', 'message', 'created_time'],
  );

const cursor = (index: number): string => Buffer.from(String(index)).toString('base64url');

/** Cuts the page that a call wants out of a list, with the cursors around it. */
export function paged(items: Record<string, unknown>[], params: Params, path: string): unknown {
  const size = Math.min(100, Math.max(1, Number(params['limit'] ?? 25)));
  const from = Number(Buffer.from(params['after'] ?? '', 'base64url').toString() || 0);
  const data = items.slice(from, from + size);
  if (data.length === 0) return { data };
  const cursors = { before: cursor(from), after: cursor(from + data.length) };
  const next = `${path}?limit=${size}&after=${cursors.after}`;
  return { data, paging: { cursors, ...(from + size < items.length ? { next } : {}) } };
}
