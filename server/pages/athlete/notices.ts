import type { NetworkId } from '../../networks/network.js';
import type { Language, Words } from '../../platform/i18n.js';

/** What the page may be asked to say after a form, and whether that is good news. */
const NOTICES: Readonly<Record<string, 'good' | 'bad'>> = {
  awarded: 'good',
  unlocked: 'good',
  already: 'good',
  undone: 'good',
  no: 'bad',
  unknown: 'bad',
  waits: 'bad',
  still_following: 'bad',
  not_linked: 'bad',
  not_verified: 'bad',
  not_supported: 'bad',
  own_account: 'bad',
  which_account: 'bad',
};

/** Those that name the deed itself: a follow on one network, a like on another. */
const OF_A_DEED = new Set(['awarded', 'no', 'still_following', 'not_supported']);

/** Where the words of a notice stand. */
function wordsKey(notice: string, network: NetworkId, madeHere: boolean): string {
  // Only what the network was asked about is said to be confirmed by it.
  const key = `follows.notice.${notice === 'awarded' && madeHere ? 'awardedHere' : notice}`;
  return OF_A_DEED.has(notice) ? `${key}.${network}` : key;
}

/** A notice of the address in the reader's words; null for none, and for what is no notice. */
export function presentNotice(
  words: Words,
  language: Language,
  {
    notice,
    network,
    name,
    madeHere,
  }: { notice: unknown; network: NetworkId; name: string; madeHere: boolean },
): { good: boolean; text: string } | null {
  if (typeof notice !== 'string' || !Object.hasOwn(NOTICES, notice)) return null;
  const params = { name, network: words.t(language, `networks.${network}`) };
  return {
    good: NOTICES[notice] === 'good',
    text: words.t(language, wordsKey(notice, network, madeHere), params),
  };
}
