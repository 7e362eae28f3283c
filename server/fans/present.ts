import { NETWORKS, type NetworkId } from '../networks/network.js';
import { COUNTRIES } from '../platform/countries.js';
import type { Language, Words } from '../platform/i18n.js';
import { SCOPES } from '../platform/rights.js';
import type { TokenRecord } from './fan.model.js';
import { NAME_SIGNS } from './naming.js';
import type { FanAnswer, IdentityAnswer } from './schema.js';
import { isLost, type FanRecord, type IdentityRecord } from './service.js';

/** A fan in the answer of `GET /api/v1/me`. */
export const presentFan = (fan: FanRecord): FanAnswer => ({
  id: fan._id,
  handle: fan.handle,
  country: fan.country,
  language: fan.language,
  roles: fan.roles,
});

/** An identity in the answer of `GET /api/v1/me`. */
export const presentIdentity = (identity: IdentityRecord): IdentityAnswer => ({
  network: identity.network as NetworkId,
  handle: identity.handle || null,
  linkedAt: identity.linkedAt.toISOString(),
  lost: isLost(identity),
});

/** What is wrong with a name, in words. */
export const nameFaultText = (words: Words, language: Language, issue = 'name_empty'): string =>
  words.t(language, `fans.name.wrong.${issue}`, { most: NAME_SIGNS });

/**
 * Makes the view of the page of signing in. A reader who is asked who they are is offered the
 * networks that they have linked; everybody else all of them.
 */
export const presentSignIn = (
  linked: IdentityRecord[] | null,
  returnTo: string,
  again: boolean,
) => ({
  networks: NETWORKS.filter(
    (network) => !linked || linked.some((identity) => identity.network === network),
  ),
  returnTo,
  again,
});

function countryOptions(words: Words, language: Language, chosen: string) {
  return COUNTRIES.map((code) => ({
    code,
    name: words.country(language, code),
    chosen: code === chosen,
  })).sort((a, b) => a.name.localeCompare(b.name, language));
}

/** What was typed on the first page, what is wrong with it, and the field to go on with. */
export interface FirstPageState {
  typed: Record<string, unknown>;
  /** By field, in words. */
  wrong: Record<string, string>;
  focus?: string;
}

/** Makes the view of the first page: whatever was typed is kept. */
export function presentFirstPage(
  words: Words,
  language: Language,
  { typed, wrong, focus = Object.keys(wrong)[0] }: FirstPageState,
) {
  const country = typed['country'];
  const guess = language === 'fr' ? 'FR' : 'GB';
  return {
    given: { ...typed, language: typed['language'] ?? language },
    countries: countryOptions(words, language, typeof country === 'string' ? country : guess),
    issues: Object.entries(wrong).map(([path, text]) => ({ path, text })),
    wrong,
    focus,
  };
}

/** What the settings show. */
export interface SettingsState {
  fan: FanRecord;
  identities: IdentityRecord[];
  tokens: TokenRecord[];
  /** The text of a token that was just made; it is shown this once. */
  fresh?: string;
  /** A name that was typed and refused, and why in words. */
  typed?: string;
  wrong?: string;
  /** Whether the fan was just renamed. */
  renamed: boolean;
}

/** A network in the settings, linked or not. */
function linkView(network: NetworkId, identities: IdentityRecord[]) {
  const identity = identities.find((each) => each.network === network);
  return {
    network,
    linked: identity !== undefined,
    handle: identity?.handle ?? '',
    since: identity?.linkedAt ?? null,
    lost: identity !== undefined && isLost(identity),
  };
}

const tokenView = (words: Words, language: Language, token: TokenRecord) => ({
  id: token.hash,
  name: token.name,
  scopes: token.scopes.map((scope) => words.t(language, `fans.scope.${scope}`)),
  createdAt: token.createdAt,
});

/** Makes the view of the settings. */
export function presentSettings(words: Words, language: Language, state: SettingsState) {
  const { fan, identities, tokens, fresh, typed, wrong, renamed } = state;
  return {
    fan: {
      handle: fan.handle,
      given: fan.named === 'given',
      country: fan.country,
      roles: fan.roles,
      createdAt: fan.createdAt,
      id: fan._id,
    },
    linked: NETWORKS.map((network) => linkView(network, identities)),
    tokens: tokens.map((token) => tokenView(words, language, token)),
    fresh: fresh ?? null,
    name: { typed: typed ?? fan.handle, wrong: wrong ?? null, done: renamed },
    scopes: SCOPES,
  };
}
