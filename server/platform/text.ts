/**
 * Bounds of one sign, so that a short text cannot stand a page high (Zalgo) or hide a book in one
 * cluster.
 */
const MARKS = 4;
const CLUSTER = 32;

/**
 * What has no shape of its own (Unicode: controls, format, surrogates alone, private, unassigned,
 * default-ignorable), and blanks that pass for letters.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{DI}\ufffc\ufffd\u{13441}\u{13442}\u{1d159}]/gu;
/**
 * Blanks that are no white space to JavaScript: the empty Braille cell and the fillers of Hangul.
 */
const BLANKS = /[\p{Z}\t\v\f\u2800\u3164\uffa0\u115f\u1160]/gu;
const BREAKS = /\r\n?|[\u0085\u2028\u2029]/g;
/**
 * Letters of scripts in which the joiners change how a word is written and read (UAX 31, A1 and
 * A2).
 */
const JOINING =
  '[\\p{Script=Arab}\\p{Script=Syrc}\\p{Script=Mong}\\p{Script=Deva}\\p{Script=Beng}\\p{Script=Guru}\\p{Script=Gujr}\\p{Script=Orya}\\p{Script=Taml}\\p{Script=Telu}\\p{Script=Knda}\\p{Script=Mlym}\\p{Script=Sinh}]';
const JOINER = new RegExp(`(?<=${JOINING})[\\u200c\\u200d](?=${JOINING})`, 'gu');
/**
 * Emoji as Unicode recommends them for general interchange, the joiners and selectors in them
 * included.
 */
const EMOJI = new RegExp('\\p{RGI_Emoji}', 'gv');

/**
 * What most people write: letters of Latin scripts, figures and signs, composed already. Nothing in
 * it can be invisible or out of place.
 */
const USUAL = /^[ -~\u00a1-\u00ac\u00ae-\u024f\u2018-\u201d\u2026\u20ac]*$/;

/** What every emoji has one of: a text without is not searched for any. */
const PICTURE = /[\p{Extended_Pictographic}\p{RI}\u20e3]/u;
/**
 * Texts of which every code point is a sign by itself (UAX 29): scripts that set letter beside
 * letter, without marks, jamo, skin tones and halves of flags.
 */
const ROW = new RegExp(
  '^(?:\\n|[[\\p{Script=Latin}\\p{Script=Greek}\\p{Script=Cyrillic}\\p{Script=Hebrew}\\p{Script=Arabic}\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}' +
    '\\uac00-\\ud7a3\\p{Script=Common}]--[\\p{M}\\p{C}\\p{Grapheme_Extend}\\p{Emoji_Modifier}\\p{RI}]])*$',
  'v',
);

const clusters = new Intl.Segmenter('und', { granularity: 'grapheme' });
/**
 * The signs of a text as readers count them. Texts that need no segmenter, which takes 5 µs a sign,
 * are most.
 */
export const signsOf = (text: string): string[] =>
  ROW.test(text) ? Array.from(text) : Array.from(clusters.segment(text), ({ segment }) => segment);

/** Of a run of marks the first few; none where there is nothing to stand on. */
const bounded = (text: string): string =>
  text
    .replace(/(^|[\p{Z}\n])\p{M}+/gu, '$1')
    .replace(new RegExp(`(\\p{M}{${MARKS}})\\p{M}+`, 'gu'), '$1');

/**
 * What is between emoji: the joiners that a script needs stay, all else that cannot be seen goes.
 */
function plain(text: string): string {
  const kept = [...text.matchAll(JOINER)].map(({ index }) => index);
  return text.replace(UNSEEN, (sign, at: number) =>
    sign === '\n' || kept.includes(at) ? sign : '',
  );
}

function seen(text: string): string {
  if (!PICTURE.test(text)) return plain(text);
  let out = '';
  let from = 0;
  for (const { 0: emoji, index } of text.matchAll(EMOJI)) {
    out += plain(text.slice(from, index)) + emoji;
    from = index + emoji.length;
  }
  return out + plain(text.slice(from));
}

function once(text: string): string {
  const visible = bounded(
    seen(text.normalize('NFC').replace(BREAKS, '\n').replace(BLANKS, ' ')).normalize('NFC'),
  );
  return signsOf(visible)
    .filter((sign) => sign.length <= CLUSTER)
    .join('')
    .replace(/ *\n */g, '\n')
    .replace(/ {2,}/g, ' ')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

/**
 * What somebody typed, as it may be shown to others: NFC, no control, invisible or
 * direction-changing sign (U+202E and its kind), at most four marks on a base, white space
 * collapsed, line breaks kept (two at most). Joiners stay in emoji and where a script needs them. A
 * text without anything to see is ''. What it answers it answers again unchanged.
 */
export function tidyText(typed: string): string {
  if (USUAL.test(typed)) return typed.replace(/ {2,}/g, ' ').trim();
  // Taking signs out can bring others together: until nothing changes, which is at the second turn
  // but for texts made to be nasty.
  let text = typed;
  for (let turn = 0; turn < 8; turn += 1) {
    const next = once(text);
    if (next === text) return text;
    text = next;
  }
  return text.replace(/[^\p{L}\p{N}\p{P} \n]/gu, '').trim();
}

/** As `tidyText`, on one line: for names and titles. With `most`, no more signs than that. */
export function tidyLine(typed: string, most = Infinity): string {
  const line = tidyText(typed.replace(/[\r\n\u0085\u2028\u2029]+/g, ' '));
  return line.length <= most ? line : signsOf(line).slice(0, most).join('').trim();
}
