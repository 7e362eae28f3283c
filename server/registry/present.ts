import type { AthleteRecord } from '../athletes/service.js';
import { REVOCABLE, type AccountRecord } from './account.model.js';
import { accountStateBy, type CaseFile } from './case.model.js';
import type { Dossier } from './cases.js';
import type { Lookup } from './lookup.js';
import type { CaseAnswer, CasesAnswer, LookupAnswer } from './schema.js';
import { countGrants } from './quorum.js';

/** Where an account is on its network. */
type UrlOf = (account: AccountRecord) => string;
/** What a fan is called, by id. */
type Names = ReadonlyMap<string, string>;

/** Why a case stands as it does: what was written last of all that decides it. */
const reasonOf = ({ revocation, outcome, signatures }: CaseFile): string | null =>
  (revocation ?? outcome ?? signatures.at(-1))?.reason ?? null;

/** A case in the JSON of `/api/v1/registry/cases`, and the same on pages. */
export function presentCase(file: CaseFile, urlOf: UrlOf): CaseAnswer {
  const { account } = file;
  const { warning } = account;
  return {
    id: file._id,
    network: account.network,
    handle: account.handle,
    url: urlOf(account),
    athlete: file.athlete,
    state: accountStateBy(file),
    epoch: account.epoch,
    quorum: file.quorum,
    signatures: countGrants(file.signatures),
    reason: reasonOf(file),
    former: account.former.map(({ handle, until }) => ({ handle, until: until.toISOString() })),
    gone: account.gone,
    warning: warning && {
      as: warning.as,
      reason: warning.reason,
      at: warning.at.toISOString(),
    },
    owners: account.owners.map(({ fan, by }) => ({
      fan,
      by: by === 'network' ? 'network' : 'moderator',
    })),
    submittedAt: file.submittedAt.toISOString(),
    decidedAt: (file.revocation ?? file.outcome)?.at.toISOString() ?? null,
  };
}

/** The answer of `GET /api/v1/registry/cases`. */
export const presentCases = (
  { items, open }: { items: CaseFile[]; open: number },
  urlOf: UrlOf,
): CasesAnswer => ({ items: items.map((file) => presentCase(file, urlOf)), open });

/** The answer of `GET /api/v1/registry/lookup`. */
export function presentLookup({ since, evidence, ...rest }: Lookup): LookupAnswer {
  const { result, account, athlete, why, of } = rest;
  return {
    result,
    ...(account ? { account } : {}),
    ...(athlete ? { athlete } : {}),
    ...(since ? { since: since.toISOString() } : {}),
    ...(evidence
      ? {
          evidence: { decidedOn: evidence.decidedOn?.toISOString() ?? null, by: evidence.by },
        }
      : {}),
    ...(why === undefined ? {} : { why }),
    ...(of ? { of } : {}),
  };
}

/** A line of the moderators' queue. */
export const presentQueued = (file: CaseFile, athlete: string) => ({
  id: file._id,
  network: file.account.network,
  handle: file.account.handle,
  state: accountStateBy(file),
  submittedAt: file.submittedAt,
  athlete,
});

/** The fans whom a case's page names. */
export const namedBy = ({ file, log }: Dossier): string[] => [
  ...log.map(({ by }) => by),
  ...file.account.owners.map(({ fan }) => fan),
  file.submittedBy,
];

/**
 * How often the evidence speaks against the claim, leaves it open or speaks for it, and what the
 * page says of each piece.
 */
function weigh({ file, athlete, others, alike }: Dossier) {
  const { account } = file;
  const isVerified = (other: CaseFile): boolean => other.account.state === 'verified';
  const isWarned = account.warning !== null && account.state !== 'revoked';
  const sameName = hasName(athlete, account.profile.name);
  const secondOnNetwork = others.some(
    (other) => isVerified(other) && other.account.network === account.network,
  );
  const lookalike = alike.find(isVerified)?.account.handle ?? null;
  return {
    sameName,
    sameHandle: others.find(isVerified)?.account.handle ?? null,
    evidence: {
      against:
        Number(isWarned) +
        Number(account.gone) +
        Number(lookalike !== null) +
        Number(secondOnNetwork),
      unclear: Number(account.profile.badge === null),
      supports: Number(sameName) + Number(account.profile.badge !== null),
    },
    secondOnNetwork,
    lookalike,
  };
}

const hasName = (athlete: AthleteRecord | null, name: string): boolean =>
  athlete !== null && athlete.name.toLowerCase() === name.toLowerCase();

/** The earlier warning that a case's page tells of; a revoked account says so itself. */
const warnedOf = ({ warning, state }: AccountRecord) =>
  warning && state !== 'revoked'
    ? {
        key: warning.as === 'fake' ? 'warnedFake' : 'warnedRevoked',
        reason: warning.reason,
        at: warning.at,
      }
    : null;

/** All that a case's page shows but the athlete's card and what was typed. */
export function presentDossier(dossier: Dossier, names: Names, urlOf: UrlOf) {
  const { file, others, alike, log } = dossier;
  const { account } = file;
  const nameOf = (id: string): string => names.get(id) ?? id;
  return {
    account: {
      ...presentCase(file, urlOf),
      profile: account.profile,
      owners: account.owners.map(({ by, fan }) => ({
        handle: nameOf(fan),
        fan,
        byNetwork: by === 'network',
      })),
      sender: nameOf(file.submittedBy),
    },
    others: others.map((other) => presentCase(other, urlOf)),
    alike: alike.map((other) => presentCase(other, urlOf)),
    log: log.map(({ at, act, reason, by }) => ({
      at,
      act: act.replace('.', '_'),
      reason,
      by: nameOf(by),
    })),
    warned: warnedOf(account),
    open: file.state === 'open',
    revocable: file.state === 'granted' && REVOCABLE.includes(account.state),
    ...weigh(dossier),
  };
}
