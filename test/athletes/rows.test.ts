import { expect } from 'chai';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { readRows } from '../../server/athletes/rows.js';

interface Person {
  id: string;
  name: string;
}
const HEAD = 'id,name,noc,year';
const judge = (record: Record<string, string>): { row: Person } | { reason: string } => {
  const { id = '', name = '', noc = '', year = '' } = record;
  return /^\d+$/.test(id) && name !== '' && /^[A-Z]{3}$/.test(noc) && /^\d{4}$/.test(year)
    ? { row: { id, name } }
    : { reason: 'no person' };
};
const quoted = (name: string): string => `"${name.replace(/"/g, '""')}"`;

async function read(
  text: string,
  size = 64,
): Promise<{ rows: Person[]; bad: { line: number; reason: string }[] }> {
  const bytes = Buffer.from(text);
  const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_x, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );
  const bad: { line: number; reason: string }[] = [];
  const rows: Person[] = [];
  for await (const row of readRows(Readable.from(parts, { objectMode: false }), judge, (one) =>
    bad.push(one),
  ))
    rows.push(row);
  return { rows, bad };
}

describe('rows of a file', () => {
  it(
    'are read across parts of any size, with quotes, commas, line breaks and either line end ' +
      'in them',
    async () => {
      const names = [
        'Ana',
        'Bo "The Rock" Li',
        'Doe, Jane',
        'Two\nLines',
        'É\u0301\u{1f3c5}',
        '"',
        'Last\n\n"Gap",\n1,x,FRA,2012',
      ];
      const lines = names.map((name, at) => `${at},${quoted(name)},FRA,2012`);
      for (const end of ['\n', '\r\n'])
        for (const size of [1, 7, 4096]) {
          const { rows, bad } = await read(`\ufeff${[HEAD, ...lines].join(end)}${end}`, size);
          expect(bad).to.deep.equal([]);
          expect(rows.map((one) => one.name.replace(/\r/g, ''))).to.deep.equal(names);
        }
    },
  );

  for (const [what, lines, ids, told] of [
    [
      'a quote that is never closed',
      ['1,"A",FRA,2012', '2,"B,FRA,2012', '3,"C",FRA,2012'],
      ['1', '3'],
      [3],
    ],
    [
      'a quote that is never closed before rows without quotes',
      ['2,"B,FRA,2012', '3,C,FRA,2012', '4,D,FRA,2012'],
      ['3', '4'],
      [2],
    ],
    [
      'one such row before another',
      ['2,"B,FRA,2012', '3,C,FRA,2012', '4,D",FRA,2012', '5,E,FRA,2012'],
      ['3', '5'],
      [2],
    ],
    [
      'one such row before a row of two lines',
      ['2,"B,FRA,2012', '3,"C\nD",FRA,2012', '4,D,FRA,2012'],
      ['3', '4'],
      [2],
    ],
    ['one at the end', ['1,A,FRA,2012', '2,"B,FRA,2012'], ['1'], [3]],
    ['a quote too many', ['1,"A"",FRA,2012', '2,B,FRA,2012'], ['2'], [2]],
    [
      'a bad value in a row of two lines, told once',
      ['1,"A\nB",FRA,soon', '2,C,FRA,2012'],
      ['2'],
      [2],
    ],
    ['too few fields', ['1,A', '2,B,FRA,2012'], ['2'], [2]],
    ['a line as long as a book', [`1,${'x'.repeat(300_000)},FRA,2012`, '2,B,FRA,2012'], ['2'], [2]],
  ] as const)
    it(`go on behind ${what}`, async () => {
      const { rows, bad } = await read(`${HEAD}\n${lines.join('\n')}\n`, 1000);
      expect(
        rows.map((one) => one.id).filter((id) => (ids as readonly string[]).includes(id)),
      ).to.deep.equal(ids);
      expect(bad.map((one) => one.line).slice(0, told.length)).to.deep.equal(told);
      for (const one of bad) expect(one.reason).to.not.equal('');
    });

  it('are all read but those that were spoilt, whatever was done to any of two hundred', async () => {
    const name = fc.oneof(
      fc.constantFrom('Ana', 'Bo "x" Li', 'Doe, Jane', 'Two\nLines', ',"', '"\n', 'x"'),
      fc.string({ minLength: 1, maxLength: 12 }).map((text) => `n${text}`),
    );
    const spoil = fc.constantFrom<(line: string, at: number) => string>(
      (line) => line.replace(/"([^"]*)$/, '$1'),
      (line) => line.replace('"', ''),
      (line, at) => `${line.slice(0, at % line.length)}"${line.slice(at % line.length)}`,
      (line, at) => line.slice(0, at % line.length),
      (line) => line.replace(/,/, ',"'),
      (line) => `${line}"`,
      (line) => line.replaceAll(',', ''),
      (line, at) => '"'.repeat(1 + (at % 4)),
      () => '\0\x01,"\ufffd',
    );
    const files = fc.tuple(
      fc.array(fc.tuple(name, fc.boolean()), { minLength: 200, maxLength: 200 }),
      fc.array(fc.tuple(fc.nat(199), spoil, fc.nat(60)), { maxLength: 12 }),
      fc.integer({ min: 50, max: 5000 }),
    );
    await fc.assert(
      fc.asyncProperty(files, async ([people, spoilt, size]) => {
        const good = people.map(
          ([who, bare], at) =>
            `${at},${bare && !/[",\r\n]/.test(who) ? who : quoted(who)},FRA,2012`,
        );
        const lines = [...good];
        for (const [at, how, where] of spoilt)
          lines[at] = how(lines[at] ?? '', where).replaceAll('\n', ' ');
        const touched = new Set(spoilt.map(([at]) => at));
        let no = 2;
        const firstLines = lines.map((line, at) => {
          const mine = { at, from: no, to: no + line.split('\n').length - 1 };
          no = mine.to + 1;
          return mine;
        });
        const { rows, bad } = await read(`${HEAD}\n${lines.join('\n')}\n`, size);
        const found = new Map(rows.map((one) => [one.id, one.name]));
        people.forEach(([who], at) => {
          if (!touched.has(at))
            expect(found.get(String(at)), `row ${at}`).to.equal(who.replace(/\r\n/g, '\n'));
        });
        for (const one of bad) {
          const whose = firstLines.find(({ from, to }) => from <= one.line && one.line <= to);
          expect(touched.has(whose?.at ?? -1), `line ${one.line} is told`).to.equal(true);
        }
      }),
      { numRuns: 60 },
    );
  });
});
