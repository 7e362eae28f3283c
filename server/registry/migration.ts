import type { Model } from 'mongoose';
import type { Networks } from '../networks/service.js';
import { type AccountRecord, type Warning } from './account.model.js';
import type { Owners } from './owners.js';

/** An account as version 0.1 kept it. */
type Earlier = Omit<AccountRecord, 'former' | 'owners' | 'warning' | 'gone'> & {
  fake?: boolean;
  former?: unknown;
};

/**
 * Gives accounts of version 0.1 what they lack: owners, what the public is warned of, and a handle
 * that at most one of them bears (the one decided last; the others are asked about at the next
 * sweep). Run again it finds nothing.
 */
export async function makeWhole(
  records: Model<AccountRecord>,
  networks: Networks,
  owners: Owners,
): Promise<void> {
  const earlier = await records.collection
    .find<Earlier>({ former: { $exists: false } })
    .sort({ decidedAt: -1, submittedAt: -1 })
    .toArray();
  for (const one of earlier) {
    const key = networks.adapter(one.network).handleKey(one.handle);
    const taken = await records.exists({
      network: one.network,
      handleKey: key,
      former: { $exists: true },
    });
    const as: Warning['as'] | null = one.state === 'revoked' ? 'revoked' : one.fake ? 'fake' : null;
    const warning: Warning | null = as && {
      as,
      athlete: one.athlete,
      reason: one.reason ?? '',
      at: one.decidedAt ?? one.submittedAt,
    };
    await records.collection.updateOne(
      { _id: one._id as never },
      {
        $set: { handleKey: taken ? null : key, former: [], gone: false, owners: [], warning },
        $unset: { fake: '', url: '' },
      },
    );
    await owners.find(one._id, one.network, one.accountId);
  }
}
