import type { Request, Response } from 'express';
import { listOf, textOf } from '../query.js';
import type { Grant, Person } from '../records.js';
import type { World } from '../world.js';
import type { Access, AddCall } from './calls.js';
import { answerOf, missing, pageOf, userOf } from './objects.js';
import { problem } from './problem.js';

const MOST = 100;
const READ: Access = { tokens: 'any', scope: 'users.read' };

/** Adds the calls about people and whom they follow. */
export function users(addCall: AddCall, world: World): void {
  addCall('/2/users/me', { ...READ, tokens: 'user' }, (req, res, grant) => {
    const me = world.person(grant.person);
    if (me) res.json({ data: userOf(world, me, req, grant) });
    else problem(res, 401, 'Unauthorized');
  });
  const many =
    (parameter: 'ids' | 'usernames') =>
    (req: Request, res: Response, grant: Grant): void => {
      const values = listOf(req.query[parameter]);
      if (values.length === 0 || values.length > MOST) {
        res.status(400).json(wrongCount(parameter, values));
        return;
      }
      const data: object[] = [];
      const errors: object[] = [];
      for (const value of values) {
        const person = parameter === 'ids' ? world.byX(value) : world.byHandle('x', value);
        if (person) data.push(userOf(world, person, req, grant));
        else errors.push(missing('user', parameter, value));
      }
      res.json(answerOf(data, errors));
    };
  addCall('/2/users', READ, many('ids'));
  addCall('/2/users/by', READ, many('usernames'));
  const single =
    (parameter: 'id' | 'username', find: (value: string) => Person | null) =>
    (req: Request, res: Response, grant: Grant): void => {
      const value = textOf(req.params[parameter]);
      const person = find(value);
      res.json(
        person
          ? { data: userOf(world, person, req, grant) }
          : { errors: [missing('user', parameter, value)] },
      );
    };
  addCall(
    '/2/users/by/username/:username',
    READ,
    single('username', (name) => world.byHandle('x', name)),
  );
  addCall(
    '/2/users/:id',
    READ,
    single('id', (id) => world.byX(id)),
  );
  const listed =
    (idsOf: (id: string) => string[]) =>
    (req: Request, res: Response, grant: Grant): void => {
      const { part, meta } = pageOf(req, idsOf(textOf(req.params['id'])), 1000);
      res.json({ ...answerOf(usersOf(world, part, req, grant)), meta });
    };
  const follows: Access = { tokens: 'any', scope: 'follows.read' };
  addCall(
    '/2/users/:id/following',
    follows,
    listed((id) => world.relations('x', id)),
  );
  addCall(
    '/2/users/:id/followers',
    follows,
    listed((id) => world.followers('x', id)),
  );
}

/** The user objects of those ids that exist. */
export const usersOf = (world: World, ids: string[], req: Request, grant: Grant): object[] =>
  ids
    .map((id) => world.byX(id))
    .filter((person) => person !== null)
    .map((person) => userOf(world, person, req, grant));

const wrongCount = (parameter: string, values: string[]): object => ({
  errors: [
    {
      parameters: { [parameter]: values },
      message:
        `The number of values in the \`${parameter}\` query parameter list ` +
        `[${values.length}] is not between 1 and ${MOST}`,
    },
  ],
  title: 'Invalid Request',
  detail: 'One or more parameters to your request was invalid.',
  type: 'https://api.x.com/2/problems/invalid-request',
});
