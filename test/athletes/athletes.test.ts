import { expect } from 'chai';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { fold, slugBase, wordsOf } from '../../server/athletes/fold.js';
import { initials } from '../../server/athletes/present.js';
import type { SearchDocument } from '../../server/athletes/search-document.js';
import { SearchIndex } from '../../server/athletes/search-index.js';
import { startWorld, type World } from '../support/world.js';

const HEAD = 'source,source_id,name,sex,noc,country,sports,games,gold,silver,bronze,last_year\n';
const row = (
  id: number,
  name: string,
  more: Partial<Record<'sport' | 'year' | 'noc' | 'gold', string>> = {},
): string =>
  `t,${id},"${name.replace(/"/g, '""')}",F,${more.noc ?? 'FRA'},France,${more.sport ?? 'Fencing'},${more.year ?? '2012'} Summer,${more.gold ?? '0'},0,0,${more.year ?? '2012'}\n`;

describe('names', () => {
  for (const [text, folded] of [
    ['Fléssel', 'flessel'],
    ['Łukasz ØSTBY', 'lukasz ostby'],
    ['Straße', 'strasse'],
    ['Đorđe', 'dorde'],
  ] as const)
    it(`fold ${text}`, () => {
      expect(fold(text)).to.equal(folded);
    });
  it('are parted at whatever is no letter', () => {
    expect(wordsOf('Laura lodie Flessel-Colovic "La Guêpe"')).to.deep.equal([
      'laura',
      'lodie',
      'flessel',
      'colovic',
      'la',
      'guepe',
    ]);
  });
  it('make an address of any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(slugBase(text)).to.match(/^[\p{L}\p{N}]+(-[\p{L}\p{N}]+)*$/u);
      }),
    );
  });
  it('give two letters for a portrait', () => {
    expect([
      initials('Maëlle Kervran'),
      initials('A "Bo" Dijiang'),
      initials('Pelé'),
    ]).to.deep.equal(['MK', 'AD', 'P']);
  });
});

describe('the search index', () => {
  const one = (id: string, name: string, more: Partial<SearchDocument> = {}): SearchDocument => ({
    id,
    slug: id,
    name,
    words: wordsOf(name),
    active: false,
    status: 'former',
    noc: 'FRA',
    country: 'France',
    disciplines: ['fencing'],
    games: ['2012-summer'],
    networks: [],
    medals: 0,
    hidden: false,
    demo: false,
    ...more,
  });
  const index = new SearchIndex();
  index.put([
    one('a', 'Laura Flessel-Colovic'),
    one('b', 'Laura Fleming', { active: true, status: 'active' }),
    one('c', 'Flora Laurent'),
    one('d', 'Nicole Fessel', { disciplines: ['rowing'] }),
    one('e', 'Li Na'),
    one('f', 'Lionel Nadal', { networks: ['x'] }),
    one('g', 'Laura Flessel', { hidden: true }),
  ]);
  const find = (q: string, more: object = {}): string[] =>
    index.search({ q, limit: 10, ...more }).items.map((item) => item.id);

  it('finds by whole word, prefix and typo, accents and case aside, in any order', () => {
    expect(find('FLÉSSEL')[0]).to.equal('a');
    expect(find('flesel')[0]).to.equal('a');
    expect(find('colovic laura')).to.deep.equal(['a']);
    expect(find('laura fles')).to.deep.equal(['a']);
    expect(find('zzz')).to.deep.equal([]);
  });
  it('puts exact before prefix before typo, active before former', () => {
    expect(find('laura')).to.deep.equal(['b', 'a']);
    expect(find('fessel')).to.deep.equal(['d', 'a']);
  });
  it('answers one and two letters too', () => {
    expect(find('l').slice().sort()).to.deep.equal(['a', 'b', 'c', 'e', 'f']);
    expect(find('li na')).to.deep.equal(['e', 'f']);
  });
  it('filters, counts, and never shows who is hidden', () => {
    expect(find('', { discipline: 'rowing' })).to.deep.equal(['d']);
    expect(find('', { verified: true })).to.deep.equal(['f']);
    expect(find('', { status: 'active' })).to.deep.equal(['b']);
    expect(index.search({ q: '', limit: 2 }).total).to.equal(6);
  });
  it('goes on behind a cursor without a repeat or gap, while people are added', () => {
    const growing = new SearchIndex();
    growing.put(
      Array.from({ length: 30 }, (_x, n) => one(`p${String(n).padStart(2, '0')}`, `Person ${n}`)),
    );
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < 10; page += 1) {
      const answer = growing.search({ q: 'person', limit: 7, ...(cursor ? { cursor } : {}) });
      seen.push(...answer.items.map((item) => item.id));
      cursor = answer.next;
      growing.put([one(`new${page}`, 'Aaron Person', { active: true })]);
      if (!cursor) break;
    }
    expect(seen.filter((id) => id.startsWith('p'))).to.have.length(30);
    expect(new Set(seen).size).to.equal(seen.length);
  });
  it('is the same after it was kept and loaded, and follows changes', () => {
    const { index: again, revision } = SearchIndex.load(index.save(7));
    expect(revision).to.equal(7);
    expect(again.search({ q: 'laura fles', limit: 3 }).items.map((item) => item.id)).to.deep.equal([
      'a',
    ]);
    again.put([one('a', 'Laura Colovic'), one('b', 'Laura Fleming', { hidden: true })]);
    expect(again.search({ q: 'flessel', limit: 3 }).items.map((item) => item.id)).to.deep.equal([
      'd',
    ]);
    expect(again.search({ q: 'laura', limit: 3 }).items.map((item) => item.id)).to.deep.equal([
      'a',
    ]);
    expect(() => SearchIndex.load('{"format":1}')).to.throw();
  });
  it('answers any text at all', () => {
    fc.assert(
      fc.property(fc.string(), (q) => {
        expect(index.search({ q, limit: 5 }).items.length).to.be.at.most(5);
      }),
    );
  });
});

describe('the directory', () => {
  let world: World;
  before(async () => {
    world = await startWorld({ search: true });
    world.context.search?.start();
  });
  after(() => world.close());
  const importText = (text: string) => world.context.athletes.importFile(Readable.from([text]), 0);

  it('imports a file, names its bad rows by line and reason, and stops at none', async () => {
    const result = await importText(
      HEAD +
        row(1, 'Laura Flessel') +
        't,2,Bad Sport,F,FRA,France,Quidditch,2012 Summer,0,0,0,2012\n' +
        row(3, 'Laura Flessel') +
        't,4,No Year,F,FRA,France,Judo,2012 Summer,0,0,0,soon\n' +
        row(5, 'Été Dupont', { year: '2024', sport: 'Judo;Fencing' }),
    );
    expect(result).to.include({ rows: 5, added: 3, badCount: 2 });
    expect(result?.bad[0]).to.deep.include({ line: 3 });
    expect(result?.bad[0]?.reason).to.contain('Quidditch');
    expect(result?.bad[1]?.line).to.equal(5);
    expect((await world.context.athletes.require('laura-flessel-2')).name).to.equal(
      'Laura Flessel',
    );
    expect((await world.context.athletes.require('ete-dupont')).status).to.equal('active');
  });

  it('loses no good row of two hundred to a quote that row 21 never closes', async () => {
    const rows = Array.from({ length: 200 }, (_x, n) =>
      n === 190
        ? row(1190, `Person "Bo"\nOf Two Lines ${n}`)
        : row(1000 + n, `Plain Person ${n}`).replaceAll('"', ''),
    );
    rows[20] = (rows[20] ?? '').replace('Plain Person 20', '"Plain Person 20');
    const result = await importText(HEAD + rows.join(''));
    expect(result).to.include({ rows: 200, added: 199, badCount: 1 });
    expect(result?.bad).to.have.length(1);
    expect(result?.bad[0]?.line).to.equal(22);
    expect(result?.bad[0]?.reason).to.contain('quote');
    expect((await world.context.athletes.require('person-bo-of-two-lines-190')).sourceId).to.equal(
      '1190',
    );
  });

  it('changes nothing at a second import, and only what changed at a third', async () => {
    expect(await importText(HEAD + row(1, 'Laura Flessel') + row(3, 'Laura Flessel'))).to.include({
      added: 0,
      changed: 0,
      same: 2,
    });
    expect(
      await importText(
        HEAD + row(1, 'Laura Flessel-Colovic') + row(3, 'Laura Flessel', { gold: '2' }),
      ),
    ).to.include({ changed: 2 });
    const renamed = await world.context.athletes.require('laura-flessel');
    expect(renamed.slugs).to.deep.equal(['laura-flessel-colovic', 'laura-flessel']);
    const page = await fetch(`${world.url}/en/athletes/laura-flessel`, { redirect: 'manual' });
    expect([page.status, page.headers.get('location')]).to.deep.equal([
      301,
      '/en/athletes/laura-flessel-colovic',
    ]);
    expect((await importText(HEAD + row(9, 'Laura Flessel')))?.added).to.equal(1);
    expect((await world.context.athletes.require('laura-flessel-3')).sourceId).to.equal('9');
  });

  it('keeps whoever objected hidden after a re-import', async () => {
    await importText(HEAD + row(20, 'Shy Person'));
    await world.context.athletes.hide('shy-person', true);
    await importText(HEAD + row(20, 'Shy Person', { gold: '1' }));
    expect(await world.context.athletes.bySlug('shy-person')).to.equal(null);
    expect((await world.api('/athletes/shy-person')).status).to.equal(404);
  });

  it('lets one import run at a time', async () => {
    const [a, b] = await Promise.all([
      importText(HEAD + row(30, 'One One')),
      importText(HEAD + row(31, 'Two Two')),
    ]);
    expect([a, b].filter((one) => one === null)).to.have.length(1);
  });

  it('is searched by its thread, which hears of changes', async () => {
    await world.context.search?.untilReady();
    await world.context.search?.look();
    const found = await world.api('/athletes?q=flesel&limit=5');
    expect(
      (found.body as unknown as { items: { name: string }[] }).items.map((one) => one.name),
    ).to.include('Laura Flessel-Colovic');
    expect(found.body).to.not.have.property('partial');
    await importText(HEAD + row(40, 'Zelda Quixote'));
    await world.context.search?.look();
    expect((await world.api('/athletes?q=quixote')).body).to.include({ total: 1 });
  });

  it('pages through the API with stable cursors and refuses what is none', async () => {
    const first = await world.api('/athletes?limit=2');
    const second = await world.api(
      `/athletes?limit=2&cursor=${String((first.body as { nextCursor?: string }).nextCursor)}`,
    );
    const names = [first, second].flatMap((one) =>
      (one.body as unknown as { items: { slug: string }[] }).items.map((item) => item.slug),
    );
    expect(new Set(names).size).to.equal(4);
    expect((await world.api('/athletes?cursor=zzz')).body).to.include({ id: 'bad_cursor' });
    expect((await world.api('/athletes?limit=0')).body).to.include({ id: 'bad_input' });
    expect((await world.api('/athletes?q=a&q=b')).body).to.include({ id: 'bad_input' });
    expect((await world.api('/athletes?discipline=quidditch')).status).to.equal(400);
  });
});

describe('the directory before its index is up', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.context.athletes.importFile(
      Readable.from([HEAD + row(1, 'Laura Flessel') + row(2, 'Laura Fleming')]),
      0,
    );
  });
  after(() => world.close());
  it('shows its three credits wherever it is shown', async () => {
    for (const lang of ['fr', 'en'])
      expect(await (await fetch(`${world.url}/${lang}/athletes`)).text())
        .to.contain('Chester Ismay')
        .and.contain('CC BY 4.0')
        .and.contain('rgriff23')
        .and.contain('Olympedia');
  });

  it('answers exact words and prefixes from MongoDB, and says that it is partial', async () => {
    const found = await world.api('/athletes?q=laura%20fles');
    expect(found.body).to.include({ partial: true, total: 1 });
    expect(await (await fetch(`${world.url}/en/athletes?q=laura`)).text())
      .to.contain('index is being prepared')
      .and.contain('Laura Fleming');
  });
});
