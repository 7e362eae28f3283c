import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/root.js';
import { VIDEOS } from '../../scripts/demo/content.js';
import { judge, type Lock } from '../../server/locks/service.js';
import { refused } from '../support/refused.js';
import { startWorld, type World } from '../support/world.js';

describe('locks', () => {
  const lock: Lock = [{ kind: 'follow', athletes: ['a', 'b', 'c'], need: 2, network: null }];
  const facts = (followed: string[], medals: [string, string][] = []) => ({
    followed: new Set(followed),
    medals: new Map(medals),
  });
  it('open at so many of these, on any network or on a named one', () => {
    expect(judge(lock, facts(['a:x', 'a:facebook'])).open).to.equal(false);
    expect(judge(lock, facts(['a:x', 'c:facebook'])).open).to.equal(true);
    expect(
      judge([{ kind: 'follow', athletes: ['a'], need: 1, network: 'facebook' }], facts(['a:x']))
        .open,
    ).to.equal(false);
  });
  it('open at a medal or a better one', () => {
    const medal: Lock = [{ kind: 'medal', scope: 'hub', medal: 'silver' }];
    expect(
      [[], [['hub', 'bronze']], [['hub', 'silver']], [['hub', 'gold']], [['fencing', 'gold']]].map(
        (medals) => judge(medal, facts([], medals as [string, string][])).open,
      ),
    ).to.deep.equal([false, false, true, true, false]);
  });
  it('say exactly what is missing', () => {
    expect(judge(lock, facts(['b:x'])).missing).to.deep.equal([
      {
        kind: 'follow',
        network: null,
        need: 2,
        have: 1,
        athletes: [
          { id: 'a', followed: false },
          { id: 'b', followed: true },
          { id: 'c', followed: false },
        ],
      },
    ]);
    expect(judge([], facts([])).open).to.equal(true);
  });
});

describe('videos', () => {
  let world: World;
  let token: string;
  const clip = (name: string) => join(root, 'scripts', 'demo', 'clips', name);
  const files = { media: clip('tenir-la-distance.mp4'), poster: clip('tenir-la-distance.jpg') };
  const media = (
    slug: string,
    as: string | null,
    headers: Record<string, string> = {},
    method = 'GET',
  ) =>
    fetch(`${world.url}/api/v1/videos/${slug}/media`, {
      method,
      headers: { ...(as ? { authorization: `Bearer ${as}` } : {}), ...headers },
    });
  before(async () => {
    world = await startWorld();
    await world.athletes();
    for (const athlete of ['athlete1', 'athlete2', 'athlete5', 'athlete9'])
      await world.verify(athlete, 'x');
    const { fan } = await world.fan('organiser1', { role: 'organiser' });
    for (const video of VIDEOS)
      await world.context.videos.publish({ id: fan._id, roles: fan.roles }, video, files);
    ({ token } = await world.fan('fan2'));
  });
  after(() => world.close());
  const follow = (athlete: string, on = true) =>
    world.sandbox.world.relate(
      'x',
      world.sandbox.world.person('fan2') as never,
      world.sandbox.world.person(athlete) as never,
      on,
    );
  const ask = async (athlete: string, method = 'POST') =>
    (await world.api(`/athletes/${athlete}/follow`, { method, token, body: { network: 'x' } }))
      .body as unknown as {
      unlocked: { slug: string; title: string }[];
      awarded: number;
    };
  const states = async (lang = 'en') =>
    Object.fromEntries(
      (
        (await world.api('/videos', { token, headers: { 'accept-language': lang } }))
          .body as unknown as {
          items: {
            slug: string;
            open: boolean;
            missing: { text: string; need: number; have: number }[];
          }[];
        }
      ).items.map((item) => [item.slug, item]),
    );

  it(
    'are shut for a visitor and for a fan who follows nobody, with what is ' +
      'missing in both languages',
    async () => {
      expect((await media('tenir-la-distance', null)).status).to.equal(403);
      expect((await media('tenir-la-distance', token)).status).to.equal(403);
      expect((await states())['le-depart']?.missing[0]).to.include({
        need: 2,
        have: 0,
        text: 'Follow 2 more of these 3 athletes to open it.',
      });
      expect((await states('fr'))['tenir-la-distance']?.missing[0]?.text).to.equal(
        'Suivez Maëlle Kervran pour l’ouvrir.',
      );
      expect((await states())['avant-la-finale']?.missing[0]?.text).to.equal(
        'It takes the silver medal: the whole Village.',
      );
      const page = await (await fetch(`${world.url}/en/videos/tenir-la-distance`)).text();
      expect(page).to.contain('Follow Maëlle Kervran to open it').and.not.contain('<video');
    },
  );

  it('open by the follow, and the answer names which', async () => {
    follow('athlete1');
    expect(await ask('athlete1')).to.deep.include({
      awarded: 1,
      unlocked: [{ slug: 'tenir-la-distance', title: 'Keeping the distance' }],
    });
    follow('athlete5');
    expect((await ask('athlete5')).unlocked).to.deep.equal([]);
    expect((await states())['le-depart']?.missing[0]).to.include({
      need: 2,
      have: 1,
      text: 'Follow 1 more of these 3 athletes to open it.',
    });
    follow('athlete9');
    expect((await ask('athlete9')).unlocked.map((each) => each.slug).sort()).to.deep.equal([
      'avant-la-finale',
      'le-depart',
    ]);
  });

  it('come whole, by range, and by the end of them, the very bytes', async () => {
    const file = readFileSync(files.media);
    const whole = await media('tenir-la-distance', token);
    expect([
      whole.status,
      whole.headers.get('content-type'),
      whole.headers.get('accept-ranges'),
    ]).to.deep.equal([200, 'video/mp4', 'bytes']);
    expect(
      createHash('sha1')
        .update(Buffer.from(await whole.arrayBuffer()))
        .digest('hex'),
    ).to.equal(createHash('sha1').update(file).digest('hex'));
    const part = await media('tenir-la-distance', token, { range: 'bytes=100-299' });
    expect([
      part.status,
      part.headers.get('content-range'),
      part.headers.get('content-length'),
    ]).to.deep.equal([206, `bytes 100-299/${file.length}`, '200']);
    expect(Buffer.from(await part.arrayBuffer()).equals(file.subarray(100, 300))).to.equal(true);
    const end = await media('tenir-la-distance', token, { range: 'bytes=-50' });
    expect(Buffer.from(await end.arrayBuffer()).equals(file.subarray(-50))).to.equal(true);
    const outside = await media('tenir-la-distance', token, { range: `bytes=${file.length}-` });
    expect([outside.status, outside.headers.get('content-range')]).to.deep.equal([
      416,
      `bytes */${file.length}`,
    ]);
    const head = await media('tenir-la-distance', token, {}, 'HEAD');
    expect([head.status, head.headers.get('content-length')]).to.deep.equal([
      200,
      String(file.length),
    ]);
    expect(whole.headers.get('x-content-type-options')).to.equal('nosniff');
    expect(whole.headers.get('content-security-policy')).to.contain('sandbox');
  });

  it('take no place where somebody was told meanwhile that it cannot be done now', async () => {
    const { videos, storeHealth, downloads } = world.context;
    const look = videos.posterOf.bind(videos);
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const found: Promise<unknown>[] = [];
    // A store that says nothing until the answer has been given.
    videos.posterOf = (slug) => {
      const looked = gate.then(() => look(slug));
      found.push(looked);
      return looked;
    };
    Object.defineProperty(storeHealth, 'isSilent', { configurable: true, value: true });
    try {
      expect((await fetch(`${world.url}/api/v1/videos/tenir-la-distance/poster`)).status).to.equal(
        503,
      );
    } finally {
      Reflect.deleteProperty(storeHealth, 'isSilent');
      Reflect.deleteProperty(videos, 'posterOf');
    }
    goOn();
    await Promise.all(found);
    await new Promise((resolve) => setImmediate(resolve));
    expect([found.length, downloads.open]).to.deep.equal([1, 0]);
  });

  it('have captions and a page with a player, for whom they are open', async () => {
    const get = (as: string | null) =>
      fetch(`${world.url}/api/v1/videos/tenir-la-distance/captions/fr.vtt`, {
        headers: as ? { authorization: `Bearer ${as}` } : {},
      });
    expect(await (await get(token)).text()).to.match(/^WEBVTT/);
    expect((await get(null)).status).to.equal(403);
    expect(
      (await fetch(`${world.url}/api/v1/videos/tenir-la-distance/poster`)).headers.get(
        'content-type',
      ),
    ).to.equal('image/jpeg');
    const browser = world.browser();
    await browser.signIn('x', 'fan2');
    const page = await browser.go('/en/videos/tenir-la-distance');
    expect(page.text).to.contain('<video').and.contain('<track').and.contain('Transcript');
  });

  it('close again with the follow, at the very next range', async () => {
    follow('athlete1', false);
    await ask('athlete1', 'DELETE');
    expect((await media('tenir-la-distance', token, { range: 'bytes=0-9' })).status).to.equal(403);
    expect((await media('tenir-la-distance', token, {}, 'HEAD')).status).to.equal(403);
  });

  it('are not found under a name that is none, and tell no length of a locked one', async () => {
    expect((await media('nothing-here', token)).status).to.equal(404);
    const locked = await media('tenir-la-distance', null, { range: 'bytes=999999999-' });
    expect([locked.status, locked.headers.get('content-range')]).to.deep.equal([403, null]);
  });

  it('come in through the door only: an organiser, a real MP4, a lock that can open', async () => {
    const { fan } = await world.fan('fan3');
    const organiser = { id: 'o', roles: ['organiser'] };
    const video = VIDEOS[0] as (typeof VIDEOS)[number];
    expect(
      await refused(() =>
        world.context.videos.publish({ id: fan._id, roles: fan.roles }, video, files),
      ),
    ).to.equal('not_allowed');
    expect(
      await refused(() =>
        world.context.videos.publish(organiser, video, { ...files, media: files.poster }),
      ),
    ).to.equal('bad_file');
    expect(
      await refused(() =>
        world.context.videos.publish(
          organiser,
          { ...video, lock: [{ kind: 'follow', athletes: ['a'], need: 2, network: null }] },
          files,
        ),
      ),
    ).to.equal('bad_input');
    expect(
      await refused(() =>
        world.context.videos.publish(
          organiser,
          { ...video, captions: { fr: 'x', en: 'y' } },
          files,
        ),
      ),
    ).to.equal('bad_input');
  });
});
