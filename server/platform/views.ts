import Handlebars, { type TemplateDelegate } from 'handlebars';
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Language, Words } from './i18n.js';
import { PartialPlacer } from './partials.js';

/** What the frame around a page knows, whatever the page. */
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
  /** The form token, made when a form first asks for it. */
  readonly csrf: string;
  title: string;
  section: string;
  script: string | null;
  /** This page's address in this language, in full; null for pages that search engines skip. */
  canonical: string | null;
  /** The full addresses of this page in all its languages, and for all others (`x-default`). */
  alternates: { lang: string; href: string }[];
  robots: boolean;
  wide: boolean;
  /** Words for the page's browser modules; null for visitors, whose pages have none. */
  client: Record<string, unknown> | null;
}

type Options = Handlebars.HelperOptions;
interface Root {
  lang: Language;
  csrf: string;
}
const rootOf = (options: Options): Root => (options.data as { root: { frame: Root } }).root.frame;

/** The helpers of all templates. They know the page's language and form token from its frame. */
function helpersFor(
  words: Words,
  assets: Record<string, string>,
): Record<string, Handlebars.HelperDelegate> {
  const { SafeString, escapeExpression } = Handlebars;
  const dateIn =
    (style: 'date' | 'time' | 'short' | 'both') =>
    (value: Date | string, options: Options): string =>
      words.date(rootOf(options).lang, value, style);
  return {
    t: (key: string, options: Options) =>
      words.t(rootOf(options).lang, key, options.hash as Record<string, unknown>),
    num: (value: number, options: Options) => words.number(rootOf(options).lang, value),
    // Thousands in the display face are parted by U+00A0; U+202F is too thin there (LOOK 2).
    big: (value: number) => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, '\u00a0'),
    date: dateIn('date'),
    time: dateIn('time'),
    short: dateIn('short'),
    both: dateIn('both'),
    iso: (value: Date | string) => new Date(value).toISOString(),
    eq: (a: unknown, b: unknown) => a === b,
    ne: (a: unknown, b: unknown) => a !== b,
    gt: (a: number, b: number) => a > b,
    url: (path: string, options: Options) => `/${rootOf(options).lang}${path}`,
    // A text inside the query of an address.
    uri: (value: string) => encodeURIComponent(value),
    asset: (name: string) => assets[name] ?? '',
    csrf: (options: Options) => {
      const token = escapeExpression(rootOf(options).csrf);
      return new SafeString(`<input type="hidden" name="csrf" value="${token}">`);
    },
    countryOf: (code: string, options: Options) => words.country(rootOf(options).lang, code),
    sport: (slug: string, options: Options) => words.t(rootOf(options).lang, `disciplines.${slug}`),
    concat: (...parts: unknown[]) => parts.slice(0, -1).map(String).join(''),
    list: (items: string[], options: Options) =>
      new Intl.ListFormat(rootOf(options).lang, { type: 'unit' }).format(items),
    digits: (value: number) => Array.from(String(value)),
    json: (value: unknown) => new SafeString(JSON.stringify(value).replace(UNSAFE, escapeUnicode)),
  };
}

/** What may end a data block: `<` a script element, the two separators a line in old parsers. */
const UNSAFE = /[<\u2028\u2029]/g;
const escapeUnicode = (sign: string): string =>
  `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`;

const PARTIALS = 'partials/';

/** The compiled templates of one language. */
interface Templates {
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
 * Fills in what a template says in any case, once for each language: words without parameters,
 * addresses, names of assets. Looking these up for every reader was half of what a page cost.
 */
function fillConstants(
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

/** Reads and parses the templates of a folder, each by its name (`village/room`). */
function readAll(
  folder: string,
  parse: (source: string) => hbs.AST.Program,
): Map<string, hbs.AST.Program> {
  const programs = new Map<string, hbs.AST.Program>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.hbs')) continue;
    const file = join(entry.parentPath, entry.name);
    const name = relative(folder, file)
      .replace(/\.hbs$/, '')
      .replaceAll('\\', '/');
    programs.set(name, parse(readFileSync(file, 'utf8')));
  }
  return programs;
}

/** Compiles all templates of a folder for a language. Throws for a template that is broken. */
function compileAll(
  folder: string,
  language: Language,
  words: Words,
  assets: Record<string, string>,
): Templates {
  const engine = Handlebars.create();
  const helpers = helpersFor(words, assets);
  engine.registerHelper(helpers);
  const knownHelpers = Object.fromEntries(Object.keys(helpers).map((name) => [name, true]));
  const options = { knownHelpers, knownHelpersOnly: true, strict: false };
  // Parsed now, so that a broken template stops the start; compiled at its first use.
  const programs = readAll(folder, (source) =>
    engine.parse(fillConstants(source, language, words, assets)),
  );
  const partials = new Map(
    [...programs]
      .filter(([name]) => name.startsWith(PARTIALS))
      .map(([name, program]) => [name.slice(PARTIALS.length), program]),
  );
  const placer = new PartialPlacer(partials, engine.escapeExpression);
  const pages = new Map<string, TemplateDelegate>();
  let layout: TemplateDelegate | null = null;
  for (const [name, program] of programs) {
    const template = engine.compile(placer.place(program), options) as TemplateDelegate;
    if (name.startsWith(PARTIALS)) engine.registerPartial(name.slice(PARTIALS.length), template);
    else if (name === 'layouts/main') layout = template;
    else pages.set(name, template);
  }
  if (!layout) throw new Error('views: no layouts/main.hbs');
  return { layout, pages };
}

/**
 * The templates of `views/`, all of them read at the start, which a broken one stops. No template
 * is ever made from data (ASVS 1.3.7).
 */
export class Views {
  private readonly templates: Record<Language, Templates>;

  constructor(folder: string, words: Words, assets: Record<string, string>) {
    this.templates = {
      fr: compileAll(folder, 'fr', words, assets),
      en: compileAll(folder, 'en', words, assets),
    };
  }

  /** The HTML of a page: its template inside the layout, in the language of the frame. */
  page(name: string, frame: Frame, model: object): string {
    const { layout, pages } = this.templates[frame.lang];
    const template = pages.get(name);
    if (!template) throw new Error(`views: no ${name}.hbs`);
    return layout({ frame, body: template({ ...model, frame }) });
  }
}
