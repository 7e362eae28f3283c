import type { Model } from 'mongoose';
import type { AthleteRecord, Athletes } from '../athletes/service.js';
import type { NetworkId } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import { within } from '../platform/clock.js';
import { skeleton } from '../platform/skeleton.js';
import type { AccountRecord } from './account.model.js';
import type { Handles } from './handles.js';

export type LookupResult =
  'listed' | 'lapsed' | 'revoked' | 'known_fake' | 'lookalike' | 'unknown' | 'not_an_account';
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
  records: Model<AccountRecord>;
  networks: Networks;
  athletes: Athletes;
  handles: Handles;
}

/**
 * What is known of a handle may be so old before it is called listed; how long the network may take
 * to say whose it is now.
 */
const SURE_MS = 60_000;
const PATIENCE_MS = 1500;
/** Look-alikes that are read to find one who is shown. */
const ALIKE = 20;

/**
 * What the registry knows of an address or handle of any form (DESIGN 7). A handle that would
 * answer `listed` is first asked of its network, unless that was done within the minute: it may be
 * somebody else's since.
 */
export async function lookUp(parts: LookupParts, text: string): Promise<Lookup> {
  const { records, networks, handles } = parts;
  const found = networks.parse(text);
  if (!found || found.parsed === 'none') return { result: 'not_an_account' };
  const { network, parsed } = found;
  if ('id' in parsed) {
    const one = await records.findOne({ network, accountId: parsed.id }).lean<AccountRecord>();
    return (one && (await known(parts, one))) ?? { result: 'unknown' };
  }
  const key = networks.adapter(network).handleKey(parsed.handle);
  const bearer = (): Promise<AccountRecord | null> =>
    records.findOne({ network, handleKey: key }).lean<AccountRecord>();
  let one = await bearer();
  if (one?.state === 'verified') {
    await within(handles.refresh([one], SURE_MS), PATIENCE_MS);
    one = await bearer();
  }
  return (
    (one && (await known(parts, one))) ??
    (await alike(parts, network, parsed.handle, key)) ?? { result: 'unknown' }
  );
}

/**
 * Somebody verified for whom a handle may be taken: who bore it before, or whose own looks like it.
 */
async function alike(
  { records, networks, athletes }: LookupParts,
  network: NetworkId,
  handle: string,
  key: string,
): Promise<Lookup | null> {
  const [before, similar] = await Promise.all([
    records
      .find({ network, 'former.key': key, state: 'verified', handleKey: { $ne: null } })
      .limit(ALIKE)
      .lean<AccountRecord[]>(),
    records
      .find({ skeleton: skeleton(handle), state: 'verified', handleKey: { $ne: null } })
      .limit(ALIKE)
      .lean<AccountRecord[]>(),
  ]);
  // The very same handle on another network is no look-alike: people take the name they have
  // elsewhere.
  const others = [...before, ...similar].filter(
    (one) =>
      one.network === network || one.handleKey !== networks.adapter(one.network).handleKey(handle),
  );
  const people = await athletes.byIds(others.map((one) => one.athlete));
  const of = others.find((one) => people.has(one.athlete));
  return of
    ? {
        result: 'lookalike',
        of: { name: people.get(of.athlete)?.name ?? '', network: of.network, handle: of.handle },
      }
    : null;
}

/** What an account on record is known as; null for one of which nothing was decided. */
async function known(
  { records, networks, athletes }: LookupParts,
  one: AccountRecord,
): Promise<Lookup | null> {
  const { warning } = one;
  const id = one.state === 'verified' || one.state === 'lapsed' ? one.athlete : warning?.athlete;
  if (id === undefined) return null;
  const athlete = (await athletes.byIds([id])).get(id);
  const account = {
    network: one.network,
    handle: one.handle,
    url: networks.adapter(one.network).accountUrl(one.accountId),
  };
  if (warning?.as === 'fake' && one.state !== 'verified')
    return {
      result: 'known_fake',
      account,
      ...(athlete ? { why: warning.reason, of: await original(records, one, athlete) } : {}),
    };
  // Whoever is hidden has no account here (RULES R13).
  if (!athlete) return null;
  const who = { account, athlete: { slug: athlete.slugs[0] ?? athlete._id, name: athlete.name } };
  if (one.state === 'verified')
    return {
      result: 'listed',
      ...who,
      ...(one.since ? { since: one.since } : {}),
      evidence: { decidedOn: one.decidedAt, by: one.signatures.length },
    };
  return warning
    ? { result: 'revoked', ...who, why: warning.reason }
    : { result: 'lapsed', ...who };
}

/** Whom a fake pretends to be, with their verified account, of the same network if there is one. */
async function original(
  records: Model<AccountRecord>,
  fake: AccountRecord,
  athlete: AthleteRecord,
): Promise<NonNullable<Lookup['of']>> {
  const theirs = await records
    .find({ athlete: athlete._id, state: 'verified' })
    .sort({ since: 1 })
    .lean<AccountRecord[]>();
  const shown = theirs.find((one) => one.network === fake.network) ?? theirs[0];
  return { name: athlete.name, ...(shown ? { network: shown.network, handle: shown.handle } : {}) };
}
