/**
 * How many marks a base may bear and how long a sign may be, so that a short text cannot stand a
 * page high (Zalgo) or hide a book in a single sign.
 */
const MOST_MARKS = 4;
const LONGEST_SIGN = 32;

/**
 * What cannot be seen (Unicode's controls, format characters, lone surrogates, private, unassigned
 * and default-ignorable code points), and blanks that pass for letters.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{DI}\ufffc\ufffd\u{13441}\u{13442}\u{1d159}]/gu;
/** White space, and what looks like it: the empty Braille cell and the fillers of Hangul. */
const BLANKS = /[\p{Z}\t\v\f\u2800\u3164\uffa0\u115f\u1160]/gu;
const BREAKS = /\r\n?|[\u0085\u2028\u2029]/g;
/** A class of letters in a regular expression: all those of some scripts. */
const lettersOf = (...scripts: string[]): string =>
  scripts.map((script) => `\\p{Script=${script}}`).join('');

/** Scripts in which joiners change how a word is written and read (UAX 31, A1 and A2). */
const INDIC = ['Deva', 'Beng', 'Guru', 'Gujr', 'Orya', 'Taml', 'Telu', 'Knda', 'Mlym', 'Sinh'];
const JOINING = `[${lettersOf('Arab', 'Syrc', 'Mong', ...INDIC)}]`;
const JOINER = new RegExp(`(?<=${JOINING})[\\u200c\\u200d](?=${JOINING})`, 'gu');
/** Emoji as Unicode recommends them for general interchange, with their joiners and selectors. */
const EMOJI = new RegExp('\\p{RGI_Emoji}', 'gv');

/**
 * What most people type: Latin letters, digits and signs, already composed. Nothing in it can be
 * invisible or out of place.
 */
const USUAL = /^[ -~\u00a1-\u00ac\u00ae-\u024f\u2018-\u201d\u2026\u20ac]*$/;

/** What every emoji has in it: a text without that is not searched for emoji. */
const PICTURE = /[\p{Extended_Pictographic}\p{RI}\u20e3]/u;
/**
 * Texts in which every code point is a sign by itself (UAX 29): scripts that set letter beside
 * letter, without marks, jamo, skin tones and halves of flags.
 */
const SIMPLE_SCRIPTS =
  lettersOf('Latin', 'Greek', 'Cyrillic', 'Hebrew', 'Arabic', 'Han', 'Hiragana', 'Katakana') +
  '\\uac00-\\ud7a3\\p{Script=Common}';
const COMBINING = '\\p{M}\\p{C}\\p{Grapheme_Extend}\\p{Emoji_Modifier}\\p{RI}';
const SIMPLE = new RegExp(`^(?:\\n|[[${SIMPLE_SCRIPTS}]--[${COMBINING}]])*$`, 'v');

const clusters = new Intl.Segmenter('und', { granularity: 'grapheme' });
/**
 * The signs of a text as readers count them. Most texts do not need the segmenter, which takes 5 µs
 * for each sign.
 */
export const signsOf = (text: string): string[] =>
  SIMPLE.test(text)
    ? Array.from(text)
    : Array.from(clusters.segment(text), ({ segment }) => segment);

/** Keeps the first few marks of a run, and none that have no base. */
const limitMarks = (text: string): string =>
  text
    .replace(/(^|[\p{Z}\n])\p{M}+/gu, '$1')
    .replace(new RegExp(`(\\p{M}{${MOST_MARKS}})\\p{M}+`, 'gu'), '$1');

/** Removes what cannot be seen from text without emoji, but for the joiners that a script needs. */
function removeUnseen(text: string): string {
  const kept = [...text.matchAll(JOINER)].map(({ index }) => index);
  return text.replace(UNSEEN, (sign, index: number) =>
    sign === '\n' || kept.includes(index) ? sign : '',
  );
}

/** Removes what cannot be seen, but for what belongs to emoji. */
function keepVisible(text: string): string {
  if (!PICTURE.test(text)) return removeUnseen(text);
  let out = '';
  let from = 0;
  for (const { 0: emoji, index } of text.matchAll(EMOJI)) {
    out += removeUnseen(text.slice(from, index)) + emoji;
    from = index + emoji.length;
  }
  return out + removeUnseen(text.slice(from));
}

/** A turn of `tidyText`. */
function tidyOnce(text: string): string {
  const visible = limitMarks(
    keepVisible(text.normalize('NFC').replace(BREAKS, '\n').replace(BLANKS, ' ')).normalize('NFC'),
  );
  return signsOf(visible)
    .filter((sign) => sign.length <= LONGEST_SIGN)
    .join('')
    .replace(/ *\n */g, '\n')
    .replace(/ {2,}/g, ' ')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

/**
 * Makes what somebody typed fit to be shown to others: in NFC, without controls and signs that are
 * invisible or change the direction (such as U+202E), with at most four marks on a base and two
 * line breaks in a row, white space collapsed. Joiners stay in emoji and where a script needs them.
 * A text in which there is nothing to see becomes ''. Applied twice it changes nothing more.
 */
export function tidyText(typed: string): string {
  if (USUAL.test(typed)) return typed.replace(/ {2,}/g, ' ').trim();
  // Removing signs can bring others together, so it is repeated until nothing changes: that is at
  // the second turn, but for texts made to be nasty.
  let text = typed;
  for (let turn = 0; turn < 8; turn += 1) {
    const next = tidyOnce(text);
    if (next === text) return text;
    text = next;
  }
  return text.replace(/[^\p{L}\p{N}\p{P} \n]/gu, '').trim();
}

/** The same on a single line, for names and titles, with no more than `most` signs. */
export function tidyLine(typed: string, most = Infinity): string {
  const line = tidyText(typed.replace(/[\r\n\u0085\u2028\u2029]+/g, ' '));
  return line.length <= most ? line : signsOf(line).slice(0, most).join('').trim();
}
