import type { Model } from 'mongoose';
import type { Athletes } from '../athletes/service.js';
import type { NetworkId } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { Changes } from '../platform/changes.js';
import { SwrCache } from '../platform/swr-cache.js';
import { EARNS, type AccountRecord } from './account.model.js';

/** A verified account with what points need to know of its athlete. */
export interface VerifiedAccount {
  id: string;
  network: NetworkId;
  accountId: string;
  handle: string;
  url: string;
  since: Date;
  epoch: number;
  athlete: { id: string; slug: string; name: string; disciplines: string[] };
}
interface Listed {
  byAthlete: Map<string, VerifiedAccount[]>;
  byAccount: Map<string, VerifiedAccount>;
}

/** How long accounts are kept while nothing is said to have changed. */
const KEPT_MS = 60_000;

/** Every verified account of an athlete who is shown, in memory, as fresh as `Changes`. */
export class Listing {
  private readonly lists = new SwrCache<Listed>(KEPT_MS);

  constructor(
    private readonly records: Model<AccountRecord>,
    private readonly networks: Networks,
    private readonly athletes: Athletes,
    private readonly changes: Changes,
  ) {}

  forget(): void {
    this.lists.invalidate();
  }

  private async load(): Promise<Listed> {
    const fields = {
      network: 1,
      accountId: 1,
      handle: 1,
      since: 1,
      submittedAt: 1,
      epoch: 1,
      athlete: 1,
    };
    const found = await this.records.collection
      .find<AccountRecord>({ state: { $in: [...EARNS] } }, { projection: fields })
      .sort({ since: 1, _id: 1 })
      .toArray();
    const athletes = await this.athletes.byIds(found.map((one) => one.athlete));
    const listed: Listed = { byAthlete: new Map(), byAccount: new Map() };
    for (const one of found) {
      const athlete = athletes.get(one.athlete);
      if (!athlete) continue;
      const account: VerifiedAccount = {
        id: one._id,
        network: one.network,
        accountId: one.accountId,
        handle: one.handle,
        url: this.networks.adapter(one.network).accountUrl(one.accountId),
        since: one.since ?? one.submittedAt,
        epoch: one.epoch,
        athlete: {
          id: athlete._id,
          slug: athlete.slugs[0] ?? athlete._id,
          name: athlete.name,
          disciplines: athlete.disciplines,
        },
      };
      listed.byAccount.set(`${one.network}:${one.accountId}`, account);
      const list = listed.byAthlete.get(one.athlete);
      if (list) list.push(account);
      else listed.byAthlete.set(one.athlete, [account]);
    }
    return listed;
  }

  async read(): Promise<Listed> {
    await this.changes.look();
    return this.lists.get('all', () => this.load());
  }
}
