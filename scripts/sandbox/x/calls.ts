import type { Express, Request, Response } from 'express';
import type { OAuth } from '../oauth.js';
import type { Grant } from '../records.js';
import type { World } from '../world.js';
import { problem } from './problem.js';

/** Requests that X takes in 15 minutes, by route: of an app's token, of a person's. */
const LIMITS: Record<string, [app: number, user: number]> = {
  '/2/users': [300, 900],
  '/2/users/:id': [300, 900],
  '/2/users/by': [300, 900],
  '/2/users/by/username/:username': [300, 900],
  '/2/users/me': [75, 75],
  '/2/users/:id/following': [300, 300],
  '/2/users/:id/followers': [300, 300],
  '/2/users/:id/liked_tweets': [75, 75],
  '/2/tweets/:id/liking_users': [75, 75],
  '/2/users/:id/tweets': [10_000, 900],
  '/2/tweets': [300, 900],
  '/2/tweets/:id': [300, 900],
};

/** Which tokens a call takes: any, or a person's only; and the scope that a person's must have. */
export interface Access {
  tokens: 'any' | 'user';
  scope: string;
}

/** The token of a request, without `Bearer`; empty where there is none. */
export const bearerOf = (req: Request): string =>
  /^Bearer (.+)$/i.exec(req.get('authorization') ?? '')?.[1] ?? '';

/** Adds a call of the API: `act` runs once token, scope and rate limit allow it. */
export type AddCall = (
  route: string,
  access: Access,
  act: (req: Request, res: Response, grant: Grant) => void,
) => void;

/** Makes the function that adds calls to an app. */
export const callsOf =
  (app: Express, world: World, oauth: OAuth): AddCall =>
  (route, access, act) => {
    app.get(route, (req, res) => {
      const token = bearerOf(req);
      const { grant } = oauth.find(token);
      if (!grant) {
        problem(res, 401, 'Unauthorized');
        return;
      }
      const isApp = grant.kind === 'app';
      if (isApp ? access.tokens === 'user' : !grant.scopes.includes(access.scope)) {
        problem(res, 403, 'Forbidden');
        return;
      }
      const [forApp, forUser] = LIMITS[route] ?? [300, 900];
      const rate = world.traffic.count('x', route, token, isApp ? forApp : forUser);
      res.set({
        'x-rate-limit-limit': String(rate.limit),
        'x-rate-limit-remaining': String(rate.remaining),
        'x-rate-limit-reset': String(rate.reset),
      });
      if (rate.refused) {
        problem(res, 429, 'Too Many Requests');
        return;
      }
      act(req, res, grant);
    });
  };
