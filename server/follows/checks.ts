import { VillageError } from '../errors.js';
import type { NetworkId } from '../networks/network.js';
import { within, type Clock } from '../platform/clock.js';
import { isGive } from '../points/service.js';
import type { VerifiedAccount } from '../registry/service.js';
import type { CheckLeases } from './check-leases.js';
import { noAnswer, type CheckResult, type CheckResults } from './check-result.js';
import { heldUnder } from './deed-states.js';
import { accountDeed } from './deeds.js';
import { NetworkCheck, type NetworkCheckParts, type OnProgress } from './network-check.js';

/** What checks are built of. */
export type ChecksParts = NetworkCheckParts & { checkLeases: CheckLeases; clock: Clock };

/** How long a check waits for another process that checks the same fan and network. */
const LEASE_PATIENCE_MS = 2000;
/** How long a request waits for a network before it answers 202. */
const REQUEST_PATIENCE_MS = 2000;

/** A check that is under way in this process. */
interface RunningCheck {
  accounts: ReadonlySet<string>;
  done: Promise<CheckResults>;
}

/** Checks of networks: one at a time a fan and network, joined by whoever wants the same. */
export class Checks {
  private readonly running = new Map<string, RunningCheck>();

  constructor(private readonly parts: ChecksParts) {}

  /**
   * Checks accounts on a network under the one lease of fan and network, and applies each batch of
   * answers as it comes. A second caller in this process joins a running check that covers what it
   * wants. Throws `not_linked`, also when the network dropped the fan's permission.
   */
  async check(
    fan: string,
    network: NetworkId,
    accounts: VerifiedAccount[],
    onProgress?: OnProgress,
  ): Promise<CheckResults> {
    const key = `${fan}|${network}`;
    const running = this.running.get(key);
    if (running)
      return (
        (await this.join(running, fan, accounts)) ?? this.check(fan, network, accounts, onProgress)
      );
    const done = this.start(fan, network, accounts, onProgress).finally(() => {
      this.running.delete(key);
    });
    this.running.set(key, { accounts: new Set(accounts.map((each) => each.accountId)), done });
    return done;
  }

  /** Checks; nothing is answered for a network that is not linked, or whose permission is gone. */
  async checkLinked(
    fan: string,
    network: NetworkId,
    accounts: VerifiedAccount[],
    onProgress?: OnProgress,
  ): Promise<CheckResults> {
    try {
      return await this.check(fan, network, accounts, onProgress);
    } catch (error) {
      if (error instanceof VillageError && error.id === 'not_linked') return new Map();
      throw error;
    }
  }

  /**
   * Checks one account and waits two seconds at most; the check itself goes on and is applied.
   * Throws `not_linked`.
   */
  async checkNow(fan: string, account: VerifiedAccount): Promise<CheckResult> {
    const late = noAnswer(this.parts.clock.now(), 'network_down');
    const results = await within(this.check(fan, account.network, [account]), REQUEST_PATIENCE_MS);
    return results?.get(account.accountId) ?? late;
  }

  private async start(
    fan: string,
    network: NetworkId,
    accounts: VerifiedAccount[],
    onProgress?: OnProgress,
  ): Promise<CheckResults> {
    const { fans, checkLeases, clock } = this.parts;
    const usable = await fans.identities.usable(fan, network);
    if (!usable) throw new VillageError('not_linked', { network });
    const { tokens, identity } = usable;
    const ids = accounts.map((account) => account.accountId);
    const nobody = (reason?: CheckResult['reason']): CheckResults =>
      new Map(ids.map((id) => [id, noAnswer(clock.now(), reason)]));
    if (!tokens) return nobody();
    const lease = await checkLeases.take(fan, network, ids, LEASE_PATIENCE_MS);
    if (!lease) return nobody('busy');
    const input = { fan, network, accounts, identity, tokens, lease, onProgress };
    return new NetworkCheck(this.parts, input).run();
  }

  /**
   * The results of a check that another caller began, without its entries: that caller announces
   * the awards. Null when this caller must check for itself, because the running check failed, does
   * not cover these accounts, or is too old: the network said yes, but the deed was taken back
   * after it had been asked.
   */
  private async join(
    { accounts: covered, done }: RunningCheck,
    fan: string,
    accounts: VerifiedAccount[],
  ): Promise<CheckResults | null> {
    const results = await done.catch(() => null);
    if (!results || !accounts.every(({ accountId }) => covered.has(accountId))) return null;
    const held = accounts
      .filter(({ accountId }) => leavesHeld(results.get(accountId)))
      .map((account) => accountDeed(this.parts.networks, account));
    const states = await this.parts.points.turns(fan, held);
    if (held.some((deed) => heldUnder(states.get(deed)) === null)) return null;
    return new Map([...results].map(([id, result]) => [id, withoutEntry(result)]));
  }
}

/** Whether a result means that its deed is held. */
function leavesHeld(result: CheckResult | undefined): boolean {
  if (result?.verdict !== 'yes') return false;
  const { outcome, turn } = result;
  return outcome ? !outcome.limited && !outcome.dropped : isGive(turn);
}

const withoutEntry = (result: CheckResult): CheckResult => ({
  ...result,
  outcome: result.outcome && { ...result.outcome, entry: null },
});
