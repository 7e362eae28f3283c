import type { Fans } from '../fans/service.js';
import type { Cards } from '../networks/cards.js';
import type { NetworkId } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { Bus } from '../platform/bus.js';
import type { Clock } from '../platform/clock.js';
import type { Jobs } from '../platform/jobs.js';
import type { Points } from '../points/service.js';
import type { Registry, VerifiedAccount } from '../registry/service.js';
import { earningCard } from './answers.js';
import type { Steps } from './check-leases.js';
import { RETRY_MS, unanswered } from './check-result.js';
import type { Checks } from './checks.js';
import { heldUnder } from './deed-states.js';
import { accountDeed } from './deeds.js';

/** The payload of the job `follows.check`: a fan whose accounts on a network are checked. */
export interface CheckJob {
  fan: string;
  network: NetworkId;
  /** Ids of the accounts, where not all are meant. */
  only?: string[] | undefined;
  /** How often these were checked in vain before. */
  tries?: number | undefined;
}
/** What the jobs are built of. */
export interface CheckJobsParts {
  cards: Cards;
  clock: Clock;
  fans: Fans;
  jobs: Jobs;
  bus: Bus;
  networks: Networks;
  points: Points;
  registry: Registry;
  checks: Checks;
}

/** How long after a check of all accounts they are checked again. */
export const CHECK_EVERY_MS = 12 * 3_600_000;
/** How long a check waits that repeats one which a fan has waited for in vain. */
const SOON_MS = 15_000;
/** How often an account is checked again that its network does not know. */
const UNKNOWN_TRIES = 3;

/** Checks in the background, one job a fan and network. */
export class CheckJobs {
  constructor(private readonly parts: CheckJobsParts) {}

  /** Adds a check, or joins it to the one that waits already; answers the job. */
  add(job: CheckJob, options: { at?: Date; priority?: number } = {}): Promise<string> {
    return this.parts.jobs.add('follows.check', `${job.fan}|${job.network}`, job, options);
  }

  /** Adds a check of all accounts that repeats one a fan has waited for in vain. */
  addSoon(fan: string, network: NetworkId): Promise<string> {
    const at = new Date(this.parts.clock.now().getTime() + SOON_MS);
    return this.add({ fan, network }, { at });
  }

  /** Adds a check of every network that a fan has linked; answers the jobs. */
  async addAll(fan: string): Promise<string[]> {
    const identities = await this.parts.fans.identities.linkedBy(fan);
    return Promise.all(
      identities.map(({ network }) => this.add({ fan, network: network as NetworkId })),
    );
  }

  /**
   * Checks all verified accounts of a network, or `only` these. Answers when to check those again
   * for which an outage or a limit left no answer. Accounts that the network says it does not know
   * are checked three times more at most: a spoilt answer looks like that, and an account that has
   * vanished is not chased for ever.
   */
  async run(job: CheckJob): Promise<{ at: Date; payload: CheckJob } | null> {
    const { checks, clock, fans, bus } = this.parts;
    const { fan, network, only, tries = 0 } = job;
    const now = clock.now();
    const accounts = await this.accountsOf(job);
    let retry: string[] = [];
    if (accounts.length > 0) {
      const results = await checks.checkLinked(fan, network, accounts, (steps: Steps) => {
        bus.tell('follows:progress', { fan, network, ...steps });
      });
      retry = unanswered(results, tries < UNKNOWN_TRIES);
    }
    // An identity of which only some accounts were checked is as due as it was.
    if (!only)
      await fans.identities.checked([fan], network, now, new Date(now.getTime() + CHECK_EVERY_MS));
    if (retry.length === 0) return null;
    return {
      at: new Date(now.getTime() + RETRY_MS),
      payload: { fan, network, only: retry, tries: tries + 1 },
    };
  }

  /**
   * The accounts that a check is about: no call is spent on a fan's own, for which nobody earns. On
   * a network where nothing new can be earned, those of deeds that were earned.
   */
  private async accountsOf({ fan, network, only }: CheckJob): Promise<VerifiedAccount[]> {
    const { networks, points, registry } = this.parts;
    const card = await earningCard(this.parts, network);
    const owned = await registry.ownedBy(fan);
    const deeds = card ? null : (await points.deeds([fan])).get(fan);
    const isConfirmed = (account: VerifiedAccount): boolean =>
      heldUnder(deeds?.get(accountDeed(networks, account))) === 'confirmed';
    return (await registry.verified(network)).filter(
      (account) =>
        (!only || only.includes(account.accountId)) &&
        (!deeds || isConfirmed(account)) &&
        !owned.has(account.athlete.id),
    );
  }
}
