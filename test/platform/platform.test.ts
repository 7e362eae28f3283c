import { expect } from 'chai';
import { readFileSync, readdirSync } from 'node:fs';
import mongoose from 'mongoose';
import { join } from 'node:path';
import { ConfigError, readConfig } from '../../server/config.js';
import { ERRORS } from '../../server/errors.js';
import { safeReturn } from '../../server/platform/guard.js';
import { addressKey } from '../../server/platform/limits.js';
import { Words } from '../../server/platform/i18n.js';
import { cut } from '../../server/platform/logs.js';
import { Signer, TokenVault } from '../../server/platform/secrets.js';
import { root } from '../../scripts/root.js';
import { doorsOf, pathOf } from '../support/doors.js';
import { baseEnv, startWorld, type World } from '../support/world.js';

describe('settings', () => {
  const good = {
    ...baseEnv('/tmp/x'),
    MONGODB_URI: 'mongodb+srv://a.example/x',
    REDIS_URL: 'rediss://a.example',
    PUBLIC_URL: 'https://village.example',
    METRICS_TOKEN: 'kR8s0vQ2mZx7Lw4TnB6yUe1CgHd5JfPa',
    NODE_ENV: 'production',
  };
  const problems = (env: NodeJS.ProcessEnv): string => {
    try {
      readConfig(env);
      return '';
    } catch (error) {
      return (error as ConfigError).problems.join('; ');
    }
  };
  it('are taken when they are right', () => {
    expect(problems(good)).to.equal('');
  });
  it('name every secret that is missing', () => {
    expect(problems({ NODE_ENV: 'production' }))
      .to.contain('SESSION_SECRET is missing')
      .and.contain('TOKEN_KEYS is missing')
      .and.contain('SIGNING_KEY is missing')
      .and.contain('MONGODB_URI is missing')
      .and.contain('PUBLIC_URL is missing');
  });
  for (const [name, value, word] of [
    ['SESSION_SECRET', 'change-me-change-me-change-me-change-me', 'weak'],
    ['SESSION_SECRET', 'short', 'weak'],
    ['TOKEN_KEYS', 'k1:abc', 'malformed'],
    ['SIGNING_KEY', 'abc', 'malformed'],
    ['PUBLIC_URL', 'http://village.example', 'https'],
    ['MONGODB_URI', 'mongodb://db.example/x', 'not encrypted'],
    ['REDIS_URL', 'redis://cache.example', 'not encrypted'],
    ['TIMEZONE', 'Mars/Base', 'time zone'],
    ['NODE_TLS_REJECT_UNAUTHORIZED', '0', 'certificate'],
  ] as const)
    it(`refuse ${name}=${value} in production`, () => {
      expect(problems({ ...good, [name]: value }))
        .to.contain(name)
        .and.contain(word);
    });
  it('refuse what .env.example shows as a placeholder', () => {
    const example = readFileSync(join(root, '.env.example'), 'utf8');
    for (const name of [
      'PUBLIC_URL',
      'PORT',
      'DATA_DIR',
      'SANDBOX_PORT',
      'MONGODB_URI',
      'REDIS_URL',
      'REDIS_PREFIX',
      'SESSION_SECRET',
      'TOKEN_KEYS',
      'SIGNING_KEY',
      'METRICS_TOKEN',
      'TRUST_PROXY',
      'TIMEZONE',
      'X_CLIENT_ID',
      'X_CLIENT_SECRET',
      'FACEBOOK_APP_ID',
      'FACEBOOK_APP_SECRET',
      'X_ORIGIN_PAGES',
      'X_ORIGIN_API',
      'FACEBOOK_ORIGIN_PAGES',
      'FACEBOOK_ORIGIN_GRAPH',
      'MAIL_URL',
    ])
      expect(example, name).to.match(new RegExp(`^#? ?${name}=`, 'm'));
  });
});

describe('ways back', () => {
  for (const bad of [
    '//evil.example',
    '/\\evil',
    'https:evil',
    '%2f%2fevil',
    '/%2fevil',
    '\t/evil',
    '/a\r\nb',
    'javascript:alert(1)',
    '/%5cevil',
    '',
    7,
  ])
    it(`do not lead to ${JSON.stringify(bad)}`, () => {
      expect(safeReturn(bad, '/en')).to.equal('/en');
    });
  it('lead to a path of ours', () => {
    expect(safeReturn('/fr/athletes?q=a#accounts', '/en')).to.equal('/fr/athletes?q=a#accounts');
  });
});

describe('small safeguards', () => {
  for (const [address, key] of [
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['2001:db8:1:2ff::9', '2001:db8:1:200::'],
    ['2001:db8:1:2aa::1', '2001:db8:1:200::'],
    ['2001:db8:1:3aa::1', '2001:db8:1:300::'],
    ['somewhere', 'somewhere'],
    [undefined, 'unknown'],
  ] as const)
    it(`count ${address} as ${key}`, () => {
      expect(addressKey(address)).to.equal(key);
    });
  it('cut secrets out of log texts', () => {
    expect(cut('GET /x?access_token=abc&fields=id code=12 Bearer xyz.abc')).to.equal(
      'GET /x?access_token=[cut]&fields=id code=[cut] Bearer [cut]',
    );
  });
  it('open a sealed token only for its owner, also after a new key came', () => {
    const old = { id: 'a', key: Buffer.alloc(32, 1) };
    const sealed = new TokenVault([old]).seal('secret', 'ann:x');
    const rotated = new TokenVault([{ id: 'b', key: Buffer.alloc(32, 2) }, old]);
    expect(rotated.open(sealed, 'ann:x')).to.equal('secret');
    expect(rotated.seal('secret', 'ann:x')).to.match(/^b\./);
    expect(() => rotated.open(sealed, 'ben:x')).to.throw();
    expect(() =>
      rotated.open(
        sealed.replace(
          /\.(.)([^.]*)$/,
          (_all, first: string, rest: string) => `.${first === 'A' ? 'B' : 'A'}${rest}`,
        ),
        'ann:x',
      ),
    ).to.throw();
  });
  it('know a signature from a forged one', () => {
    const signer = new Signer(Buffer.alloc(32, 7));
    expect(signer.verify('text', signer.sign('text'))).to.equal(true);
    expect(signer.verify('other', signer.sign('text'))).to.equal(false);
    expect(new Signer(Buffer.alloc(32, 8)).verify('text', signer.sign('text'))).to.equal(false);
  });
});

describe('words', () => {
  const words = new Words(join(root, 'views', 'words'), 'Europe/Paris');
  it('have a title and a text for every error, in both languages', () => {
    for (const id of Object.keys(ERRORS))
      for (const lang of ['fr', 'en'] as const)
        for (const part of ['title', 'text'])
          expect(words.has(lang, `errors.${id}.${part}`), `${id}.${part}`).to.equal(true);
  });
  it('are set as each language sets them', () => {
    expect(words.t('fr', 'points.next', { count: 1 })).to.equal('Encore 1 point');
    expect(words.t('fr', 'points.next', { count: 0 })).to.equal('Encore 0 point');
    expect(words.t('en', 'points.next', { count: 2 })).to.equal('2 more points');
    expect(words.t('fr', 'athletes.found', { count: 157_375 })).to.match(/^157\u202f375 athlètes$/);
    expect(words.t('fr', 'fans.name.wrong.name_long', { most: 30 })).to.contain('30');
    expect(words.t('fr', 'registry.revokedWhy', { reason: 'x' })).to.equal('Retiré\u202f: x');
    expect(words.t('fr', 'follows.taking.about', { percent: 2, least: 50 })).to.contain(
      'plus de 2\u202f% (',
    );
  });
  it('throw at a key that is not there', () => {
    expect(() => words.t('fr', 'points.nothing')).to.throw('no key');
  });
  it('leave no text in a template that is the same in both languages', () => {
    const loose: string[] = [];
    for (const entry of readdirSync(join(root, 'views'), {
      recursive: true,
      withFileTypes: true,
    })) {
      if (!entry.name.endsWith('.hbs')) continue;
      const text = readFileSync(join(entry.parentPath, entry.name), 'utf8')
        .replace(/\{\{!--[\s\S]*?--\}\}/g, '')
        .replace(/\{\{[^}]*\}\}\}?/g, ' ')
        .replace(/<[^>]*>/g, ' ');
      for (const [word] of text.matchAll(/\p{L}{3,}/gu))
        if (!['Village', 'Français', 'English'].includes(word))
          loose.push(`${entry.name}: ${word}`);
    }
    expect(loose).to.deep.equal([]);
  });
});

describe('the doors of the hub', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.athletes();
  });
  after(() => world.close());
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${world.url}${path}`, { redirect: 'manual', headers });

  it('tell that they are open, and figures only to who may read them', async () => {
    expect(await (await get('/healthz')).json()).to.deep.equal({ ok: true });
    expect(await (await get('/readyz')).json()).to.deep.equal({
      ok: true,
      mongodb: true,
      redis: true,
      indexes: true,
    });
    expect((await get('/metrics')).status).to.equal(404);
    expect(
      await (await get('/metrics', { authorization: 'Bearer metrics-token-of-a-test' })).text(),
    ).to.contain('village_entries_total');
  });

  it('carry the headers of safety on pages, JSON, errors and files alike', async () => {
    for (const path of ['/en', '/api/v1/videos', '/en/nothing', '/api/v1/nothing', '/healthz']) {
      const { headers } = await get(path);
      expect(headers.get('content-security-policy'), path)
        .to.contain("object-src 'none'")
        .and.contain("frame-ancestors 'none'")
        .and.not.contain('unsafe');
      expect(headers.get('x-content-type-options'), path).to.equal('nosniff');
      expect(headers.get('x-powered-by'), path).to.equal(null);
      expect(headers.get('cross-origin-opener-policy'), path).to.equal('same-origin');
    }
  });

  it('speak the reader\u2019s language, and send other host names to the right one', async () => {
    expect((await get('/', { 'accept-language': 'en-GB' })).headers.get('location')).to.equal(
      '/en',
    );
    expect((await get('/', { 'accept-language': 'de' })).headers.get('location')).to.equal('/fr');
    expect(await (await get('/fr/nothing')).text()).to.contain('Page introuvable');
    const { port } = new URL(world.url);
    const other = await get('/fr/athletes?q=a').then(() =>
      fetch(`http://localhost:${port}/fr/athletes?q=a`, { redirect: 'manual' }),
    );
    expect([other.status, other.headers.get('location')]).to.deep.equal([
      308,
      `${world.url}/fr/athletes?q=a`,
    ]);
  });

  it('answer problems by RFC 9457 with a stable id, and never a stack', async () => {
    const problem = await world.api('/nothing');
    expect(problem.headers.get('content-type')).to.contain('application/problem+json');
    expect(problem.body).to.include({ id: 'not_found', status: 404, title: 'Page not found' });
    const real = world.context.athletes.search;
    world.context.athletes.search = () => Promise.reject(new Error('a secret detail'));
    const broken = await world.api('/athletes');
    world.context.athletes.search = real;
    expect(broken.body).to.include({ id: 'internal', status: 500 });
    expect(JSON.stringify(broken.body))
      .to.not.contain('secret')
      .and.not.match(/\n\s+at /);
  });

  it('refuse a form from another site, without origin, or without its token', async () => {
    const browser = world.browser();
    await browser.welcome((await browser.signIn('x', 'fan2')).text, {});
    const page = await browser.go('/en/me');
    const fields = browser.form(page.text, '/sign-out');
    const send = (headers: Record<string, string>, body = fields) =>
      browser.send('/en/sign-out', {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      });
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ])
      expect((await send(headers)).status, JSON.stringify(headers)).to.equal(403);
    expect((await send({}, new URLSearchParams({ csrf: 'guess' }))).status).to.equal(403);
    expect((await send({}, new URLSearchParams())).status).to.equal(403);
    expect((await browser.go('/en/me')).status).to.equal(200);
    expect((await send({})).status).to.equal(303);
  });

  it('refuse what is shaped like a query, a prototype or a list where a text belongs', async () => {
    const { token } = await world.fan('fan3');
    for (const body of [
      { network: { $ne: null } },
      { network: ['x'] },
      { network: 'x', turn: { $gt: 0 } },
      { network: { __proto__: 1 } },
    ])
      expect(
        (await world.api('/athletes/athlete1/follow', { method: 'POST', token, body })).status,
      ).to.equal(400);
    expect((await get('/api/v1/athletes?q[$ne]=a')).status).to.equal(200);
    expect((await get('/api/v1/registry/lookup?account=a&account=b')).status).to.equal(400);
    await fetch(`${world.url}/api/v1/athletes/athlete1/follow`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"network":"x"}',
    });
    expect(({} as { polluted?: number }).polluted).to.equal(undefined);
    expect(
      (
        await fetch(`${world.url}/api/v1/athletes/athlete1/follow`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
          body: '{"network":',
        })
      ).status,
    ).to.equal(400);
    expect(
      (
        await world.api('/athletes/athlete1/follow', {
          method: 'POST',
          token,
          body: { network: 'x', pad: 'a'.repeat(70_000) },
        })
      ).status,
    ).to.equal(413);
  });

  it('keep nothing personal in caches', async () => {
    const { token } = await world.fan('fan4');
    for (const path of ['/me', '/me/ledger', '/boards/hub', '/videos'])
      expect((await world.api(path, { token })).headers.get('cache-control'), path).to.equal(
        'no-store',
      );
    expect((await get('/en/me/x.css')).status).to.be.oneOf([303, 404]);
  });

  it(
    'change nothing by reading: every door that is read, by a visitor, a fan and a token, ' +
      'leaves every document and key as it was',
    async () => {
      const { connection, redis } = world.context;
      await world.verify('athlete1', 'x');
      await world.room('room');
      const { token } = await world.fan('reads');
      const browser = world.browser();
      await browser.signIn('x', 'reads');
      await world.settle();
      /**
       * Every document of every collection, but the signs of life of this process; every key of
       * Redis, but counts of acts and copies of sessions.
       */
      const state = async (): Promise<Record<string, unknown>> => {
        const names = ((await connection.db?.listCollections().toArray()) ?? [])
          .map(({ name }) => name)
          .filter((name) => name !== 'heartbeats');
        const all = await Promise.all(
          names
            .sort()
            .map(async (name) => [
              name,
              await connection.collection(name).find().sort({ _id: 1 }).toArray(),
            ]),
        );
        const keys = (await redis.commands.keys(`${redis.prefix}*`)).map((key) =>
          key.slice(redis.prefix.length),
        );
        return {
          ...Object.fromEntries(all),
          keys: keys.filter((key) => !/^(limit|session):/.test(key)).sort(),
        } as Record<string, unknown>;
      };
      const doors = doorsOf(world.context).filter(
        ({ method, path }) => method === 'get' && !path.startsWith('/auth/'),
      );
      expect(doors.length).to.be.greaterThan(30);
      const read = async (headers: Record<string, string>): Promise<number[]> => {
        const all: number[] = [];
        for (const door of doors)
          for (const lang of ['fr', 'en'] as const)
            all.push((await get(pathOf(door, lang), headers)).status);
        return all;
      };
      // Once, so that what a process makes at its first need is there.
      await read({});
      const before = await state();
      const statuses = [
        await read({}),
        await read({ cookie: browser.cookie }),
        await read({ authorization: `Bearer ${token}` }),
      ];
      expect(Math.max(...statuses.flat())).to.be.lessThan(500);
      for (const of of statuses)
        expect(of.filter((status) => status === 200).length).to.be.greaterThan(30);
      expect(await state()).to.deep.equal(before);
    },
  );

  it('answer 503 with Retry-After while MongoDB is away, in words', async () => {
    const { records } = world.context.athletes as unknown as {
      records: { findOne: () => unknown };
    };
    const real = records.findOne.bind(records);
    records.findOne = () => {
      throw new mongoose.mongo.MongoNetworkError('away');
    };
    const answer = await world.api('/athletes/athlete12');
    records.findOne = real;
    expect(answer.body).to.include({ id: 'unavailable', status: 503 });
    expect(answer.headers.get('retry-after')).to.equal('2');
  });

  it('remember how somebody wants it to look', async () => {
    const browser = world.browser();
    await browser.send('/en/theme', {
      method: 'POST',
      body: new URLSearchParams({ theme: 'dark', returnTo: '/en' }),
    });
    expect((await browser.go('/en')).text).to.contain('data-theme="dark"');
    expect(
      (
        await browser.send('/en/theme', {
          method: 'POST',
          body: new URLSearchParams({ theme: 'neon' }),
        })
      ).status,
    ).to.equal(400);
  });
});
