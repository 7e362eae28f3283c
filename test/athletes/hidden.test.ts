import { expect } from 'chai';
import { join } from 'node:path';
import { root } from '../../scripts/root.js';
import type { Browser } from '../support/browserless.js';
import { startWorld, type World } from '../support/world.js';

/**
 * Whoever objects is hidden (RULES R13), everywhere: in every page that can be reached, at every
 * door, in every packet.
 */
describe('an athlete who is hidden', () => {
  let world: World;
  let token: string;
  let moderator: string;
  let cases: string[];
  /** What would say who it is: the name, the slug that is made of it, the handle. */
  const SAYS = /Kervran|athlete1(?!\d)/i;
  const clip = (name: string) => join(root, 'scripts', 'demo', 'clips', name);
  const files = { media: clip('tenir-la-distance.mp4'), poster: clip('tenir-la-distance.jpg') };
  const both = (text: string) => ({ fr: text, en: text });

  before(async () => {
    world = await startWorld({ sockets: true });
    await world.athletes();
    cases = [await world.verify('athlete1', 'x'), await world.verify('athlete1', 'facebook')];
    for (const athlete of ['athlete2', 'athlete3']) await world.verify(athlete, 'x');
    const { fan: organiser } = await world.fan('organiser1', { role: 'organiser' });
    const facts = {
      about: both('a'),
      seconds: 5,
      captions: both('WEBVTT\n\n'),
      transcript: both('t'),
      title: both('Solo'),
    };
    const lock = [
      {
        kind: 'follow' as const,
        athletes: ['athlete1', 'athlete2', 'athlete3'],
        need: 2,
        network: null,
      },
    ];
    const actor = { id: organiser._id, roles: organiser.roles };
    await world.context.videos.publish(
      actor,
      { ...facts, slug: 'hers', athlete: 'athlete1', lock: [] },
      files,
    );
    await world.context.videos.publish(
      actor,
      { ...facts, slug: 'of-three', athlete: 'athlete2', lock },
      files,
    );
    await world.context.videos.publish(
      actor,
      {
        ...facts,
        slug: 'by-her',
        athlete: 'athlete3',
        lock: [{ kind: 'follow', athletes: ['athlete1'], need: 1, network: 'x' }],
      },
      files,
    );
    await world.room('her-room');
    const { fan: host } = await world.fan('athlete1', { role: 'athlete' });
    await world.context.chats.say(
      { id: host._id, name: host.handle, roles: host.roles },
      'her-room',
      'Bonjour',
      'client-id-1',
    );
    ({ token } = await world.fan('fan2'));
    for (const athlete of ['athlete1', 'athlete2']) {
      world.sandbox.world.relate(
        'x',
        world.sandbox.world.person('fan2') as never,
        world.sandbox.world.person(athlete) as never,
        true,
      );
      await world.api(`/athletes/${athlete}/follow`, {
        method: 'POST',
        token,
        body: { network: 'x' },
      });
    }
    ({ token: moderator } = await world.fan('moderator1', { role: 'moderator' }));
    await world.context.registry
      .submit(await world.moderator(), 'x:athlete_1', 'athlete1')
      .then((made) => cases.push(made._id));
    // Everything is in memory as it was: what is hidden must leave that too.
    for (const path of [
      '/en',
      '/en/videos',
      '/en/chats/her-room',
      '/en/athletes',
      '/en/athletes/athlete1',
    ])
      expect(SAYS.test(await (await fetch(`${world.url}${path}`)).text()), path).to.equal(true);
    expect((await world.api('/videos/of-three', { token })).body).to.include({ open: true });
    await world.context.athletes.hide('athlete1', true);
  });
  after(() => world.close());

  /** Every page that links lead to. */
  async function crawl(browser: Browser): Promise<Map<string, string>> {
    const seen = new Map<string, string>();
    const next = [
      '/en',
      '/fr',
      '/en/boards/athlete:x',
      '/en/athletes?verified=1',
      '/en/athletes?q=maelle',
    ];
    for (let path = next.shift(); path !== undefined && seen.size < 250; path = next.shift()) {
      if (seen.has(path)) continue;
      const page = await browser.go(path);
      seen.set(path, page.text);
      for (const [, to = ''] of page.text.matchAll(
        /(?:href|src|poster)="(\/(?:en|fr|api)[^"#]*)"/g,
      ))
        if (!/[?&](returnTo|discipline|noc|games|status)=|\/media$/.test(to))
          next.push(to.replace(/&amp;|&#x3D;/g, (sign) => (sign === '&amp;' ? '&' : '=')));
    }
    return seen;
  }

  for (const who of ['a visitor', 'a fan who follows her', 'a moderator'] as const)
    it(`is on no page that ${who} can reach`, async () => {
      const browser = world.browser();
      if (who !== 'a visitor')
        await browser.signIn('x', who === 'a moderator' ? 'moderator1' : 'fan2');
      const pages = await crawl(browser);
      expect(pages.size).to.be.greaterThan(30);
      // The words of the form that opens a case name one of the demo's addresses.
      expect(
        [...pages]
          .filter(([, text]) => SAYS.test(text.replace(/(?:For example|Par exemple) athlete1/, '')))
          .map(([path]) => path),
      ).to.deep.equal([]);
      const ledger = pages.get('/en/me/ledger');
      if (who === 'a fan who follows her')
        expect(ledger)
          .to.contain('An athlete who is no longer shown')
          .and.contain('Serena Oliveri');
    });

  for (const path of [
    '/en/athletes/athlete1',
    '/en/videos/hers',
    '/en/chats/her-room',
    '/en/chats/her-room/latest',
    '/api/v1/athletes/athlete1',
    '/api/v1/videos/hers',
    '/api/v1/videos/hers/media',
    '/api/v1/videos/hers/poster',
    '/api/v1/videos/hers/captions/en.vtt',
    '/api/v1/chats/her-room',
    '/api/v1/chats/her-room/messages',
    '/api/v1/boards/athlete:athlete1',
    '/en/boards/athlete:athlete1',
  ])
    it(`is not found at ${path}`, async () => {
      const answer = await fetch(`${world.url}${path}`, { headers: { 'accept-language': 'en' } });
      expect(answer.status).to.equal(404);
      expect(await answer.text()).to.not.match(/Kervran/);
    });

  it('is in no answer of any reading door', async () => {
    const document = (await world.api('/openapi.json')).body as unknown as {
      paths: Record<string, { get?: object }>;
    };
    const doors: Record<string, string[]> = {
      '/athletes': [
        '?limit=100',
        '?q=kervran',
        '?q=maelle',
        '?verified=1',
        '?discipline=fencing',
        '?network=x&limit=100',
      ],
      '/athletes/{slug}': ['2', '3'],
      '/registry/lookup': [
        '@athlete1',
        'facebook:athlete1',
        '@athlete_1',
        '@athletel',
        `x.com/i/user/${world.sandbox.world.person('athlete1')?.ids.x ?? ''}`,
      ],
      '/registry/cases': ['candidate', 'verified', 'refused', 'revoked'],
      '/me': [''],
      '/me/ledger': [''],
      '/me/medals': [''],
      '/boards/{board}': ['hub', 'discipline:fencing'],
      '/videos': [''],
      '/videos/{slug}': ['of-three', 'by-her'],
      '/videos/{slug}/media': [],
      '/videos/{slug}/poster': [],
      '/videos/{slug}/captions/{language}': [],
      '/networks/taking': [''],
      '/jobs': [''],
      '/chats': [''],
      '/chats/{slug}': [],
      '/chats/{slug}/messages': [],
    };
    const { token: organiser } = await world.fan('organiser1', { role: 'organiser' });
    const staff: Record<string, string> = {
      '/registry/cases': moderator,
      '/networks/taking': organiser,
      '/jobs': organiser,
    };
    const gets = Object.entries(document.paths).filter(([, door]) => door.get);
    expect(gets.map(([path]) => path).filter((path) => !(path in doors))).to.deep.equal([]);
    for (const [path, forms] of Object.entries(doors))
      for (const form of forms) {
        const ask =
          path === '/athletes/{slug}'
            ? `/athletes/athlete${form}`
            : path === '/registry/lookup'
              ? `${path}?account=${encodeURIComponent(form)}`
              : path === '/registry/cases'
                ? `${path}?state=${form}`
                : /\{/.test(path)
                  ? path.replace(/\{\w+\}/, form)
                  : `${path}${form}`;
        const answer = await fetch(`${world.url}/api/v1${ask}`, {
          headers: { authorization: `Bearer ${staff[path] ?? token}` },
        });
        expect(answer.status, ask).to.equal(200);
        expect(await answer.text(), ask).to.not.match(SAYS);
      }
    const { items } = (await world.api('/me/ledger', { token })).body as unknown as {
      items: { athlete: string | null }[];
    };
    expect(items.map((one) => one.athlete)).to.deep.equal(['athlete2', null]);
  });

  it('takes nobody’s opened video away, and asks for less where a rule named her', async () => {
    const one = async (slug: string, as: string) =>
      (await world.api(`/videos/${slug}`, { token: as })).body as unknown as {
        open: boolean;
        missing: { need: number; have: number }[];
      };
    expect(await one('of-three', token)).to.include({ open: true });
    const { token: other } = await world.fan('fan3');
    expect((await one('of-three', other)).missing[0]).to.deep.include({
      need: 1,
      have: 0,
      athletes: [
        { slug: 'athlete2', name: 'Serena Oliveri', followed: false },
        { slug: 'athlete3', name: 'Jonas Adeyemi', followed: false },
      ],
    });
    expect(await one('by-her', other)).to.include({ open: true });
  });

  it('cannot be followed, spoken to or decided about any more', async () => {
    for (const method of ['POST', 'DELETE'])
      expect(
        (await world.api('/athletes/athlete1/follow', { method, token, body: { network: 'x' } }))
          .body,
      ).to.include({ id: 'athlete_not_found' });
    expect(
      (
        await world.api('/chats/her-room/messages', {
          method: 'POST',
          token,
          body: { text: 'hello', clientId: 'client-id-2' },
        })
      ).body,
    ).to.include({
      id: 'chat_not_found',
    });
    expect(
      (
        await world.api('/registry/cases', {
          method: 'POST',
          token: moderator,
          body: { account: 'x:athlete1', athlete: 'athlete1' },
        })
      ).body,
    ).to.include({
      id: 'athlete_not_found',
    });
    const browser = world.browser();
    await browser.signIn('x', 'moderator1');
    for (const id of cases) {
      expect(
        (
          await world.api(`/registry/cases/${id}/revocation`, {
            method: 'POST',
            token: moderator,
            body: { reason: 'why not' },
          })
        ).status,
      ).to.equal(404);
      expect((await browser.go(`/en/moderation/cases/${id}`)).status).to.equal(404);
    }
  });

  it('is in no packet of a socket', async () => {
    const socket = world.socket(token);
    const joined = await socket.emitWithAck('chat:join', { chat: 'her-room' });
    expect(joined).to.have.nested.property('error.id', 'chat_not_found');
    const told = new Promise<unknown>((resolve) => {
      socket.once('points:awarded', resolve);
    });
    const me = (await world.api('/me', { token })).body as unknown as { id: string };
    const items = ['athlete1', 'athlete2'].map((athlete) => ({
      deed: `follow:x:${athlete}`,
      athlete,
      delta: -1,
    }));
    world.context.bus.tell('points:moved', {
      moves: [{ fan: me.id, seq: 9, items, points: 0, medals: { before: {}, after: {} } }],
    });
    expect(
      ((await told) as { items: { athlete: string | null }[] }).items.map((one) => one.athlete),
    ).to.deep.equal([null, 'athlete2']);
    socket.disconnect();
  });

  it('is hidden from what the search thread still holds, and shown again by her own wish', async () => {
    const { context } = world;
    const stale = {
      ready: true,
      fresh: true,
      search: () =>
        Promise.resolve({
          items: [{ id: 'athlete1', name: 'Maëlle Kervran' }, { id: 'athlete2' }],
          total: 2,
          next: null,
        }),
    };
    Object.assign(context.athletes, { index: stale });
    const found = await context.athletes.search({ q: '', limit: 10 });
    Object.assign(context.athletes, { index: null });
    expect([found.items.map((one) => one.id), found.total]).to.deep.equal([['athlete2'], 1]);
    await context.athletes.hide('athlete1', false);
    for (const path of ['/en/athletes/athlete1', '/en/videos/hers', '/en/chats/her-room'])
      expect((await fetch(`${world.url}${path}`)).status).to.equal(200);
    expect((await world.api('/registry/lookup?account=@athlete1')).body).to.include({
      result: 'listed',
    });
  });
});
