import { expect } from 'chai';
import { z } from 'zod';
import type { Person } from '../../scripts/sandbox/records.js';
import { OPERATIONS } from '../../server/openapi.js';
import type { Operation } from '../../server/platform/openapi.js';
import { startWorld, type World } from '../support/world.js';

type Roles = 'fan' | 'moderator' | 'organiser';
/** A request to an operation: its address, who sends it, and the body. */
interface Request {
  path?: string;
  as?: Roles;
  body?: unknown;
}

const operations = OPERATIONS.flatMap((room) =>
  Object.entries(room).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({
      name: `${method} ${path}`,
      method,
      path,
      operation,
    })),
  ),
).filter(({ operation }) => typeof operation.answer !== 'string');

/**
 * What `/api/v1` answers is what its description says: every operation is asked once, and parsing
 * leaves out whatever a schema does not name, so what comes out must be the whole answer.
 */
describe('the answer of an operation', () => {
  let world: World;
  const tokens = {} as Record<Roles, string>;
  let requests: Record<string, Request>;

  before(async () => {
    world = await startWorld();
    await world.athletes();
    for (const athlete of ['athlete1', 'athlete2'] as const) await world.verify(athlete, 'x');
    const granted = await world.verify('athlete3', 'x');
    await world.room('room');
    for (const role of ['moderator', 'organiser'] as const)
      tokens[role] = (await world.fan(`${role}2`, { role })).token;
    const { fan, token } = await world.fan('fan1');
    tokens.fan = token;
    const sandbox = world.sandbox.world;
    const person = (handle: string): Person => {
      const found = sandbox.person(handle);
      if (!found) throw new Error(`no ${handle}`);
      return found;
    };
    for (const athlete of ['athlete1', 'athlete2'])
      sandbox.relate('x', person('fan1'), person(athlete), true);
    const { jobs, clock, connection } = world.context;
    await connection.collection('videos').insertOne({
      ...{ _id: 'film' as never, athlete: 'athlete1', seconds: 60, published: true },
      ...{ title: { fr: 'F', en: 'F' }, about: { fr: 'a', en: 'a' } },
      lock: [{ kind: 'follow', athletes: ['athlete1', 'athlete2'], need: 2, network: null }],
      ...{ captions: { fr: '', en: '' }, transcript: { fr: '', en: '' } },
      publishedAt: clock.now(),
    });
    jobs.handle('test.fails', { attempts: 1 }, () => Promise.reject(new Error('no')));
    await jobs.add('test.fails', 'one', {});
    await world.api('/athletes/athlete2/follow', {
      ...{ method: 'POST', token, body: { network: 'x' } },
    });
    await world.api('/chats/room/messages', {
      ...{ method: 'POST', token, body: { text: 'before', clientId: 'client-0' } },
    });
    await world.settle();
    await world.context.points.heal();
    const [ended] = (await jobs.ended(1)).items;
    const submitted = { account: 'x:athlete4', athlete: 'athlete2' };
    requests = {
      'get /athletes': { path: '/athletes' },
      'get /athletes/{slug}': { path: '/athletes/athlete1', as: 'fan' },
      'post /athletes/{slug}/follow': {
        ...{ path: '/athletes/athlete1/follow', as: 'fan', body: { network: 'x' } },
      },
      'delete /athletes/{slug}/follow': {
        ...{ path: '/athletes/athlete3/follow', as: 'fan', body: { network: 'x' } },
      },
      'post /follows/check': { as: 'fan', body: {} },
      'get /me': { as: 'fan' },
      'get /me/ledger': { as: 'fan' },
      'get /me/medals': { as: 'fan' },
      'get /boards/{board}': { path: '/boards/hub', as: 'fan' },
      'get /videos': { as: 'fan' },
      'get /videos/{slug}': { path: '/videos/film', as: 'fan' },
      'get /chats': {},
      'get /chats/{slug}': { path: '/chats/room' },
      'post /chats/{slug}/messages': {
        ...{ path: '/chats/room/messages', as: 'fan', body: { text: 'hi', clientId: 'client-1' } },
      },
      'get /chats/{slug}/messages': { path: '/chats/room/messages', as: 'fan' },
      'get /jobs': { as: 'organiser' },
      'post /jobs/{id}/start': {
        path: `/jobs/${ended?.id ?? ''}/start`,
        as: 'organiser',
        body: {},
      },
      'get /networks/taking': { as: 'organiser' },
      'post /networks/taking/limits': { as: 'organiser', body: { share: 0.02, least: 50 } },
      'get /registry/lookup': { path: '/registry/lookup?account=x:athlete1' },
      'get /registry/cases': { path: '/registry/cases?state=verified', as: 'moderator' },
      'post /registry/cases': { as: 'moderator', body: submitted },
      'post /registry/cases/{id}/owners': {
        path: `/registry/cases/${granted}/owners`,
        ...{ as: 'moderator', body: { fan: fan._id, owns: 'yes' } },
      },
      'post /registry/cases/{id}/revocation': {
        path: `/registry/cases/${granted}/revocation`,
        ...{ as: 'moderator', body: { reason: 'it was sold' } },
      },
    };
  });
  after(() => world.close());

  /** Operations that other tests hold against their schemas, because they need a story first. */
  const ELSEWHERE = ['post /registry/cases/{id}/decision', 'post /networks/{network}/taking'];

  it('is asked for here, whichever operation it is', () => {
    expect(operations.map(({ name }) => name)).to.have.members([
      ...Object.keys(requests),
      ...ELSEWHERE,
    ]);
  });

  for (const { name, method, path, operation } of operations.filter(
    (each) => !ELSEWHERE.includes(each.name),
  ))
    it(`is what the document says of it: ${name}`, async () => {
      const { path: address = path, as, body } = requests[name] as Request;
      const answer = await world.api(address, {
        method: method.toUpperCase(),
        ...(as ? { token: tokens[as] } : {}),
        ...(body === undefined ? {} : { body }),
      });
      expect([answer.status, answer.body]).to.satisfy(
        () => answer.status === (operation.status ?? 200),
        JSON.stringify(answer.body),
      );
      expect((operation.answer as z.ZodType).parse(answer.body)).to.deep.equal(answer.body);
      const items = (answer.body as { items?: unknown[] }).items;
      if (items) expect(items, 'a list with something in it').not.to.deep.equal([]);
    });
});
