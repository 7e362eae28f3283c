import type { Model } from 'mongoose';
import type { AthleteRecord, Athletes } from '../athletes/service.js';
import type { NetworkId } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import { within } from '../platform/clock.js';
import { skeleton } from '../platform/skeleton.js';
import type { AccountRecord } from './account.model.js';
import type { Handles } from './handles.js';

/** What an address or a handle is known as. */
export type LookupResult =
  'listed' | 'lapsed' | 'revoked' | 'known_fake' | 'lookalike' | 'unknown' | 'not_an_account';
/** What the registry answers about an address or a handle. */
export interface Lookup {
  result: LookupResult;
  account?: { network: NetworkId; handle: string; url: string };
  athlete?: { slug: string; name: string };
  since?: Date;
  why?: string;
  /** Whom it passes for: the athlete, and their verified account where there is one. */
  of?: { name: string; network?: NetworkId; handle?: string };
  /** When it was decided and by how many; what moderators wrote of a grant is theirs alone. */
  evidence?: { decidedOn: Date | null; by: number };
}
interface LookupParts {
  accounts: Model<AccountRecord>;
  networks: Networks;
  athletes: Athletes;
  handles: Handles;
}

/** What is known of a handle may be so old, in ms, when it is called listed. */
const SURE_MS = 60_000;
/** How long, in ms, the network may take to say whose a handle is now. */
const PATIENCE_MS = 1500;
/** Look-alikes that are read to find one who is shown. */
const MOST_ALIKE = 20;

/**
 * What the registry knows of an address or handle of any form (DESIGN 7). A handle that would
 * answer `listed` is first asked of its network, unless that was done within the minute: it may be
 * somebody else's since.
 */
export async function lookUp(parts: LookupParts, text: string): Promise<Lookup> {
  const { accounts, networks, handles } = parts;
  const found = networks.parse(text);
  if (!found || found.parsed === 'none') return { result: 'not_an_account' };
  const { network, parsed } = found;
  if ('id' in parsed) {
    const account = await accounts.findOne({ network, accountId: parsed.id }).lean<AccountRecord>();
    return (account && (await known(parts, account))) ?? { result: 'unknown' };
  }
  const key = networks.adapter(network).handleKey(parsed.handle);
  const findBearer = (): Promise<AccountRecord | null> =>
    accounts.findOne({ network, handleKey: key }).lean<AccountRecord>();
  let bearer = await findBearer();
  if (bearer?.state === 'verified') {
    await within(handles.refresh([bearer], SURE_MS), PATIENCE_MS);
    bearer = await findBearer();
  }
  return (
    (bearer && (await known(parts, bearer))) ??
    (await alike(parts, network, parsed.handle, key)) ?? { result: 'unknown' }
  );
}

/**
 * Somebody verified for whom a handle may be taken: who bore it before, or whose own looks like it.
 */
async function alike(
  { accounts, networks, athletes }: LookupParts,
  network: NetworkId,
  handle: string,
  key: string,
): Promise<Lookup | null> {
  const borne = { state: 'verified' as const, handleKey: { $ne: null } };
  const [before, similar] = await Promise.all([
    accounts
      .find({ network, 'former.key': key, ...borne })
      .limit(MOST_ALIKE)
      .lean<AccountRecord[]>(),
    accounts
      .find({ skeleton: skeleton(handle), ...borne })
      .limit(MOST_ALIKE)
      .lean<AccountRecord[]>(),
  ]);
  // The very same handle on another network is no look-alike: people take the name they have
  // elsewhere.
  const others = [...before, ...similar].filter(
    (account) =>
      account.network === network ||
      account.handleKey !== networks.adapter(account.network).handleKey(handle),
  );
  const people = await athletes.byIds(others.map(({ athlete }) => athlete));
  const passedFor = others.find(({ athlete }) => people.has(athlete));
  if (!passedFor) return null;
  const name = people.get(passedFor.athlete)?.name ?? '';
  return {
    result: 'lookalike',
    of: { name, network: passedFor.network, handle: passedFor.handle },
  };
}

/** What an account on record is known as; null for one of which nothing was decided. */
async function known(
  { accounts, networks, athletes }: LookupParts,
  record: AccountRecord,
): Promise<Lookup | null> {
  const { warning, state } = record;
  const isTheirs = state === 'verified' || state === 'lapsed';
  const id = isTheirs ? record.athlete : warning?.athlete;
  if (id === undefined) return null;
  const athlete = (await athletes.byIds([id])).get(id);
  const account = {
    network: record.network,
    handle: record.handle,
    url: networks.adapter(record.network).accountUrl(record.accountId),
  };
  if (warning?.as === 'fake' && state !== 'verified')
    return {
      result: 'known_fake',
      account,
      ...(athlete ? { why: warning.reason, of: await original(accounts, record, athlete) } : {}),
    };
  // Whoever is hidden has no account here (RULES R13).
  if (!athlete) return null;
  const who = { account, athlete: { slug: athlete.slugs[0] ?? athlete._id, name: athlete.name } };
  if (state === 'verified')
    return {
      result: 'listed',
      ...who,
      ...(record.since ? { since: record.since } : {}),
      evidence: { decidedOn: record.since, by: record.signers },
    };
  return warning
    ? { result: 'revoked', ...who, why: warning.reason }
    : { result: 'lapsed', ...who };
}

/** Whom a fake pretends to be, with their verified account, of the same network if there is one. */
async function original(
  accounts: Model<AccountRecord>,
  fake: AccountRecord,
  athlete: AthleteRecord,
): Promise<NonNullable<Lookup['of']>> {
  const theirs = await accounts
    .find({ athlete: athlete._id, state: 'verified' })
    .sort({ since: 1 })
    .lean<AccountRecord[]>();
  const shown = theirs.find(({ network }) => network === fake.network) ?? theirs[0];
  return { name: athlete.name, ...(shown ? { network: shown.network, handle: shown.handle } : {}) };
}
