import { readFileSync } from 'node:fs';
import type { Redis } from './redis.js';

/** A script that is known to Redis: takes its keys and arguments, answers its one JSON reply. */
export type Script<Reply> = (keys: string[], ...args: (string | number)[]) => Promise<Reply>;

/** Reads a script from its `.lua` file, once, at start. */
export const loadScript = (file: URL): string => readFileSync(file, 'utf8');

/**
 * Makes a script known to a client under a name of its own. The script answers one JSON object;
 * what its type says of it is believed. For whoever writes one: `cjson` turns an empty table into
 * `{}`, so an empty list is left out, and cuts numbers behind 14 digits, so scores are sent as
 * texts.
 */
export function defineScript<Reply>(client: Redis, name: string, source: string): Script<Reply> {
  client.defineCommand(name, { lua: source });
  const run = (client as unknown as Record<string, (...args: unknown[]) => Promise<string>>)[
    name
  ] as (...args: unknown[]) => Promise<string>;
  return async (keys, ...args) =>
    JSON.parse(await run.call(client, keys.length, ...keys, ...args)) as Reply;
}
