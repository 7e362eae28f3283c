import Handlebars, { type TemplateDelegate } from 'handlebars';
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Language, Words } from './i18n.js';
import { PartialPlacer } from './partials.js';

/** What the frame around every page knows, whatever the page. */
export interface Frame {
  lang: Language;
  other: Language;
  path: string;
  otherPath: string;
  nonce: string;
  theme: string;
  demo: boolean;
  reader: {
    id: string;
    name: string;
    points: number;
    medal: string | null;
    moderator: boolean;
    organiser: boolean;
    stopped: number;
  } | null;
  /** The session's form token, made when a form first asks for it. */
  readonly csrf: string;
  title: string;
  section: string;
  script: string | null;
  /**
   * The one address of this page in this language, whole; null for pages that nobody should find.
   */
  canonical: string | null;
  /**
   * The page in every language it has, itself too, and where whoever reads neither is sent
   * (`x-default`); whole addresses.
   */
  alternates: { lang: string; href: string }[];
  robots: boolean;
  wide: boolean;
  /** Words for the page's modules; null for a visitor, who has none. */
  client: Record<string, unknown> | null;
}

type Options = Handlebars.HelperOptions;
interface Root {
  lang: Language;
  csrf: string;
}
const rootOf = (options: Options): Root => (options.data as { root: { frame: Root } }).root.frame;

const HELPERS = [
  't',
  'num',
  'big',
  'date',
  'time',
  'short',
  'both',
  'iso',
  'eq',
  'ne',
  'gt',
  'url',
  'uri',
  'asset',
  'csrf',
  'countryOf',
  'sport',
  'concat',
  'list',
  'digits',
  'json',
] as const;

function registerHelpers(
  engine: typeof Handlebars,
  words: Words,
  assets: Record<string, string>,
): void {
  engine.registerHelper('t', (key: string, options: Options) =>
    words.t(rootOf(options).lang, key, options.hash as Record<string, unknown>),
  );
  engine.registerHelper('num', (value: number, options: Options) =>
    words.number(rootOf(options).lang, value),
  );
  // Thousands in the display face are parted by U+00A0; U+202F is too thin there (LOOK 2).
  engine.registerHelper('big', (value: number) =>
    String(value).replace(/\B(?=(\d{3})+(?!\d))/g, '\u00a0'),
  );
  for (const style of ['date', 'time', 'short', 'both'] as const) {
    engine.registerHelper(style, (value: Date | string, options: Options) =>
      words.date(rootOf(options).lang, value, style),
    );
  }
  engine.registerHelper('iso', (value: Date | string) => new Date(value).toISOString());
  engine.registerHelper('eq', (a: unknown, b: unknown) => a === b);
  engine.registerHelper('ne', (a: unknown, b: unknown) => a !== b);
  engine.registerHelper('gt', (a: number, b: number) => a > b);
  engine.registerHelper(
    'url',
    (path: string, options: Options) => `/${rootOf(options).lang}${path}`,
  );
  // A text inside the query of an address.
  engine.registerHelper('uri', (value: string) => encodeURIComponent(value));
  engine.registerHelper('asset', (name: string) => assets[name] ?? '');
  engine.registerHelper('csrf', (options: Options) => {
    const token = engine.escapeExpression(rootOf(options).csrf);
    return new engine.SafeString(`<input type="hidden" name="csrf" value="${token}">`);
  });
  engine.registerHelper('countryOf', (code: string, options: Options) =>
    words.country(rootOf(options).lang, code),
  );
  engine.registerHelper('sport', (slug: string, options: Options) =>
    words.t(rootOf(options).lang, `disciplines.${slug}`),
  );
  engine.registerHelper('concat', (...parts: unknown[]) => parts.slice(0, -1).map(String).join(''));
  engine.registerHelper('list', (items: string[], options: Options) =>
    new Intl.ListFormat(rootOf(options).lang, { type: 'unit' }).format(items),
  );
  engine.registerHelper('digits', (value: number) => Array.from(String(value)));
  // For data blocks: `<` can close a script element, the two separators end a line in old parsers.
  engine.registerHelper(
    'json',
    (value: unknown) =>
      new engine.SafeString(
        JSON.stringify(value).replace(
          /[<\u2028\u2029]/g,
          (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
        ),
      ),
  );
}

const PARTIALS = 'partials/';

/** The templates of one language. */
interface Shelf {
  layout: TemplateDelegate;
  pages: Map<string, TemplateDelegate>;
}

/** What a template is made of, as far as its line breaks are concerned. */
const PIECES = /\{\{!--.*?--\}\}|\{\{.*?\}\}\}?|<(?=[a-z!/])|\s*\/?>|\s*\n\s*/gis;
const BLOCK = /^\{\{(?:[#/>!^]|else\b)/;
const EDGE_AHEAD = /^(?:<|\{\{(?:[#/>!^]|else\b))/;
const START_TAG = /<[a-z](?:\{\{.*?\}\}|[^>])*>/gis;
/** A part of a tag that stands there or not, without another choice, and the space before it. */
const CONDITIONAL = / (\{\{#(if|unless) [^}]*\}\})((?:(?!\{\{(?:#|else)).)*?) ?(\{\{\/\2\}\})/g;

/**
 * Takes the line breaks out of a template, so that its layout is its author's affair and costs no
 * reader a byte. A line break is nothing beside a tag, a block or a partial, and a space between
 * words or attributes (as in JSX). Where a space must be seen beside a tag at the end or the
 * beginning of a line, the template says `&#32;`. In a tag, the space before what stands there only
 * sometimes goes with it.
 */
export function joinLines(source: string): string {
  let inTag = false;
  let edge = 0;
  return source
    .trim()
    .replace(PIECES, (piece: string, offset: number, whole: string) => {
      const end = offset + piece.length;
      if (piece.startsWith('{{')) {
        if (BLOCK.test(piece)) edge = end;
        return piece.startsWith('{{!') ? '' : piece;
      }
      if (piece === '<') inTag = true;
      else if (piece.endsWith('>')) {
        const closes = inTag ? piece.trim() : piece;
        inTag = false;
        edge = end;
        return closes;
      } else if (inTag) return ' ';
      else if (edge === offset || EDGE_AHEAD.test(whole.slice(end, end + 6))) {
        edge = end;
        return '';
      } else return ' ';
      return piece;
    })
    .replaceAll('&#32;', ' ')
    .replace(START_TAG, (tag) => tag.replace(CONDITIONAL, '$1 $3$4'));
}

/** A text as Handlebars reads it between quotes. */
const quoted = (text: string): string => `"${text.replaceAll('"', '\\"')}"`;

/**
 * What a template says in any case is put in when it is compiled, once a language: words without
 * parameters, addresses, names of assets. Half of what a page used to cost was looking these up
 * again for every reader.
 */
function settle(
  source: string,
  language: Language,
  words: Words,
  assets: Record<string, string>,
): string {
  const { escapeExpression } = Handlebars;
  return joinLines(source)
    .replace(/\{\{t "([^"]+)"\}\}/g, (_all, key: string) =>
      escapeExpression(words.t(language, key)),
    )
    .replace(/\{\{url "([^"]*)"\}\}/g, (_all, path: string) => `/${language}${path}`)
    .replace(/\(t "([^"]+)"\)/g, (_all, key: string) => quoted(words.t(language, key)))
    .replace(/\(url "([^"]*)"\)/g, (_all, path: string) => quoted(`/${language}${path}`))
    .replace(/\{\{asset "([^"]+)"\}\}/g, (_all, name: string) =>
      escapeExpression(assets[name] ?? ''),
    );
}

function shelf(
  folder: string,
  language: Language,
  words: Words,
  assets: Record<string, string>,
): Shelf {
  const engine = Handlebars.create();
  registerHelpers(engine, words, assets);
  const knownHelpers = Object.fromEntries(HELPERS.map((name) => [name, true]));
  // Parsed now, so that a broken one stops the start; made into functions at their first use.
  const programs = new Map<string, hbs.AST.Program>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.hbs')) continue;
    const file = join(entry.parentPath, entry.name);
    const name = relative(folder, file)
      .replace(/\.hbs$/, '')
      .replaceAll('\\', '/');
    programs.set(name, engine.parse(settle(readFileSync(file, 'utf8'), language, words, assets)));
  }
  const partials = new Map<string, hbs.AST.Program>();
  for (const [name, program] of programs)
    if (name.startsWith(PARTIALS)) partials.set(name.slice(PARTIALS.length), program);
  const placer = new PartialPlacer(partials, engine.escapeExpression);
  const pages = new Map<string, TemplateDelegate>();
  let layout: TemplateDelegate | null = null;
  for (const [name, program] of programs) {
    const template = engine.compile(placer.place(program), {
      knownHelpers,
      knownHelpersOnly: true,
      strict: false,
    }) as TemplateDelegate;
    if (name.startsWith(PARTIALS)) engine.registerPartial(name.slice(PARTIALS.length), template);
    else if (name === 'layouts/main') layout = template;
    else pages.set(name, template);
  }
  if (!layout) throw new Error('views: no layouts/main.hbs');
  return { layout, pages };
}

/**
 * All templates of `views/`, read at the start: a broken one stops it, and none is ever made from
 * data (ASVS 1.3.7).
 */
export class Views {
  private readonly shelves: Record<Language, Shelf>;

  constructor(folder: string, words: Words, assets: Record<string, string>) {
    this.shelves = {
      fr: shelf(folder, 'fr', words, assets),
      en: shelf(folder, 'en', words, assets),
    };
  }

  /** A whole page: the template inside the layout, in the language of the frame. */
  page(name: string, frame: Frame, model: object): string {
    const { layout, pages } = this.shelves[frame.lang];
    const template = pages.get(name);
    if (!template) throw new Error(`views: no ${name}.hbs`);
    return layout({ frame, body: template({ ...model, frame }) });
  }
}
