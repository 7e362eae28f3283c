import { expect } from 'chai';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { root } from '../scripts/root.js';
import { COLUMNS, faultsOf, templates } from '../scripts/templates.js';

/**
 * The import ladder, top first. Rooms of one step never import each other. Rooms that do not exist
 * yet have their step reserved.
 */
const LADDER: string[][] = [
  ['pages'],
  ['videos', 'village', 'feed', 'photos', 'challenges', 'rewards', 'showcase'],
  ['follows'],
  ['posts'],
  ['registry'],
  ['athletes', 'fans', 'points', 'moderation', 'locks', 'notices'],
  ['networks'],
  ['platform'],
];
const LEAVES = ['config', 'errors', 'events', 'wire'];
/** What a room may be entered by; everything else in it is its own. */
const DOORS = /^(service|present|needs|schema|network|cards|disciplines|identities|tokens)\.ts$/;
/** The fixed ways that the wiring also uses. */
const WIRING = ['main', 'app', 'sockets', 'worker', 'context', 'openapi'];
const LINES = 350;

interface Import {
  from: string;
  to: string;
}
const server = join(root, 'server');

function files(folder: string, names = /\.ts$/): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && names.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(file: string, text: string): Import[] {
  return [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+'(\.[^']+)'|import\('(\.[^']+)'\)/g,
    ),
  ].map((match) => ({
    from: relative(server, file),
    to: relative(
      server,
      resolve(dirname(file), (match[1] ?? match[2] ?? '').replace(/\.js$/, '.ts')),
    ),
  }));
}

const roomOf = (path: string): string => {
  const parts = path.split('/');
  return parts.length === 1 ? (parts[0] ?? '').replace(/\.ts$/, '') : (parts[0] ?? '');
};
const stepOf = (room: string): number => LADDER.findIndex((step) => step.includes(room));

/** Why an import breaks the house, or null. */
function wrong({ from, to }: Import): string | null {
  const [a, b] = [roomOf(from), roomOf(to)];
  if (to.startsWith('..')) return `${from} reaches outside server/ (${to})`;
  if (a === b || WIRING.includes(a)) return null;
  if (WIRING.includes(b)) return `${from} names the wiring (${to})`;
  if (LEAVES.includes(b)) return null;
  if (LEAVES.includes(a)) return `${from} is a leaf and imports ${to}`;
  if (stepOf(a) < 0 || stepOf(b) < 0) return `${from} or ${to} is in no known room`;
  if (stepOf(b) === stepOf(a)) return `${from} imports its neighbour ${to}`;
  if (stepOf(b) < stepOf(a)) return `${from} imports upwards (${to})`;
  if (b !== 'platform' && !DOORS.test(to.split('/').slice(1).join('/')))
    return `${from} enters ${to} past its doors`;
  return null;
}

/**
 * Whether a line that is too wide may stay: nothing in it can be broken, because from its
 * indentation on it is one string, pattern or address (a name or a call may stand before it, and
 * punctuation behind).
 */
function isUnbreakable(line: string): boolean {
  const [, text] = /^\s*(?:[\w.:]+\s*=?\s*\(?)?(['"`/].*['"`/][a-z]*)[,;)]*$/.exec(line) ?? [];
  return text !== undefined && (!text.includes(' ') || text.startsWith('/'));
}

/** Files that import each other in a ring, type imports counted. */
function loops(imports: Import[]): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to } of imports) next.set(from, [...(next.get(from) ?? []), to]);
  const state = new Map<string, 'open' | 'done'>();
  const found: string[] = [];
  const walk = (file: string, path: string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      found.push([...path.slice(path.indexOf(file)), file].join(' → '));
      return;
    }
    state.set(file, 'open');
    for (const to of next.get(file) ?? []) walk(to, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of next.keys()) walk(file, []);
  return found;
}

describe('the house', () => {
  const all = files(server).map((file) => ({ file, text: readFileSync(file, 'utf8') }));
  const imports = all.flatMap(({ file, text }) => importsOf(file, text));

  it('lets imports go down only, through doors', () => {
    expect(imports.length).to.be.greaterThan(200);
    expect(imports.map(wrong).filter((one) => one !== null)).to.deep.equal([]);
  });

  it('has no ring of imports, types and scripts included', () => {
    const inScripts = files(join(root, 'scripts'), /\.(ts|mjs)$/).flatMap((file) =>
      importsOf(file, readFileSync(file, 'utf8')),
    );
    expect(inScripts.length).to.be.greaterThan(100);
    expect(loops([...imports, ...inScripts])).to.deep.equal([]);
  });

  it('fails on a planted bad import of every kind', () => {
    const planted: Import[] = [
      { from: 'points/ledger.ts', to: 'follows/service.ts' },
      { from: 'points/ledger.ts', to: 'fans/service.ts' },
      { from: 'networks/service.ts', to: 'fans/service.ts' },
      { from: 'follows/service.ts', to: 'points/ledger.ts' },
      { from: 'fans/service.ts', to: 'context.ts' },
      { from: 'errors.ts', to: 'platform/bus.ts' },
      { from: 'videos/service.ts', to: '../scripts/demo/seed.ts' },
    ];
    expect(planted.map(wrong).filter((one) => one === null)).to.deep.equal([]);
    expect(
      loops([
        { from: 'a.ts', to: 'b.ts' },
        { from: 'b.ts', to: 'a.ts' },
      ]),
    ).to.have.length(1);
  });

  it('keeps files small and without drawers for everything', () => {
    const scripts = files(join(root, 'scripts')).map((file) => ({
      file,
      text: readFileSync(file, 'utf8'),
    }));
    expect(
      [...all, ...scripts]
        .filter(({ text }) => text.split('\n').length > LINES)
        .map(({ file }) => relative(root, file)),
    ).to.deep.equal([]);
    expect(
      all
        .map(({ file }) => relative(server, file))
        .filter((file) => /(^|\/)(utils?|helpers?|common|index)(\.ts|\/)/.test(file)),
    ).to.deep.equal([]);
  });

  it('keeps templates readable: one element a line, at most 100 columns', () => {
    expect(templates().length).to.be.greaterThan(80);
    expect(
      templates().flatMap((file) => faultsOf(file, readFileSync(join(root, file), 'utf8'))),
    ).to.deep.equal([]);
  });

  it('keeps every line of code and CSS at 100 columns, but strings that cannot be broken', () => {
    const wide = ['server', 'scripts', 'public'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.(ts|mts|mjs|css)$/.test(entry.name))
        .map((entry) => join(entry.parentPath, entry.name))
        .flatMap((file) =>
          readFileSync(file, 'utf8')
            .split('\n')
            .flatMap((line, index) =>
              line.length > COLUMNS && !isUnbreakable(line)
                ? [`${relative(root, file)}:${index + 1}`]
                : [],
            ),
        ),
    );
    expect(wide).to.deep.equal([]);
  });

  it('keeps networks free of fans and points, and points free of networks', () => {
    expect(
      imports.filter(({ from, to }) => from.startsWith('networks/') && /^(fans|points)\//.test(to)),
    ).to.deep.equal([]);
    expect(
      imports.filter(({ from, to }) => from.startsWith('points/') && to.startsWith('networks/')),
    ).to.deep.equal([]);
  });

  it('never asks anywhere whether it speaks to the sandbox', () => {
    expect(
      all
        .filter(({ text }) =>
          /sandbox/i.test(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '').replace(/; sandbox"/g, '')),
        )
        .map(({ file }) => relative(server, file)),
    ).to.deep.equal([]);
  });

  it('writes no text past escaping in a template but the body of the layout', () => {
    const views = readdirSync(join(root, 'views'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.name.endsWith('.hbs'))
      .map((entry) => join(entry.parentPath, entry.name));
    expect(
      views.flatMap((file) =>
        [...readFileSync(file, 'utf8').matchAll(/\{\{\{[^}]*\}\}\}/g)].map(
          ([text]) => `${relative(root, file)} ${text}`,
        ),
      ),
    ).to.deep.equal(['views/layouts/main.hbs {{{body}}}']);
  });
});
