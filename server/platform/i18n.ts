import { createInstance, type i18n } from 'i18next';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The languages of the hub. */
export const LANGUAGES = ['fr', 'en'] as const;
/** A language of the hub. */
export type Language = (typeof LANGUAGES)[number];
/** Whether a text names a language of the hub. */
export const isLanguage = (text: unknown): text is Language => text === 'fr' || text === 'en';
/** The language that a text names, or French if it names none of ours. */
export const languageFor = (text: unknown): Language => (isLanguage(text) ? text : 'fr');

/** How dates and times are shown. */
const DATE_STYLES = {
  date: { dateStyle: 'long' },
  time: { timeStyle: 'short' },
  short: { day: 'numeric', month: 'short' },
  both: { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>;

type Tree = { [key: string]: Tree | string };
type Params = Record<string, unknown>;

/** Sets U+202F before `; : ! ? %` and inside guillemets, as French typography has it. */
const withFrenchSpaces = (text: string): string =>
  text.replace(/ ([;:!?%»])/g, '\u202f$1').replace(/« /g, '«\u202f');

/** The words of one language. Throws where a key lacks a language. */
function pick(tree: Tree, language: Language, path: string): Tree {
  const out: Tree = {};
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') throw new Error(`words: ${path}.${key} has no languages`);
    const both = value['fr'];
    if (typeof both === 'string' || typeof value['en'] === 'string') {
      const text = value[language];
      if (typeof text !== 'string' || text === '')
        throw new Error(`words: ${path}.${key} lacks ${language}`);
      out[key] = language === 'fr' ? withFrenchSpaces(text) : text;
    } else out[key] = pick(value, language, `${path}.${key}`);
  }
  return out;
}

/**
 * The words of every page, from `views/words/<room>.json`, where each key has its French and its
 * English side by side. A missing language stops the start; a missing key throws.
 */
export class Words {
  private readonly engine: i18n;
  private readonly memo = { fr: new Map<string, string>(), en: new Map<string, string>() };
  private readonly numbers = new Map<string, Intl.NumberFormat>();
  private readonly dates = new Map<string, Intl.DateTimeFormat>();
  private readonly names = new Map<string, Intl.DisplayNames>();

  constructor(
    folder: string,
    readonly timezone: string,
  ) {
    const resources: Record<string, { words: Tree }> = { fr: { words: {} }, en: { words: {} } };
    for (const file of readdirSync(folder)) {
      const room = file.replace(/\.json$/, '');
      const tree = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Tree;
      for (const language of LANGUAGES)
        (resources[language] as { words: Tree }).words[room] = pick(tree, language, room);
    }
    this.engine = createInstance();
    void this.engine.init({
      resources,
      lng: 'fr',
      fallbackLng: false,
      ns: ['words'],
      defaultNS: 'words',
      initAsync: false,
      showSupportNotice: false,
      interpolation: { escapeValue: false },
      returnNull: false,
      parseMissingKeyHandler: (key: string) => {
        throw new Error(`words: no key ${key}`);
      },
    } as Parameters<i18n['init']>[0]);
  }

  /**
   * The text of a key. Numbers in `params` are written as the language writes them; `count` chooses
   * the plural.
   */
  t(language: Language, key: string, params?: Params): string {
    if (!params || Object.keys(params).length === 0) return this.plain(language, key);
    const shown: Params = { lng: language };
    for (const [name, value] of Object.entries(params)) {
      if (typeof value === 'number' && name === 'count') {
        shown['count'] = value;
        shown['n'] = this.number(language, value);
      } else shown[name] = typeof value === 'number' ? this.number(language, value) : value;
    }
    return this.engine.t(key, shown);
  }

  /** A text without parameters, which is looked up only once. */
  private plain(language: Language, key: string): string {
    const known = this.memo[language].get(key);
    if (known !== undefined) return known;
    const text = this.engine.t(key, { lng: language });
    this.memo[language].set(key, text);
    return text;
  }

  /** Whether a key exists. */
  has(language: Language, key: string): boolean {
    return this.engine.exists(key, { lng: language });
  }

  /** A number as the language writes it: 1 234,5 or 1,234.5. */
  number(language: Language, value: number): string {
    let format = this.numbers.get(language);
    if (!format) this.numbers.set(language, (format = new Intl.NumberFormat(language)));
    return format.format(value);
  }

  /** An instant in the hub's time zone: its date (`short`: day and month), its time, or both. */
  date(language: Language, value: Date | string, style: keyof typeof DATE_STYLES = 'date'): string {
    const key = `${language}:${style}`;
    let format = this.dates.get(key);
    if (!format) {
      const locale = language === 'en' ? 'en-GB' : 'fr-FR';
      const options = { ...DATE_STYLES[style], timeZone: this.timezone };
      this.dates.set(key, (format = new Intl.DateTimeFormat(locale, options)));
    }
    return format.format(new Date(value));
  }

  /** The name of a country (ISO 3166 alpha-2) in this language. */
  country(language: Language, code: string): string {
    let names = this.names.get(language);
    if (!names)
      this.names.set(language, (names = new Intl.DisplayNames([language], { type: 'region' })));
    return names.of(code) ?? code;
  }
}
