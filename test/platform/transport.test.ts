import { expect } from 'chai';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { root } from '../../scripts/root.js';
import { doorsOf, pathOf } from '../support/doors.js';
import type { Browser } from '../support/browserless.js';
import { startWorld, type World } from '../support/world.js';

/**
 * What a door may be sent instead of what it waits for, and what it answers when nothing else is
 * wrong.
 */
const BODIES: { kind: string; type?: string; body?: string; page?: number; api?: number }[] = [
  { kind: 'JSON', type: 'application/json', body: '{"csrf":1,"text":{"$gt":""}}', page: 415 },
  { kind: 'broken JSON', type: 'application/json', body: '{"text":', page: 415, api: 400 },
  { kind: 'JSON that is no object', type: 'application/json', body: '"text"', page: 415, api: 400 },
  { kind: 'text', type: 'text/plain', body: 'text=hello', page: 415, api: 415 },
  { kind: 'a kind of no name', type: 'nonsense', body: 'text=hello', page: 415, api: 415 },
  { kind: 'no kind at all', body: 'text=hello', page: 415, api: 415 },
  {
    kind: 'multipart',
    type: 'multipart/form-data; boundary=b',
    body: '--b\r\ncontent-disposition: form-data; name="text"\r\n\r\nhello\r\n--b--',
    page: 415,
    api: 415,
  },
  {
    kind: 'another charset',
    type: 'application/x-www-form-urlencoded; charset=klingon',
    body: 'text=a',
    page: 415,
    api: 415,
  },
  {
    kind: 'broken urlencoded',
    type: 'application/x-www-form-urlencoded',
    body: '%E0%A4%A&text=%&text=%zz&text[$gt]=&__proto__=1&constructor[prototype]=1',
    api: 415,
  },
  {
    kind: 'everything twice',
    type: 'application/x-www-form-urlencoded',
    body: 'a=1&text=a&text=b&reason=a&reason=b&name=a&name=b&network=x&network=y&returnTo=/a&returnTo=/b',
    api: 415,
  },
  {
    kind: 'more than fits',
    type: 'application/x-www-form-urlencoded',
    body: `text=${'a'.repeat(70_000)}`,
    page: 413,
    api: 415,
  },
  {
    kind: 'more fields than fit',
    type: 'application/x-www-form-urlencoded',
    body: 'a=1&'.repeat(1200),
    page: 413,
    api: 415,
  },
  {
    kind: 'more JSON than fits',
    type: 'application/json',
    body: JSON.stringify({ text: 'a'.repeat(70_000) }),
    page: 415,
    api: 413,
  },
  { kind: 'an empty form', type: 'application/x-www-form-urlencoded', body: '' },
  { kind: 'nothing' },
];

describe('what is sent', function () {
  this.timeout(120_000);
  let world: World;
  let moderator: Awaited<ReturnType<World['fan']>>;
  let openCase: string;

  before(async () => {
    world = await startWorld({ card: 'hub' });
    await world.athletes();
    await world.verify('athlete1', 'x');
    await world.room('room');
    moderator = await world.fan('moderator1', { role: 'admin' });
    openCase = (
      await world.context.registry.submit(await world.moderator(), 'x:athlete2', 'athlete2')
    )._id;
  });
  after(() => world.close());

  /** A browser that has just signed in as an admin, and a form token of its session. */
  async function signedIn(): Promise<{ browser: Browser; csrf: string }> {
    const browser = world.browser();
    await browser.signIn('x', 'moderator1');
    return {
      browser,
      csrf: browser.form((await browser.go('/en/me')).text, '/sign-out').get('csrf') ?? '',
    };
  }

  it('to any form or door in a shape it does not expect gets a clear answer, never a 5xx', async () => {
    const wrong: string[] = [];
    const doors = doorsOf(world.context).filter(({ method }) => method !== 'get');
    expect(doors.length).to.be.greaterThan(18);
    for (const door of doors) {
      let { browser, csrf } = await signedIn();
      const path = pathOf(door).replace('/cases/none', `/cases/${openCase}`);
      for (const { kind, type, body, page, api } of BODIES)
        for (const by of door.kind === 'api'
          ? (['session', 'token'] as const)
          : (['session', 'visitor'] as const)) {
          const { status, text, headers } = await (
            by === 'session' ? browser : world.browser()
          ).send(path, {
            method: door.method.toUpperCase(),
            headers: {
              ...(type === undefined ? {} : { 'content-type': type }),
              ...(by === 'session' ? { 'x-csrf-token': csrf } : {}),
              ...(by === 'token' ? { authorization: `Bearer ${moderator.token}` } : {}),
            },
            ...(body === undefined ? {} : { body: Buffer.from(body) }),
          });
          // What was sent may have been taken, and so have ended the session.
          if (by === 'session' && path.startsWith('/en/sign-out') && status === 303)
            ({ browser, csrf } = await signedIn());
          const want = door.kind === 'api' ? api : page;
          const expected = want === undefined || by === 'visitor' ? status < 500 : status === want;
          const clear =
            status < 400 ||
            (door.kind === 'api' ? /problem\+json/ : /text\/html/).test(
              headers.get('content-type') ?? '',
            );
          if (!expected || !clear || /\n\s+at /.test(text))
            wrong.push(`${door.method} ${path} by ${by}, ${kind}: ${status}`);
        }
    }
    expect(wrong).to.deep.equal([]);
  });

  /** The first line and the headers of an answer to these very lines. */
  async function raw(...lines: string[]): Promise<string> {
    const socket = connect(Number(new URL(world.url).port), '127.0.0.1');
    socket.write([...lines, 'connection: close', '', ''].join('\r\n'));
    let text = '';
    socket.on('data', (part: Buffer) => {
      text += part.toString('latin1');
    });
    await once(socket, 'close');
    return text.slice(0, text.indexOf('\r\n\r\n'));
  }

  it('to a whole address is taken by the host in it: ours is answered, another is sent to ours', async () => {
    const { host } = new URL(world.url);
    const foreign = await raw(
      'GET http://evil.example/en/athletes?q=a HTTP/1.1',
      'host: evil.example',
    );
    expect(foreign).to.match(/^HTTP\/1\.1 308 /);
    expect(foreign).to.contain(`\r\nLocation: ${world.url}/en/athletes?q=a\r\n`);
    expect(
      await raw('GET http://evil.example//other.example/x HTTP/1.1', `host: ${host}`),
    ).to.contain(`\r\nLocation: ${world.url}/other.example/x\r\n`);
    expect(await raw('GET http://evil.example HTTP/1.1', 'host: evil.example')).to.contain(
      `\r\nLocation: ${world.url}/\r\n`,
    );
    expect(await raw(`GET ${world.url}/en/athletes?q=a HTTP/1.1`, 'host: evil.example')).to.match(
      /^HTTP\/1\.1 200 /,
    );
    expect(await raw('OPTIONS * HTTP/1.1', `host: ${host}`)).to.match(/^HTTP\/1\.1 [234]/);
    expect(await raw('GET http:///nothing HTTP/1.1', `host: ${host}`)).to.match(/^HTTP\/1\.1 [34]/);
    // An address of a kind that has no path, or none that begins with a slash, is the root of its
    // host.
    expect(await raw(`GET other://${host} HTTP/1.1`, `host: ${host}`)).to.match(/^HTTP\/1\.1 302 /);
    expect(await raw('GET other://evil.example HTTP/1.1', `host: ${host}`)).to.contain(
      `\r\nLocation: ${world.url}/\r\n`,
    );
  });

  it('on the way to the sign-in comes back whole: every link to it carries the whole address', async () => {
    const pages = doorsOf(world.context).filter(
      ({ method, rule, path }) =>
        method === 'get' && rule.who === 'anyone' && path.startsWith('/:language'),
    );
    let links = 0;
    for (const door of pages) {
      const path = `${pathOf(door)}?page=1&b=2%263`;
      const answer = await world.browser().send(path);
      if (answer.status !== 200) continue;
      for (const [, href = ''] of answer.text.matchAll(/href="([^"]*returnTo=[^"]*)"/g)) {
        links += 1;
        const { searchParams } = new URL(
          href.replace(/&amp;/g, '&').replace(/&#x3D;/g, '='),
          world.url,
        );
        expect([...searchParams], path).to.deep.equal([['returnTo', path]]);
      }
    }
    expect(links).to.be.greaterThan(8);
    const browser = world.browser();
    const home = await browser.go('/en/athletes?status=former&verified=1');
    const href = (/href="([^"]*sign-in\?returnTo=[^"]*)"/.exec(home.text)?.[1] ?? '')
      .replace(/&amp;/g, '&')
      .replace(/&#x3D;/g, '=');
    const page = await browser.go(href);
    const start = await browser.send('/en/sign-in/x', {
      method: 'POST',
      body: browser.form(page.text, '/sign-in/x'),
    });
    expect((await browser.consent(start.location ?? '', 'moderator1')).url).to.equal(
      `${world.url}/en/athletes?status=former&verified=1`,
    );
  });

  /** An answer as it comes, not unpacked. */
  async function packed(
    path: string,
    encoding?: string,
    more: Record<string, string> = {},
  ): Promise<{ answer: IncomingMessage; body: Buffer }> {
    const asked = request(`${world.url}${path}`, {
      headers: { ...(encoding === undefined ? {} : { 'accept-encoding': encoding }), ...more },
    }).end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part as Buffer);
    return { answer, body: Buffer.concat(parts) };
  }
  const assets = (): string[] =>
    Object.values(
      JSON.parse(readFileSync(join(root, 'build', 'assets', 'manifest.json'), 'utf8')) as Record<
        string,
        string
      >,
    );

  it(
    'back as a file is packed as its reader takes it, kept for ever, and known again by its ' +
      'tag',
    async () => {
      const texts = assets().filter((path) => /\.(css|js|svg)$/.test(path));
      expect(texts.length).to.be.greaterThan(3);
      for (const path of texts) {
        const plain = await packed(path);
        expect(plain.answer.headers['content-encoding']).to.equal(undefined);
        for (const [accepts, how, unpack] of [
          ['gzip, deflate, br, zstd', 'br', brotliDecompressSync],
          ['gzip', 'gzip', gunzipSync],
        ] as const) {
          const { answer, body } = await packed(path, accepts);
          const { headers } = answer;
          expect(headers, path).to.include({
            'content-encoding': how,
            vary: 'Accept-Encoding',
            'cache-control': 'public, max-age=31536000, immutable',
          });
          expect(headers['content-type']?.toLowerCase(), path).to.equal(
            plain.answer.headers['content-type'],
          );
          expect(headers.etag, path).to.not.equal(plain.answer.headers.etag);
          expect(unpack(body).equals(plain.body), path).to.equal(true);
          // So little text as a small module is has few repeats in it.
          if (plain.body.length > 2000)
            expect(body.length, path).to.be.lessThan(plain.body.length * 0.6);
          expect(
            (await packed(path, accepts, { 'if-none-match': headers.etag ?? '' })).answer
              .statusCode,
          ).to.equal(304);
        }
      }
    },
  );

  it('back for a file that is not there, or that none may see, is a page that says so: 404', async () => {
    for (const path of [
      '/assets/main-0000000000.css',
      '/assets/none',
      '/assets/',
      '/assets/.hidden',
      '/assets/../package.json',
      '/assets/%2e%2e/package.json',
    ]) {
      const { answer, body } = await packed(path, 'br');
      expect(answer.statusCode, path).to.equal(404);
      expect(brotliDecompressSync(body).toString(), path).to.contain('<!doctype html>');
    }
  });

  it('to an address in capitals finds nothing: one page has one address', async () => {
    for (const path of [
      '/EN',
      '/Fr/athletes',
      '/en/Athletes',
      '/API/v1/athletes',
      '/api/V1/athletes',
      '/Healthz',
    ]) {
      const answer = await fetch(`${world.url}${path}`);
      expect(answer.status, path).to.equal(404);
    }
  });

  it('back as a page is packed as its reader takes it, and otherwise plain', async () => {
    const text = (what: { body: Buffer }, unpack: (body: Buffer) => Buffer): string =>
      unpack(what.body)
        .toString()
        .replace(/nonce="[^"]*"|value="[^"]*"/g, '');
    const same = (body: Buffer): Buffer => body;
    const plain = await packed('/en/about/rules');
    expect(plain.answer.headers)
      .to.include({ vary: 'Accept-Encoding' })
      .and.not.have.property('content-encoding');
    for (const [accepts, how, unpack] of [
      ['gzip, deflate, br, zstd', 'br', brotliDecompressSync],
      ['gzip;q=1, br;q=0', 'gzip', gunzipSync],
      ['gzip;q=0, br;q=0', undefined, same],
      ['deflate', undefined, same],
      ['', undefined, same],
    ] as const) {
      const sent = await packed('/en/about/rules', accepts);
      expect(sent.answer.headers['content-encoding'], accepts).to.equal(how);
      expect(sent.answer.headers).to.include({
        vary: 'Accept-Encoding',
        'content-type': 'text/html; charset=utf-8',
        'content-length': String(sent.body.length),
      });
      expect(text(sent, unpack)).to.equal(text(plain, same));
      if (how) expect(sent.body.length).to.be.lessThan(plain.body.length / 3);
    }
  });
});
