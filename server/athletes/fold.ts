const LETTERS: Record<string, string> = {
  ø: 'o',
  ł: 'l',
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ı: 'i',
  ħ: 'h',
  ŋ: 'n',
  ə: 'e',
};

/** Letters as people type them: no accent, no case (`Łukasz Fléssel` → `lukasz flessel`). */
export function fold(text: string): string {
  return text
    .toLowerCase()
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/[øłßæœđðþıħŋə]/g, (letter) => LETTERS[letter] ?? letter);
}

/** The folded words of a name or a query; anything that is no letter or digit parts them. */
export function wordsOf(text: string): string[] {
  return fold(text)
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
}

/** The folded name as part of an address; never empty. */
export function slugBase(name: string): string {
  return (
    wordsOf(name.replace(/['’`"]/g, ''))
      .join('-')
      .slice(0, 80)
      .replace(/-+$/, '') || 'athlete'
  );
}
