import { createInstance, type i18n } from 'i18next';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export const LANGUAGES = ['fr', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];
export const isLanguage = (text: unknown): text is Language => text === 'fr' || text === 'en';
/** The language somebody chose, or French where it is none of ours. */
export const languageFor = (text: unknown): Language => (isLanguage(text) ? text : 'fr');

type Tree = { [key: string]: Tree | string };
type Params = Record<string, unknown>;

/** U+202F before `; : ! ? %` and inside guillemets, as French is set. */
const french = (text: string): string =>
  text.replace(/ ([;:!?%»])/g, '\u202f$1').replace(/« /g, '«\u202f');

function pick(tree: Tree, language: Language, path: string): Tree {
  const out: Tree = {};
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') throw new Error(`words: ${path}.${key} has no languages`);
    const both = value['fr'];
    if (typeof both === 'string' || typeof value['en'] === 'string') {
      const text = value[language];
      if (typeof text !== 'string' || text === '')
        throw new Error(`words: ${path}.${key} lacks ${language}`);
      out[key] = language === 'fr' ? french(text) : text;
    } else out[key] = pick(value, language, `${path}.${key}`);
  }
  return out;
}

/**
 * The words of every page, `views/words/<room>.json`, each key with its French and English side by
 * side so that neither can be forgotten; a missing language stops the start, a missing key throws.
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
   * The text of a key; numbers in `params` are written as the language writes them (`count` chooses
   * the plural).
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

  /** A text without parameters, looked up once. */
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

  /** 1 234,5 or 1,234.5. */
  number(language: Language, value: number): string {
    let format = this.numbers.get(language);
    if (!format) this.numbers.set(language, (format = new Intl.NumberFormat(language)));
    return format.format(value);
  }

  /** An instant in the hub's time zone; `style` is a date, a time, or both. */
  date(
    language: Language,
    value: Date | string,
    style: 'date' | 'short' | 'time' | 'both' = 'date',
  ): string {
    const key = `${language}:${style}`;
    let format = this.dates.get(key);
    if (!format) {
      const options: Intl.DateTimeFormatOptions =
        style === 'date'
          ? { dateStyle: 'long' }
          : style === 'time'
            ? { timeStyle: 'short' }
            : style === 'short'
              ? { day: 'numeric', month: 'short' }
              : { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' };
      this.dates.set(
        key,
        (format = new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : 'fr-FR', {
          ...options,
          timeZone: this.timezone,
        })),
      );
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
