import unhomoglyph from 'unhomoglyph';

/**
 * Letters that Unicode's list of confusables (UTS 39, which `unhomoglyph` carries) leaves out,
 * because they are letters of their own: small capitals.
 */
const SMALL: Record<string, string> = {
  ...{
    ᴀ: 'a',
    ʙ: 'b',
    ᴄ: 'c',
    ᴅ: 'd',
    ᴇ: 'e',
    ꜰ: 'f',
    ɢ: 'g',
    ʜ: 'h',
    ɪ: 'i',
    ᴊ: 'j',
    ᴋ: 'k',
    ʟ: 'l',
    ᴍ: 'm',
    ɴ: 'n',
    ᴏ: 'o',
    ᴘ: 'p',
    ꞯ: 'q',
  },
  ...{ ʀ: 'r', ꜱ: 's', ᴛ: 't', ᴜ: 'u', ᴠ: 'v', ᴡ: 'w', ʏ: 'y', ᴢ: 'z', ʍ: 'm' },
};
/**
 * Letters in a black circle or square, and those that flags are made of: A at these points, the
 * others behind it.
 */
const BOXED = [0x1f150, 0x1f170, 0x1f1e6];

function letter(sign: string): string {
  const at = sign.codePointAt(0) ?? 0;
  const start = BOXED.find((first) => at >= first && at < first + 26);
  return start === undefined ? (SMALL[sign] ?? sign) : String.fromCharCode(97 + at - start);
}

/**
 * Accents and their kind. The vowel signs of Indic and other scripts are no accents: without them
 * two names would be one.
 */
const ACCENTS = /[\p{Script=Inherited}\p{DI}]/gu;
const plain = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(ACCENTS, '')
    .replace(/[^\p{ASCII}]/gu, letter)
    .toLowerCase();
/**
 * Small letters without accents, those of other scripts that look like ours as ours. The list
 * answers with small capitals too (`м`), hence the second turn.
 */
const folded = (text: string): string => plain(unhomoglyph(plain(text)));

/** Letters and digits that pass for each other are one. */
const alike = (text: string): string =>
  text
    .replace(/0/g, 'o')
    .replace(/[1i|!]/g, 'l')
    .replace(/rn/g, 'm')
    .replace(/vv/g, 'w');
const spoken = (text: string): string =>
  text.replace(/[5$]/g, 's').replace(/3/g, 'e').replace(/[4@]/g, 'a').replace(/7/g, 't');

/**
 * What a text looks like: two of the same shape cannot be told apart in a list. Letters and digits
 * only; '' when there are none.
 */
export const shape = (text: string): string =>
  alike(folded(text)).replace(/[^\p{L}\p{N}\p{M}]/gu, '');

/** The shape of a text read with figures for letters (`m0d3rat0r`). */
export const spelling = (text: string): string =>
  alike(spoken(folded(text))).replace(/[^\p{L}\p{N}\p{M}]/gu, '');

/**
 * What a handle looks like at a glance: letters that pass for each other are one, what is
 * overlooked is gone.
 */
export function skeleton(handle: string): string {
  const bare = handle
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[\p{M}._-]/gu, '')
    .replace(/(official|officiel|real|the|fan|page)$/, '');
  return alike(folded(bare).replace(/5/g, 's').replace(/3/g, 'e').replace(/4/g, 'a')).replace(
    /(.)\1+/g,
    '$1',
  );
}
