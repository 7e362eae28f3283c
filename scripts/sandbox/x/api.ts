import type { Express } from 'express';
import type { OAuth } from '../oauth.js';
import { addPages, site } from '../site.js';
import type { World } from '../world.js';
import { authorization } from './authorization.js';
import { callsOf } from './calls.js';
import { posts, singlePost } from './posts.js';
import { problem } from './problem.js';
import { streams } from './streams.js';
import { users } from './users.js';

/** X, API v2: paths, parameters, shapes, errors and limits of NETWORKS 4.1 and 7. */
export function xSandbox(world: World, oauth: OAuth): Express {
  const app = site('x', world);
  const addCall = callsOf(app, world, oauth);
  authorization(app, world, oauth);
  users(addCall, world);
  posts(addCall, world);
  streams(app, world, oauth);
  singlePost(addCall, world);
  app.use('/2', (_req, res) => {
    problem(res, 404, 'Not Found');
  });
  addPages(app, 'x', world);
  return app;
}
