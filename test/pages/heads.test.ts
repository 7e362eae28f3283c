import { expect } from 'chai';
import { seedDemo } from '../../scripts/demo/seed.js';
import { Page } from '../support/page.js';
import { startWorld, type World } from '../support/world.js';

/** What a page says of itself in its head. */
function headOf(html: string): {
  canonical: string[];
  alternates: [string, string][];
  title: string;
  description: string;
  robots: string | null;
} {
  const page = new Page(html);
  const alternate = 'link[rel=alternate][hreflang]';
  const addresses = page.attributes(alternate, 'href');
  const robots = 'meta[name=robots]';
  return {
    canonical: page.attributes('link[rel=canonical]', 'href'),
    alternates: page
      .attributes(alternate, 'hreflang')
      .map((lang, index) => [lang, addresses[index] ?? '']),
    title: page.text('title'),
    description: page.attribute('meta[name=description]', 'content'),
    robots: page.has(robots) ? page.attribute(robots, 'content') : null,
  };
}

describe('the heads of public pages', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await seedDemo(world.context, () => undefined);
    await world.context.points.heal();
  });
  after(() => world.close());

  const PAGES = [
    '',
    '/athletes',
    '/athletes/athlete1',
    '/boards/hub',
    '/boards/discipline:fencing',
    '/videos',
    '/videos/le-depart',
    '/chats',
    '/chats/maelle-repond',
    '/sign-in',
  ];
  const ABOUT = ['/about/points', '/about/rules', '/about/accessibility', '/about/credits'];
  for (const path of [...PAGES, ...ABOUT])
    it(
      'name the page itself, both languages and one for the rest, by whole ' +
        `addresses that answer: ${path || '/'}`,
      async () => {
        const sets: unknown[] = [];
        for (const lang of ['fr', 'en'] as const) {
          const page = await world.browser().go(`/${lang}${path}`);
          expect(page.status).to.equal(200);
          const head = headOf(page.text);
          expect(head.canonical).to.deep.equal([`${world.url}/${lang}${path}`]);
          expect(head.alternates).to.deep.equal([
            ['fr', `${world.url}/fr${path}`],
            ['en', `${world.url}/en${path}`],
            ['x-default', path === '' ? `${world.url}/` : `${world.url}/fr${path}`],
          ]);
          for (const [, href] of head.alternates) {
            const answer = await fetch(href, { redirect: 'manual' });
            // The address that chooses a language is the only one that sends on.
            expect(answer.status, href).to.equal(href === `${world.url}/` ? 302 : 200);
          }
          expect(head.robots).to.equal(null);
          expect(head.title).to.match(/\S - Village$/);
          expect(head.description).to.not.equal('');
          expect(page.text).to.match(new RegExp(`<html lang="${lang}"`));
          // The way to the other language leads to the same page.
          expect(page.text).to.contain(`href="/${lang === 'fr' ? 'en' : 'fr'}${path}" lang=`);
          sets.push(head.alternates);
        }
        const query = await world.browser().go(`/fr${path}?x=1`);
        expect(query.text).to.contain(`href="/en${path}?x&#x3D;1" lang=`);
        expect(sets[0]).to.deep.equal(sets[1]);
      },
    );

  it('leave out what a query only sorts or says, and keep the number of a page', async () => {
    for (const [path, canonical] of [
      ['/fr/athletes?q=kervran&discipline=fencing', '/fr/athletes'],
      ['/en/boards/hub?page=2', '/en/boards/hub?page=2'],
      ['/en/boards/hub?page=1&x=y', '/en/boards/hub'],
      ['/en/athletes/athlete1?notice=no&network=x', '/en/athletes/athlete1'],
      ['/fr/sign-in?returnTo=%2Ffr%2Fvideos', '/fr/sign-in'],
      ['/fr/', '/fr'],
    ] as const)
      expect(headOf((await world.browser().go(path)).text).canonical, path).to.deep.equal([
        `${world.url}${canonical}`,
      ]);
  });

  it('of pages that nobody should find have none of these and say so', async () => {
    const browser = world.browser();
    await browser.signIn('x', 'fan1');
    for (const path of [
      '/en/me',
      '/en/me/settings',
      '/fr/nothing-here',
      '/fr/athletes/nobody',
      '/en/me/ledger',
      '/en/sign-in?again=1',
    ]) {
      const head = headOf((await browser.go(path)).text);
      expect(head, path).to.deep.include({ canonical: [], alternates: [], robots: 'noindex' });
    }
  });
});
