import unhomoglyph from 'unhomoglyph';

/**
 * Letters that Unicode's list of confusables (UTS 39, which `unhomoglyph` carries) leaves out,
 * because they are letters of their own: small capitals.
 */
const SMALL_CAPITALS: Record<string, string> = Object.fromEntries(
  'ᴀa ʙb ᴄc ᴅd ᴇe ꜰf ɢg ʜh ɪi ᴊj ᴋk ʟl ᴍm ɴn ᴏo ᴘp ꞯq ʀr ꜱs ᴛt ᴜu ᴠv ᴡw ʏy ᴢz ʍm'
    .split(' ')
    .map(([capital = '', letter = '']) => [capital, letter]),
);
/** The code points of `A` in a black circle, in a black square, and among the halves of flags. */
const BOXED_A = [0x1f150, 0x1f170, 0x1f1e6];

/** The plain letter that a sign outside ASCII stands for, or the sign itself. */
function letterOf(sign: string): string {
  const point = sign.codePointAt(0) ?? 0;
  const boxedA = BOXED_A.find((first) => point >= first && point < first + 26);
  return boxedA === undefined
    ? (SMALL_CAPITALS[sign] ?? sign)
    : String.fromCharCode('a'.charCodeAt(0) + point - boxedA);
}

/**
 * Accents and the like. The vowel signs of Indic and other scripts are not among them: without
 * those two different names would be the same.
 */
const ACCENTS = /[\p{Script=Inherited}\p{DI}]/gu;

/** A text in small letters without accents. */
const toPlain = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(ACCENTS, '')
    .replace(/[^\p{ASCII}]/gu, letterOf)
    .toLowerCase();
/**
 * The same, with letters of other scripts that look like Latin ones as those. The list of
 * confusables answers with small capitals too (for `м`), hence the second turn.
 */
const fold = (text: string): string => toPlain(unhomoglyph(toPlain(text)));

/** Makes one of letters and digits that pass for each other. */
const mergeAlike = (text: string): string =>
  text
    .replace(/0/g, 'o')
    .replace(/[1i|!]/g, 'l')
    .replace(/rn/g, 'm')
    .replace(/vv/g, 'w');

/** Reads digits and signs as the letters that they stand for in names (`m0d3rat0r`). */
const readDigits = (text: string): string =>
  text.replace(/[5$]/g, 's').replace(/3/g, 'e').replace(/[4@]/g, 'a').replace(/7/g, 't');

/**
 * What a text looks like: two texts of the same shape cannot be told apart in a list. It is made of
 * letters and digits, and '' if the text has none.
 */
export const shape = (text: string): string =>
  mergeAlike(fold(text)).replace(/[^\p{L}\p{N}\p{M}]/gu, '');

/** The shape of a text whose digits are read as letters. */
export const spelling = (text: string): string =>
  mergeAlike(readDigits(fold(text))).replace(/[^\p{L}\p{N}\p{M}]/gu, '');

/**
 * What a handle looks like at a glance: letters that pass for each other are the same, and what is
 * easily overlooked is left out.
 */
export function skeleton(handle: string): string {
  const bare = handle
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[\p{M}._-]/gu, '')
    .replace(/(official|officiel|real|the|fan|page)$/, '');
  return mergeAlike(fold(bare).replace(/5/g, 's').replace(/3/g, 'e').replace(/4/g, 'a')).replace(
    /(.)\1+/g,
    '$1',
  );
}
