import type { Model } from 'mongoose';
import type { Athletes } from '../athletes/service.js';
import type { NetworkId } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { AccountRecord } from './account.model.js';
import { skeleton } from '../platform/skeleton.js';

export type LookupResult = 'listed' | 'lapsed' | 'revoked' | 'known_fake' | 'lookalike' | 'unknown' | 'not_an_account';
export interface Lookup {
  result: LookupResult;
  account?: { network: NetworkId; handle: string; url: string };
  athlete?: { slug: string; name: string };
  since?: Date;
  why?: string;
  of?: { network: NetworkId; handle: string };
  evidence?: { decidedOn: Date | null; by: number; reason: string | null };
}
interface LookupParts {
  records: Model<AccountRecord>;
  networks: Networks;
  athletes: Athletes;
}

/** What the registry knows of an address or handle of any form (DESIGN 7). Asks no network. */
export async function lookUp(parts: LookupParts, text: string): Promise<Lookup> {
  const found = parts.networks.parse(text);
  if (!found || found.parsed === 'none') return { result: 'not_an_account' };
  const { network, parsed } = found;
  const filter = 'id' in parsed ? { network, accountId: parsed.id } : { network, handleKey: parsed.handle.toLowerCase() };
  const one = await parts.records.findOne({ ...filter, state: { $ne: 'candidate' } }).lean<AccountRecord>();
  if (one) return known(parts, one);
  if ('handle' in parsed) {
    const alike = await parts.records.findOne({ skeleton: skeleton(parsed.handle), state: 'verified' }).lean<AccountRecord>();
    if (alike && !(alike.network !== network && alike.handleKey === parsed.handle.toLowerCase()))
      return { result: 'lookalike', of: { network: alike.network, handle: alike.handle } };
  }
  return { result: 'unknown' };
}

async function known(parts: LookupParts, one: AccountRecord): Promise<Lookup> {
  const athlete = (await parts.athletes.byIds([one.athlete])).get(one.athlete);
  const account = { network: one.network, handle: one.handle, url: parts.networks.of(one.network).accountUrl({ id: one.accountId, handle: one.handle }) };
  const who = athlete && !athlete.hidden ? { athlete: { slug: athlete.slugs[0] ?? athlete._id, name: athlete.name } } : {};
  if (one.state === 'verified')
    return {
      result: 'listed',
      account,
      ...who,
      ...(one.since ? { since: one.since } : {}),
      evidence: { decidedOn: one.decidedAt, by: one.signatures.length, reason: one.reason },
    };
  if (one.state === 'refused')
    return one.fake
      ? {
          result: 'known_fake',
          account,
          ...(one.reason ? { why: one.reason } : {}),
          ...(who.athlete ? { of: { network: one.network, handle: who.athlete.name } } : {}),
        }
      : { result: 'unknown' };
  return { result: one.state === 'lapsed' ? 'lapsed' : 'revoked', account, ...who, ...(one.reason ? { why: one.reason } : {}) };
}
