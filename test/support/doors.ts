import type { RequestHandler } from 'express';
import { createApp } from '../../server/app.js';
import type { Context } from '../../server/context.js';
import { doorOf, type Door } from '../../server/platform/doors.js';

interface Layer {
  handle: RequestHandler & { stack?: Layer[] };
  route?: { path: string; stack: Layer[] };
}
function below(stack: Layer[]): { path: string; door: Door | null }[] {
  return stack.flatMap(({ handle, route }) => {
    if (route)
      return [{ path: route.path, door: route.stack[0] ? doorOf(route.stack[0].handle) : null }];
    return handle.stack ? below(handle.stack) : [];
  });
}

/**
 * Every route of the real app as its routers have them, whoever made it, with the door whose rule
 * it holds; null where it holds none.
 */
export const routesOf = (context: Context): { path: string; door: Door | null }[] =>
  below((createApp(context) as unknown as { router: { stack: Layer[] } }).router.stack);

/** Every door of the real app. */
export const doorsOf = (context: Context): Door[] =>
  routesOf(context).flatMap(({ door }) => (door ? [door] : []));

/**
 * The path of a door for a request: things that `startWorld` and its `athletes` have where there
 * are some, else `none`.
 */
export const pathOf = (door: Door, language: 'fr' | 'en' = 'en'): string =>
  door.path
    .replace('/captions/:language', '/captions/fr')
    .replace(':language', language)
    .replace('/athletes/:slug', '/athletes/athlete1')
    .replace('/chats/:slug', '/chats/room')
    .replace(':board', 'hub')
    .replace(':network', 'x')
    .replace(/:\w+/g, 'none');
