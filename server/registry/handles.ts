import type { ClientSession, Connection, Model } from 'mongoose';
import { NETWORKS, NetworkError, type NetworkId, type Profile } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import { BatchLoader } from '../platform/batch-loader.js';
import type { Changes } from '../platform/changes.js';
import type { Clock } from '../platform/clock.js';
import { isDuplicate } from '../platform/mongo.js';
import { skeleton } from '../platform/skeleton.js';
import { inTransaction } from '../platform/transaction.js';
import { keptProfile, type AccountRecord } from './account.model.js';

/** How old what is known of an account may be before the sweep asks. */
const SWEEP_AFTER_MS = 24 * 3_600_000;
/** How long a network that did not answer is left alone. */
const PAUSE_MS = 60_000;
const TRIES = 4;

const keyed = (network: NetworkId, accountId: string): string => `${network}:${accountId}`;

interface HandlesParts {
  connection: Connection;
  accounts: Model<AccountRecord>;
  networks: Networks;
  changes: Changes;
  clock: Clock;
  /** Hears that handles have changed and that this is stored. */
  moved: () => Promise<void>;
}
/** What a network said of an account, null when it does not know it any more. */
interface Heard {
  network: NetworkId;
  accountId: string;
  profile: Profile | null;
  askedAt: Date;
}
interface HandleNews {
  /** What the spellings of its handle share now; null when it is gone. */
  key: string | null;
  set: object;
  moved: boolean;
}
/** Which account bears a handle as of an instant, and the number of the change by which it does. */
interface Bearing {
  network: NetworkId;
  key: string;
  accountId: string;
  at: Date;
  changed: number;
}

/**
 * Accounts as their network knows them now. They are asked for by their stable id: a handle may
 * change hands, and then it names whoever bears it now, and the account it was taken from has it
 * among its former ones.
 */
export class Handles {
  /**
   * Whoever wants the same account joins the request under way; what is wanted meanwhile is the
   * next one, together.
   */
  private readonly asks: BatchLoader<true>;
  private readonly pausedUntil = new Map<NetworkId, number>();

  constructor(private readonly parts: HandlesParts) {
    this.asks = new BatchLoader(async (keys) => {
      await Promise.all(NETWORKS.map((network) => this.askNetwork(network, keys)));
      return new Map(keys.map((key) => [key, true]));
    });
  }

  /**
   * Asks about those of these accounts of which nothing was heard for so many ms, or whose handle
   * somebody else was seen with. Resolves when what came is stored; a network that is away is no
   * error.
   */
  async refresh(accounts: AccountRecord[], olderThan: number): Promise<void> {
    const now = this.parts.clock.now().getTime();
    const due = accounts.filter((account) => {
      const isUnheard =
        Math.abs(now - account.profile.fetchedAt.getTime()) >= olderThan ||
        (account.handleKey === null && !account.gone);
      return isUnheard && (this.pausedUntil.get(account.network) ?? -Infinity) <= now;
    });
    await Promise.all(
      due.map(({ network, accountId }) => this.asks.load(keyed(network, accountId))),
    );
  }

  /**
   * Asks about accounts not heard of for a day, and first about those whose handle somebody else
   * was seen with; at most so many of a network. Answers which.
   */
  async sweep(limit: number): Promise<AccountRecord[]> {
    const swept: AccountRecord[] = [];
    const before = new Date(this.parts.clock.now().getTime() - SWEEP_AFTER_MS);
    for (const network of NETWORKS) {
      const lost = await this.parts.accounts
        .find({ network, handleKey: null, gone: { $ne: true } })
        .limit(limit)
        .lean<AccountRecord[]>();
      const old = await this.parts.accounts
        .find({ network, 'profile.fetchedAt': { $lt: before } })
        .sort({ 'profile.fetchedAt': 1 })
        .limit(limit)
        .lean<AccountRecord[]>();
      await this.refresh([...lost, ...old], 0);
      swept.push(...lost, ...old);
    }
    return swept;
  }

  private async askNetwork(network: NetworkId, keys: string[]): Promise<void> {
    const ids = keys
      .filter((key) => key.startsWith(`${network}:`))
      .map((key) => key.slice(network.length + 1));
    if (ids.length === 0) return;
    const askedAt = this.parts.clock.now();
    try {
      const profiles = await this.parts.networks.adapter(network).profiles(ids);
      let moved = false;
      for (const [accountId, profile] of profiles)
        moved = (await this.apply({ network, accountId, profile, askedAt })) || moved;
      if (moved) await this.parts.moved();
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      this.pausedUntil.set(
        network,
        Math.max(askedAt.getTime() + PAUSE_MS, error.retryAt?.getTime() ?? 0),
      );
    }
  }

  /**
   * Stores what a network said; whoever was heard of later is left as they are. Answers whether a
   * handle moved.
   */
  private async apply(heard: Heard): Promise<boolean> {
    const { accounts } = this.parts;
    const { network, accountId, askedAt } = heard;
    for (let tries = 0; tries < TRIES; tries += 1) {
      const account = await accounts.findOne({ network, accountId }).lean<AccountRecord>();
      if (!account || account.profile.fetchedAt > askedAt) return false;
      const news = this.newsOf(account, heard);
      try {
        const stored = news.moved
          ? await this.move(account, heard, news)
          : await this.store(account, news.set);
        if (stored !== null) return stored && news.moved;
      } catch (error) {
        // Another account was given this handle in between: whose it is now is looked at again.
        if (!isDuplicate(error)) throw error;
      }
    }
    return false;
  }

  /** What a network's answer sets of an account, and whether its handle moves by it. */
  private newsOf(account: AccountRecord, { network, profile, askedAt }: Heard): HandleNews {
    const key = profile && this.parts.networks.adapter(network).handleKey(profile.handle);
    const { handle, handleKey } = account;
    const isLost = handleKey !== null && handleKey !== key;
    const former = [
      ...account.former.filter((earlier) => earlier.key !== key),
      ...(isLost ? [{ handle, key: handleKey, until: askedAt }] : []),
    ];
    if (!profile)
      return {
        key,
        set: { handleKey: null, former, gone: true, 'profile.fetchedAt': askedAt },
        moved: handleKey !== null || !account.gone,
      };
    return {
      key,
      set: {
        handle: profile.handle,
        handleKey: key,
        skeleton: skeleton(profile.handle),
        former,
        gone: false,
        profile: keptProfile(profile, askedAt),
      },
      moved: handleKey !== key || handle !== profile.handle || account.gone,
    };
  }

  /**
   * Stores that a handle moved, and takes it from whoever bore it. Answers false when another was
   * seen with it later, null when the account has changed since it was read.
   */
  private async move(
    account: AccountRecord,
    { network, accountId, askedAt: at }: Heard,
    { key, set }: HandleNews,
  ): Promise<boolean | null> {
    const { connection, changes } = this.parts;
    const changed = await changes.mark('registry');
    return inTransaction(connection, async (session) => {
      if (key !== null && !(await this.take({ network, key, accountId, at, changed }, session)))
        return false;
      return this.store(account, { ...set, changed }, session);
    });
  }

  /** Writes to an account as it was read; answers null when it has changed since. */
  private async store(
    account: AccountRecord,
    set: object,
    session?: ClientSession,
  ): Promise<true | null> {
    const { matchedCount } = await this.parts.accounts.updateOne(
      {
        _id: account._id,
        handleKey: account.handleKey,
        'profile.fetchedAt': account.profile.fetchedAt,
      },
      { $set: set },
      session ? { session } : {},
    );
    return matchedCount === 1 ? true : null;
  }

  /**
   * A handle is this account's now: whoever is on record with it has lost it. Answers false when
   * another was seen with it later than that. The account it was taken from is asked about at the
   * next sweep.
   */
  async take(
    { network, key, accountId, at, changed }: Bearing,
    session: ClientSession,
  ): Promise<boolean> {
    const { accounts } = this.parts;
    const bearer = await accounts
      .findOne({ network, handleKey: key, accountId: { $ne: accountId } })
      .session(session)
      .lean<AccountRecord>();
    if (!bearer) return true;
    if (bearer.profile.fetchedAt > at) return false;
    await accounts.updateOne(
      { _id: bearer._id, handleKey: key },
      {
        $set: { handleKey: null, 'profile.fetchedAt': at, changed },
        $push: { former: { handle: bearer.handle, key, until: at } },
      },
      { session },
    );
    return true;
  }
}
