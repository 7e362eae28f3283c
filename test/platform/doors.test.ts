import { expect } from 'chai';
import type { RequestHandler } from 'express';
import {
  ApiDoors,
  PageDoors,
  scopesOf,
  type ApiRule,
  type Door,
  type DoorParts,
} from '../../server/platform/doors.js';
import type { Browser } from '../support/browserless.js';
import { pathOf, routesOf } from '../support/doors.js';
import { startWorld, type World } from '../support/world.js';
import { RIGHTS, ROLES, SCOPES } from '../../server/platform/rights.js';

/** What a door may say before its handler is asked. */
const REFUSALS = ['not_signed_in', 'missing_scope', 'not_allowed', 'bad_token'];
type Who = { role: (typeof ROLES)[number] | 'fan'; scopes: readonly string[] };

describe('doors without a rule', () => {
  const parts = {} as DoorParts;
  const handler: RequestHandler = (_req, res) => {
    res.end();
  };
  for (const [why, make] of [
    [
      'is a handler, as routers have it',
      () => new ApiDoors('', parts).get('/x', handler as never, handler),
    ],
    ['is missing', () => new PageDoors('', parts).post('/x', undefined as never)],
    ['lets nobody in', () => new PageDoors('', parts).get('/x', { who: [] }, handler)],
    [
      'names no scope under /api',
      () => new ApiDoors('', parts).get('/x', { who: 'fan' } as never, handler),
    ],
    [
      'names a scope for a page',
      () => new PageDoors('', parts).get('/x', { who: 'fan', scope: 'read' } as never, handler),
    ],
    [
      'does without a form token under /api',
      () =>
        new ApiDoors('', parts).post(
          '/x',
          { who: 'fan', scope: 'read', formToken: false } as never,
          handler,
        ),
    ],
  ] as const)
    it(`are not made: the rule ${why}`, () => {
      expect(make).to.throw(/^(GET|POST) \/x: /);
    });
});

/**
 * Every door of the real app, as its router has it, tried by everybody: a door that is added is
 * tried too.
 */
describe('every door', function () {
  this.timeout(120_000);
  let world: World;
  let routes: ReturnType<typeof routesOf>;
  let doors: Door[];
  const api = (): Extract<Door, { kind: 'api' }>[] => doors.filter((door) => door.kind === 'api');
  const pages = (): Extract<Door, { kind: 'page' }>[] =>
    doors.filter((door) => door.kind === 'page');
  const tokens = new Map<string, string>();
  const sessions = new Map<string, Browser>();

  before(async () => {
    world = await startWorld({ card: 'hub' });
    await world.athletes();
    routes = routesOf(world.context);
    doors = routes.flatMap(({ door }) => (door ? [door] : []));
    for (const role of ['fan', ...ROLES, 'banned'] as const) {
      const { fan } = await world.fan(
        `who-${role}`,
        role === 'fan' || role === 'banned' ? {} : { role },
      );
      tokens.set(`${role}:all`, await world.context.tokens.create(fan._id, 'all'));
      for (const scope of SCOPES)
        tokens.set(`${role}:${scope}`, await world.context.tokens.create(fan._id, scope, [scope]));
      const browser = world.browser();
      await browser.signIn('x', `who-${role}`);
      sessions.set(role, browser);
      if (role === 'banned') await world.context.fans.ban(fan._id, 'test', 'test');
    }
  });
  after(() => world.close());

  const ask = async (
    door: Door,
    headers: Record<string, string>,
  ): Promise<{ status: number; id: string | null; location: string | null }> => {
    const unsafe = door.method !== 'get';
    const response = await fetch(`${world.url}${pathOf(door)}`, {
      method: door.method.toUpperCase(),
      redirect: 'manual',
      headers: {
        ...(unsafe
          ? {
              'content-type':
                door.kind === 'api' ? 'application/json' : 'application/x-www-form-urlencoded',
            }
          : {}),
        ...headers,
      },
      ...(unsafe ? { body: door.kind === 'api' ? '{}' : '' } : {}),
    });
    const text = await response.text();
    const id = response.headers.get('content-type')?.startsWith('application/problem')
      ? (JSON.parse(text) as { id: string }).id
      : null;
    return { status: response.status, id, location: response.headers.get('location') };
  };
  /** How a door must refuse somebody, said once more and in other words than the door's own. */
  function due({ who, scope, hidden }: ApiRule, by: Who | null): string | null {
    if (who === 'anyone') return null;
    if (by === null) return 'not_signed_in';
    const asked = scope === 'none' ? [...SCOPES] : typeof scope === 'string' ? [scope] : [...scope];
    if (!by.scopes.some((scope) => asked.includes(scope as never))) return 'missing_scope';
    if (who === 'fan' || who.includes(by.role)) return null;
    return hidden ? 'not_found' : 'not_allowed';
  }

  it('has a rule: no route of the app stands beside them', () => {
    expect(routes.filter(({ door }) => door === null).map(({ path }) => path)).to.deep.equal([]);
    expect(api().length).to.be.greaterThan(15);
    expect(pages().length).to.be.greaterThan(25);
  });

  it(
    'has a rule that makes sense: whatever changes something is for somebody, staff’s doors ' +
      'for staff, one’s own for oneself',
    () => {
      const roles = [...ROLES] as string[];
      for (const { method, path, rule, kind } of doors) {
        const name = `${method} ${path}`;
        if (typeof rule.who !== 'string')
          expect(
            rule.who.filter((role) => !roles.includes(role)),
            name,
          ).to.deep.equal([]);
        if (kind === 'api' && method !== 'get') {
          expect(rule.who, name).to.not.equal('anyone');
          expect(scopesOf(rule), name).to.not.deep.equal([]);
        }
        if (/^\/(api\/v1|:language)\/me(\/|$)/.test(path)) expect(rule.who, name).to.equal('fan');
        if (/\/(registry\/cases|moderation)(\/|$)/.test(path))
          expect(rule.who, name).to.deep.equal(RIGHTS.moderate);
      }
      const open = pages().filter(
        ({ method, rule }) =>
          method !== 'get' && (rule.who === 'anyone' || rule.formToken === false),
      );
      expect(open.map(({ path }) => path)).to.have.members([
        '/:language/sign-in/:network',
        '/:language/welcome',
        '/:language/theme',
      ]);
    },
  );

  it(
    'under /api lets in whom its rule names, with the scope it names, and nobody else: every ' +
      'route × scope × role',
    async () => {
      const wrong: string[] = [];
      for (const door of api()) {
        const callers: [name: string, by: Who | null, headers: Record<string, string>][] = [
          ['anonymous', null, {}],
        ];
        for (const role of ['fan', ...ROLES] as const)
          for (const scope of ['all', ...SCOPES])
            callers.push([
              `${role} with ${scope}`,
              { role, scopes: scope === 'all' ? SCOPES : [scope] },
              { authorization: `Bearer ${tokens.get(`${role}:${scope}`) ?? ''}` },
            ]);
        const answers = await Promise.all(
          callers.map(async ([name, by, headers]) => ({
            name,
            by,
            answer: await ask(door, headers),
          })),
        );
        for (const { name, by, answer } of answers) {
          const want = due(door.rule, by);
          const fine =
            want === null
              ? answer.status < 500 && !REFUSALS.includes(answer.id ?? '')
              : answer.id === want;
          if (!fine)
            wrong.push(
              `${door.method} ${door.path} by ${name}: ${answer.status} ${String(answer.id)} instead of ${String(want)}`,
            );
        }
        const banned = await ask(door, {
          authorization: `Bearer ${tokens.get('banned:all') ?? ''}`,
        });
        if (banned.id !== 'bad_token')
          wrong.push(`${door.method} ${door.path} by banned: ${banned.status}`);
      }
      expect(wrong).to.deep.equal([]);
    },
  );

  it('under /api asks a session for the form token, and a banned one for a sign-in', async () => {
    for (const door of api()) {
      if (door.method === 'get' || typeof door.rule.who !== 'string') continue;
      const headers = {
        cookie: sessions.get('fan')?.cookie ?? '',
        'sec-fetch-site': 'same-origin',
      };
      expect((await ask(door, headers)).id, door.path).to.equal('foreign_request');
      expect(
        (await ask(door, { ...headers, cookie: sessions.get('banned')?.cookie ?? '' })).id,
        door.path,
      ).to.equal('not_signed_in');
    }
  });

  it('that is open to anyone knows a token that may not read as nobody', async () => {
    await world.verify('athlete1', 'x');
    const { fan, token } = await world.fan('reader');
    await world.api('/athletes/athlete1/follow', { method: 'POST', token, body: { network: 'x' } });
    const seen = async (scope: 'read' | 'chat'): Promise<unknown> => {
      const { body } = await world.api('/athletes/athlete1', {
        token: await world.context.tokens.create(fan._id, scope, [scope]),
      });
      return (body as unknown as { accounts: { followed?: boolean }[] }).accounts[0]?.followed;
    };
    expect([await seen('read'), await seen('chat')]).to.deep.equal([true, undefined]);
  });

  it(
    'of a page takes no token: whoever sends one is a visitor, and a session beside it counts ' +
      'as if it were not there',
    async () => {
      const bearer = { authorization: `Bearer ${tokens.get('admin:all') ?? ''}` };
      const wrong: string[] = [];
      for (const door of pages()) {
        if (door.path === '/metrics') continue;
        const own = {
          cookie: sessions.get('admin')?.cookie ?? '',
          'sec-fetch-site': 'same-origin',
        };
        const [visitor, token, session, both] = [
          await ask(door, {}),
          await ask(door, bearer),
          await ask(door, own),
          await ask(door, { ...own, ...bearer }),
        ];
        if (
          token.status >= 500 ||
          token.status !== visitor.status ||
          token.location !== visitor.location
        )
          wrong.push(
            `${door.method} ${door.path}: ${token.status} with a token, ${visitor.status} without`,
          );
        if (both.status !== session.status || both.location !== session.location)
          wrong.push(
            `${door.method} ${door.path}: ${both.status} with a token beside the session, ${session.status} without`,
          );
        // No form token was sent: nothing that needs one may have gone through.
        if (
          door.method !== 'get' &&
          door.rule.formToken !== false &&
          ![401, 403, ...(door.rule.hidden ? [404] : [])].includes(both.status)
        )
          wrong.push(`${door.method} ${door.path}: ${both.status}`);
      }
      expect(wrong).to.deep.equal([]);
    },
  );

  it('of a page lets in whom its rule names, by session', async () => {
    const wrong: string[] = [];
    for (const door of pages()) {
      if (door.rule.who === 'anyone') continue;
      for (const role of ['fan', ...ROLES, 'banned', 'visitor'] as const) {
        const cookie = sessions.get(role)?.cookie;
        const { status, location } = await ask(door, {
          'sec-fetch-site': 'same-origin',
          ...(cookie ? { cookie } : {}),
        });
        const nobody = role === 'banned' || role === 'visitor';
        const allowed = !nobody && (door.rule.who === 'fan' || door.rule.who.includes(role));
        const asked =
          door.method === 'get'
            ? status === 303 && (location ?? '').includes('/sign-in?')
            : status === 401;
        const fine = nobody
          ? asked
          : !allowed
            ? status === 404
            : door.method === 'get'
              ? status < 500 && !asked
              : status === 403;
        if (!fine)
          wrong.push(`${door.method} ${door.path} by ${role}: ${status} ${location ?? ''}`);
      }
    }
    expect(wrong).to.deep.equal([]);
  });

  it(
    'of a moderator is shut to their token where only a session opens: no account is verified ' +
      'by a form sent with it',
    async () => {
      const by = await world.moderator();
      const opened = await world.context.registry.submit(by, 'x:athlete2', 'athlete2');
      const token = await world.context.tokens.create(by.id, 'read', ['read']);
      const answer = await fetch(`${world.url}/en/moderation/cases/${opened._id}/decision`, {
        method: 'POST',
        redirect: 'manual',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: new URLSearchParams({ decision: 'grant', reason: 'because I hold a token' }),
      });
      expect(answer.status).to.equal(401);
      expect((await world.context.registry.requireCase(opened._id)).account.state).to.equal(
        'candidate',
      );
    },
  );

  it('under /api is described by OpenAPI, with the scopes and roles of its own rule', async () => {
    const { body } = await world.api('/openapi.json');
    const { openapi, paths } = body as unknown as {
      openapi: string;
      paths: Record<string, Record<string, { security: object[]; 'x-roles'?: string[] }>>;
    };
    expect(openapi).to.equal('3.1.0');
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    const made = api().map(
      ({ method, path }) => `${method} ${path.slice('/api/v1'.length).replace(/:(\w+)/g, '{$1}')}`,
    );
    expect(described).to.have.members(made.filter((door) => door !== 'get /openapi.json'));
    expect(paths['/registry/cases']?.['post']).to.deep.include({
      security: [{ bearer: ['moderate'] }, { session: [] }],
      'x-roles': ['moderator', 'admin'],
    });
    expect(paths['/athletes']?.['get']?.security).to.deep.equal([
      {},
      { bearer: [] },
      { session: [] },
    ]);
    expect(paths['/chats/{slug}/messages']?.['get']?.security).to.deep.equal([
      {},
      { bearer: ['read'] },
      { bearer: ['chat'] },
      { session: [] },
    ]);
  });
});
