import type { Fans } from '../fans/service.js';
import { NETWORKS, type NetworkId } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { Clock } from '../platform/clock.js';
import type { Jobs } from '../platform/jobs.js';
import { inPieces } from '../platform/pieces.js';
import type { Points } from '../points/service.js';
import type { Registry, VerifiedAccount } from '../registry/service.js';
import { CHECK_EVERY_MS, type CheckJobs } from './check-jobs.js';
import type { CheckLeases } from './check-leases.js';
import { RETRY_MS, unanswered } from './check-result.js';
import type { Checks } from './checks.js';
import { isRechecked } from './deed-states.js';
import { accountDeed } from './deeds.js';
import type { Doubts } from './doubts.js';
import type { Settling } from './settling.js';

/** The payload of the job `follows.recheck`: fans whose deeds on a network are checked again. */
export interface RecheckJob {
  network: NetworkId;
  fans: string[];
  /** When they were handed out: whoever was checked since then is left out. */
  at?: Date;
}
/**
 * The payload of the job `follows.sweep`: from when on identities that came due are still to be
 * handed out.
 */
export interface SweepJob {
  from: Date;
}
/** What the sweep is built of. */
export interface SweepParts {
  fans: Fans;
  networks: Networks;
  points: Points;
  registry: Registry;
  doubts: Doubts;
  checkLeases: CheckLeases;
  checks: Checks;
  checkJobs: CheckJobs;
  settling: Settling;
  jobs: Jobs;
  clock: Clock;
}

const SWEEP_EVERY_MS = 60_000;
/** Once in this time whatever is due is handed out, also what a job that was given up has left. */
const WHOLE_EVERY_MS = 3_600_000;
/** Fans of one job: enough to share the reads, few enough that a killed worker repeats little. */
const FANS_A_JOB = 100;
/**
 * Checks of one job that are under way at once: what they want of the store goes there together.
 */
const CHECKS_AT_ONCE = 32;
/** Doubts and abandoned checks of one sweep; what waits longest goes first. */
const RIPE_A_SWEEP = 1000;
/** Doubts that are settled together. */
const SETTLED_AT_ONCE = 200;

const after = (time: Date, ms: number): Date => new Date(time.getTime() + ms);

/**
 * Checks again and settles, by itself: finds what is due and hands it out as many small jobs, which
 * any number of workers share.
 */
export class Sweep {
  constructor(private readonly parts: SweepParts) {}

  /**
   * Hands out what is to be checked: identities that came due since `from`, doubts that are ripe,
   * and checks that ended half-way. An identity is handed out once each time it comes due, and no
   * write is needed to know that. Answers the next sweep, and when it is.
   */
  async handOut({ from }: SweepJob): Promise<{ at: Date; payload: SweepJob }> {
    const now = this.parts.clock.now();
    await this.handOutIdentities(from, now);
    await this.handOutDoubts(now);
    await this.repeatAbandoned();
    await this.parts.jobs.add('follows.settle', 'all', {});
    const at = after(now, SWEEP_EVERY_MS);
    const hourOf = (time: Date): number => Math.floor(time.getTime() / WHOLE_EVERY_MS);
    return { at, payload: { from: hourOf(at) > hourOf(now) ? new Date(0) : now } };
  }

  private async handOutIdentities(from: Date, now: Date): Promise<void> {
    const { fans, jobs } = this.parts;
    for await (const due of fans.identities.due(from, now, NETWORKS.length * FANS_A_JOB)) {
      // Whom nobody has checked yet: their job was never made, because a process died.
      for (const { fan, network } of due.filter(({ checkedAt }) => checkedAt === null))
        await this.check(fan, network);
      const rechecks = NETWORKS.flatMap((network) => {
        const mine = due
          .filter((identity) => identity.checkedAt !== null && identity.network === network)
          .map(({ fan }) => fan);
        return [...inPieces(mine, FANS_A_JOB)].map((some) => ({
          name: `${network}|${some[0] ?? ''}`,
          payload: { network, fans: some, at: now } satisfies RecheckJob,
        }));
      });
      await jobs.addMany('follows.recheck', rechecks);
    }
  }

  private async handOutDoubts(now: Date): Promise<void> {
    const ripe = await this.parts.settling.claimRipe(now, RIPE_A_SWEEP);
    const rechecks = new Map(
      ripe.map(({ fan, network }) => [
        `${network}|${fan}`,
        { network: network as NetworkId, fans: [fan], at: now } satisfies RecheckJob,
      ]),
    );
    await this.parts.jobs.addMany(
      'follows.recheck',
      [...rechecks].map(([name, payload]) => ({ name, payload })),
    );
  }

  private async repeatAbandoned(): Promise<void> {
    for (const abandoned of await this.parts.checkLeases.abandoned(RIPE_A_SWEEP)) {
      await this.check(abandoned.fan, abandoned.network, abandoned.only);
      await this.parts.checkLeases.markChased(abandoned);
    }
  }

  /** Adds a check in the background; what fans wait for goes before it. */
  private check(fan: string, network: string, only?: string[], at?: Date): Promise<string> {
    return this.parts.checkJobs.add(
      { fan, network: network as NetworkId, ...(only ? { only } : {}) },
      { priority: -1, ...(at ? { at } : {}) },
    );
  }

  /**
   * Checks what these fans hold on a network under `confirmed`, or held until lately, many at once,
   * and notes when each is to be checked again: in twelve hours, or in a quarter of an hour where
   * an outage or a limit left no answer. Whoever is not reached when `signal` ends it stays due; a
   * job that is done a second time, or whose fans were handed out in another one too, goes on with
   * the others. Throws what the store throws.
   */
  async recheck({ network, fans: handed, at }: RecheckJob, signal?: AbortSignal): Promise<void> {
    const { checks, clock, fans } = this.parts;
    const now = clock.now();
    const done = at ? await fans.identities.checkedSince(handed, network, at) : new Set<string>();
    const rest = handed.filter((fan) => !done.has(fan));
    const held = await this.heldAccounts(rest, network, now);
    const [answered, unheard]: [string[], string[]] = [[], []];
    const work = async (): Promise<void> => {
      for (let fan = rest.pop(); fan !== undefined && !signal?.aborted; fan = rest.pop()) {
        const accounts = held.get(fan) ?? [];
        const retry =
          accounts.length > 0 ? unanswered(await checks.checkLinked(fan, network, accounts)) : [];
        const isUnheard = retry.length > 0 && retry.length === accounts.length;
        (isUnheard ? unheard : answered).push(fan);
        // Where only some were answered, those are not checked a second time.
        if (retry.length > 0 && !isUnheard)
          await this.check(fan, network, retry, after(now, RETRY_MS));
      }
    };
    const workers = await Promise.allSettled(Array.from({ length: CHECKS_AT_ONCE }, work));
    if (answered.length > 0)
      await fans.identities.checked(answered, network, now, after(now, CHECK_EVERY_MS));
    if (unheard.length > 0)
      await fans.identities.checked(unheard, network, now, after(now, RETRY_MS));
    for (const worker of workers) if (worker.status === 'rejected') throw worker.reason;
    signal?.throwIfAborted();
  }

  /** The accounts whose deeds are to be checked again, by fan. */
  private async heldAccounts(
    fans: string[],
    network: NetworkId,
    now: Date,
  ): Promise<Map<string, VerifiedAccount[]>> {
    const { points, registry, networks } = this.parts;
    const [deeds, accounts] = await Promise.all([points.deeds(fans), registry.verified(network)]);
    const byDeed = new Map(accounts.map((account) => [accountDeed(networks, account), account]));
    return new Map(
      [...deeds].map(([fan, states]) => [
        fan,
        [...states].flatMap(([deed, state]) => {
          const account = byDeed.get(deed);
          return account && isRechecked(state, now) ? [account] : [];
        }),
      ]),
    );
  }

  /**
   * Settles what was left half-way, and gives what waited for its day. What fails is due again
   * later and keeps nobody else waiting; the first failure is thrown when all is tried. Ends early
   * when `signal` says so: the rest waits on.
   */
  async settle(signal?: AbortSignal): Promise<void> {
    const { doubts, settling, clock } = this.parts;
    const failures: unknown[] = [];
    const settleAll = async <T>(
      claim: (now: Date) => Promise<T[]>,
      settle: (claimed: T) => Promise<unknown>,
    ): Promise<void> => {
      let claimed = await claim(clock.now());
      while (claimed.length > 0) {
        for (const settled of await Promise.allSettled(claimed.map(settle)))
          if (settled.status === 'rejected') failures.push(settled.reason);
        signal?.throwIfAborted();
        claimed = await claim(clock.now());
      }
    };
    await settleAll(
      (now) => doubts.claimLost(now, SETTLED_AT_ONCE),
      (doubt) => settling.settleLost(doubt),
    );
    await settleAll(
      (now) => doubts.claimDue(now, SETTLED_AT_ONCE),
      (doubt) => settling.settleDue(doubt),
    );
    if (failures.length > 0) throw failures[0] as Error;
  }
}
