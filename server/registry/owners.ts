import type { ClientSession, Model } from 'mongoose';
import type { Identities } from '../fans/identities.js';
import type { NetworkId } from '../networks/network.js';
import { BatchLoader } from '../platform/batch-loader.js';
import { EARNS, type AccountRecord } from './account.model.js';

/** The verified accounts of an athlete as the store has them: what a give is decided on. */
type Standing = Pick<AccountRecord, '_id' | 'athlete' | 'epoch' | 'owners'>[];

/**
 * Who owns which account. An owner stands on the account itself, so that a give, which reads the
 * account's epoch anyway, reads both at once. Whoever owns one verified account of an athlete is
 * that athlete, on every network.
 */
export class Owners {
  /**
   * Uncached, because a give re-reads it when it decides (LEDGER 4); a flush of the ledger pays for
   * one read.
   */
  private readonly standing: BatchLoader<Standing>;

  constructor(
    private readonly records: Model<AccountRecord>,
    private readonly identities: Identities,
  ) {
    this.standing = new BatchLoader(async (athletes) => {
      // By athletes alone: asked for the states too, a store may go by the index of states, which
      // holds every verified account there is.
      const found = await this.records.collection
        .find<Standing[number] & Pick<AccountRecord, 'state'>>(
          { athlete: { $in: athletes } },
          {
            projection: { athlete: 1, epoch: 1, owners: 1, state: 1 },
            readConcern: { level: 'majority' },
          },
        )
        .toArray();
      const byAthlete = new Map<string, Standing>();
      for (const account of found) {
        if (!EARNS.includes(account.state)) continue;
        const theirs = byAthlete.get(account.athlete);
        if (theirs) theirs.push(account);
        else byAthlete.set(account.athlete, [account]);
      }
      return byAthlete;
    });
  }

  /**
   * A fan has shown these accounts of a network to be theirs, and none else there: what moderators
   * recorded stays.
   */
  async proved(fan: string, network: NetworkId, accounts: string[]): Promise<void> {
    await this.records.updateMany(
      { network, accountId: { $in: accounts }, 'owners.fan': { $ne: fan } },
      { $push: { owners: { fan, by: 'network' } } },
    );
    // Almost nobody owns any, and that is a read by the fan alone.
    const owned = await this.records
      .find({ 'owners.fan': fan }, { network: 1, accountId: 1 })
      .lean<Pick<AccountRecord, '_id' | 'network' | 'accountId'>[]>();
    const others = owned
      .filter((account) => account.network === network && !accounts.includes(account.accountId))
      .map(({ _id }) => _id);
    if (others.length > 0)
      await this.records.updateMany(
        { _id: { $in: others } },
        { $pull: { owners: { fan, by: 'network' } } },
      );
  }

  /**
   * Records the fans who signed in with this account before it had a case. To be awaited before the
   * account may earn: whoever signs in later is recorded by `proved`, so nobody is missed between
   * the two.
   */
  async find(id: string, network: NetworkId, accountId: string): Promise<void> {
    for (const fan of await this.identities.owning(network, accountId))
      await this.records.updateOne(
        { _id: id, 'owners.fan': { $ne: fan } },
        { $push: { owners: { fan, by: 'network' } } },
      );
  }

  /**
   * A moderator says that a fan owns an account, or does not; what the network itself said cannot
   * be taken away. Answers whether anything changed.
   */
  async record(
    { account, fan, owns, by }: { account: string; fan: string; owns: boolean; by: string },
    session: ClientSession,
  ): Promise<boolean> {
    const { modifiedCount } = owns
      ? await this.records.updateOne(
          { _id: account, 'owners.fan': { $ne: fan } },
          { $push: { owners: { fan, by } } },
          { session },
        )
      : await this.records.updateOne(
          { _id: account, 'owners.fan': fan },
          { $pull: { owners: { fan, by: { $ne: 'network' } } } },
          { session },
        );
    return modifiedCount > 0;
  }

  /** Whether a fan owns a verified account of this athlete, as the store has it now. */
  async owns(fan: string, athlete: string): Promise<boolean> {
    return ((await this.standing.load(athlete)) ?? []).some(({ owners }) =>
      owners.some((owner) => owner.fan === fan),
    );
  }

  /** The athletes of whom a fan owns a verified account. */
  async athletesOf(fan: string): Promise<Set<string>> {
    const found = await this.records
      .find({ 'owners.fan': fan, state: { $in: EARNS } }, { athlete: 1 })
      .lean<Pick<AccountRecord, 'athlete'>[]>();
    return new Set(found.map(({ athlete }) => athlete));
  }

  /**
   * Whether this fan may earn by an account as it was read: verified under the same epoch still,
   * and not their own.
   */
  async mayEarn(
    fan: string,
    account: { id: string; epoch: number; athlete: { id: string } },
  ): Promise<boolean> {
    const standing = (await this.standing.load(account.athlete.id)) ?? [];
    return (
      standing.some(({ _id, epoch }) => _id === account.id && epoch === account.epoch) &&
      !standing.some(({ owners }) => owners.some((owner) => owner.fan === fan))
    );
  }
}
