import { expect } from 'chai';
import fc from 'fast-check';
import { shape, skeleton, spelling } from '../../server/platform/skeleton.js';
import { signsOf, tidyLine, tidyText } from '../../server/platform/text.js';

/** Signs that people attack texts with, among plain ones, so that they meet often. */
const NASTY = fc.string({
  unit: fc.constantFrom(
    ...[
      'a',
      'e',
      ' ',
      '\n',
      '1',
      '\u0301',
      '\u0345',
      '\u20e3',
      '\u200d',
      '\u200c',
      '\u200b',
      '\ufe0f',
      '\u202e',
      '\u2066',
      '\u00ad',
      '\u034f',
      '\u2028',
    ],
    ...[
      '\ud83d',
      '\udc68',
      '👨',
      '🏽',
      '🏴',
      '\u{e0067}',
      '\u{e007f}',
      '\u{1f1eb}',
      '\u1100',
      '\u115f',
      '\u1161',
      '\u3164',
      '\u2800',
      '\u094d',
      'क',
      'ن',
      '\u0e33',
      '\0',
      '\x7f',
      '\ufffc',
    ],
  ),
  maxLength: 60,
});
const ANY = fc.oneof(
  NASTY,
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
);
const RUNS = { numRuns: 3000 };

describe('texts of people', () => {
  for (const [what, typed, shown] of [
    ['a text that runs backwards', 'gr\u202eeen\u202c', 'green'],
    ['isolates of direction', '\u2066Ana\u2069 \u200fB\u061c', 'Ana B'],
    ['zero-width signs', 'mo\u200bde\u2060ra\ufefftor', 'moderator'],
    ['a joiner between Latin letters', 'a\u200db\u200cc', 'abc'],
    ['controls', 'a\0b\x1b[31m\x7fc\u0085d', 'ab[31mc\nd'],
    ['a soft hyphen and a grapheme joiner', 'ca\u00adn\u034foe', 'canoe'],
    ['fillers and empty cells that pass for letters', '\u3164\uffa0\u115f\u1160\u2800', ''],
    ['invisible operators and tags without a flag', 'a\u2062b\u{e0041}\u{e0042}', 'ab'],
    ['variation selectors that change nothing', 'a\ufe0fb\u{e0100}', 'ab'],
    ['a tower of marks', `o${'\u0301\u0316'.repeat(40)}k`, `\u00f3\u0316\u0316\u0316\u0316k`],
    ['marks without a base', '\u0301\u0302 a \u0308b', 'a b'],
    ['an unfinished surrogate and unassigned places', 'a\ud83d b\u{3fffe}\u0378c', 'a bc'],
    ['letters and marks apart', 'E\u0301ric', 'Éric'],
    ['white space of every kind', ' a\u00a0\u2003\u3000\t b ', 'a b'],
    ['many line breaks', 'a\r\n\r\n\r\n\u2028b', 'a\n\nb'],
    ['one sign that holds a book', `a${'\u1100'.repeat(500)}b`, 'ab'],
  ] as const)
    it(`come out plain: ${what}`, () => {
      expect(tidyText(typed)).to.equal(shown);
    });

  for (const text of [
    '👨\u200d👩\u200d👧\u200d👦',
    '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}',
    '🇫🇷',
    '1\ufe0f\u20e3',
    '👍🏽',
    '❤\ufe0f',
    'نامه\u200cای',
    'क्\u200dष',
    'Đặng Thị Hồng',
    'שָׁלוֹם',
    'ไม่ได้',
    '陽子',
    '김연아',
    'L’Étoile « d’or »…',
  ])
    it(`keep what they are made of: ${text}`, () => {
      expect(tidyText(text)).to.equal(text.normalize('NFC'));
    });

  it(
    'of any kind come out composed, without anything unseen, with few marks on a sign, and ' +
      'the same again at a second time',
    () => {
      fc.assert(
        fc.property(ANY, (typed) => {
          const text = tidyText(typed);
          expect(tidyText(text)).to.equal(text);
          expect(text).to.equal(text.normalize('NFC'));
          expect(text).to.equal(text.trim());
          expect(text).to.not.match(
            /[\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\u2060\ufeff\0-\x09\x0b-\x1f\x7f-\x9f\u00ad\u3164\u2800]/,
          );
          expect(text).to.not.match(/\p{M}{5}|^\p{M}|[ \n]\p{M}|\p{Cn}|\p{Co}|\p{Cs}| {2}|\n{3}/u);
          // A joiner or selector never stands alone: what is left of a text without them is not
          // nothing.
          if (text !== '') expect(text.replace(/[\p{Cf}\p{DI}\p{M}\s]/gu, '')).to.not.equal('');
          for (const sign of signsOf(text)) expect(sign.length).to.be.at.most(32);
        }),
        RUNS,
      );
    },
  );

  it('have the signs that Unicode counts, whatever scripts meet', () => {
    const clusters = new Intl.Segmenter('und', { granularity: 'grapheme' });
    const scripts = fc.string({
      unit: fc.oneof(
        fc.constantFrom(
          'a',
          'é',
          'ж',
          'λ',
          'ש',
          'ن',
          '陽',
          'か',
          'ｶ',
          '\uff9e',
          '한',
          '가',
          '\u11a8',
          '\u0e33',
          '\u0600',
          '\n',
          ' ',
          '1',
          '€',
          '👍',
          '🏽',
          '\u{1f1eb}',
          '❤',
          '\ufe0f',
        ),
        fc
          .integer({ min: 0x20, max: 0x2ffff })
          .map((point) => String.fromCodePoint(point >= 0xd800 && point < 0xe000 ? 0x61 : point)),
      ),
      maxLength: 12,
    });
    for (const [text, signs] of [
      ['🇫🇷🇬🇧', 2],
      ['👍🏽', 1],
      ['ｶﾞ', 1],
      ['\uac00\u11a8', 1],
      ['Anaж陽', 5],
    ] as const)
      expect(signsOf(text), text).to.have.length(signs);
    fc.assert(
      fc.property(fc.oneof(ANY, scripts), (text) => {
        if (!text.includes('\r'))
          expect(signsOf(text)).to.deep.equal(
            Array.from(clusters.segment(text), ({ segment }) => segment),
          );
      }),
      RUNS,
    );
  });

  it('on one line have no break and no more signs than are asked for', () => {
    fc.assert(
      fc.property(ANY, fc.integer({ min: 1, max: 20 }), (typed, most) => {
        const line = tidyLine(typed, most);
        expect(line).to.not.match(/[\n\r]/);
        expect(signsOf(line).length).to.be.at.most(most);
      }),
      RUNS,
    );
  });
});

describe('shapes', () => {
  for (const [one, other] of [
    ['moderator', 'mоdеrаtоr'],
    ['moderator', '𝓶𝓸𝓭𝓮𝓻𝓪𝓽𝓸𝓻'],
    ['moderator', 'Ｍｏｄｅｒａｔｏｒ'],
    ['moderator', 'ᴍᴏᴅᴇʀᴀᴛᴏʀ'],
    ['mod', '🅜🅞🅓'],
    ['mod', '🇲🇴🇩'],
    ['admin', 'Adrnin'],
    ['ana', 'Á n-a'],
    ['fan1', 'FANl'],
  ] as const)
    it(`of ${one} and ${other} are one`, () => {
      expect(shape(other)).to.equal(shape(one));
    });
  it('tell words of scripts apart whose vowels are marks', () => {
    expect(shape('राम')).to.not.equal(shape('रम'));
  });
  it('read figures for letters only where a text is spelled', () => {
    expect(spelling('m0d3r4t0r')).to.equal(spelling('moderator'));
    expect(shape('fan3')).to.not.equal(shape('fane'));
  });
  it('of handles stay what the registry has stored', () => {
    for (const [handle, stored] of [
      ['athlete_1', 'athletel'],
      ['Ana.Diver-Official', 'anadlver'],
      ['the_real_vvorld', 'therealworld'],
      ['M00re55', 'mores'],
      ['modern_4rt', 'modemart'],
    ] as const)
      expect(skeleton(handle), handle).to.equal(stored);
  });
});
