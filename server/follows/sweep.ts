import { VillageError } from '../errors.js';
import { NETWORKS, type NetworkId } from '../networks/network.js';
import type { Jobs } from '../platform/jobs.js';
import { inPieces } from '../platform/pieces.js';
import type { VerifiedAccount } from '../registry/service.js';
import { AGAIN_MS, isAskedAbout, passing, type Asking, type AskingParts } from './asking.js';
import { deedOf } from './deeds.js';
import type { Settling } from './settling.js';

/** The payload of the job `follows.check`. */
export interface CheckJob {
  fan: string;
  network: NetworkId;
  only?: string[];
  /** How often these were asked about before. */
  tries?: number;
}
/** The payload of the job `follows.ask`: fans whose held deeds on a network are asked about. */
export interface AskJob {
  network: NetworkId;
  fans: string[];
  /** When they were handed out: whoever was asked about since then is not asked about again. */
  at?: Date;
}
/**
 * The payload of the job `follows.sweep`: from when on identities that came due are still to be
 * handed out.
 */
export interface SweepJob {
  from: Date;
}
export type SweepParts = AskingParts & { asking: Asking; settling: Settling; jobs: Jobs };

/** How long after an asking held deeds are asked about again. */
export const CHECK_EVERY_MS = 12 * 3_600_000;
const SWEEP_EVERY_MS = 60_000;
/** Every so often whatever is due is handed out, also what a job that was given up has left. */
const WHOLE_EVERY_MS = 3_600_000;
/** Fans of one job: enough to share the reads, few enough that a killed worker repeats little. */
const FANS_A_JOB = 100;
/**
 * Askings of one job that are under way at once: what they ask of the store goes there together.
 */
const AT_ONCE = 32;
/** Doubts and abandoned askings of one sweep; what waits longest goes first. */
const RIPE = 1000;
/** Doubts that are settled together. */
const SETTLED_AT_ONCE = 200;

/**
 * Asking again and settling, by itself: finds what is due and hands it out as many small jobs,
 * which any number of workers share.
 */
export class Sweep {
  constructor(private readonly parts: SweepParts) {}

  /**
   * Hands out whose deeds are to be asked about: identities that came due since `from`, doubts that
   * are ripe, and askings that ended half-way. An identity is handed out once each time it comes
   * due, and no write is needed to know that. Answers from when on the next sweep hands out, and
   * when that is.
   */
  async hand({ from }: SweepJob): Promise<{ at: Date; payload: SweepJob }> {
    const { fans, settling, asks, jobs, clock } = this.parts;
    const now = clock.now();
    for await (const due of fans.identities.due(from, now, NETWORKS.length * FANS_A_JOB)) {
      // Whom nobody has asked about yet: their job was never made, because a process died.
      for (const { fan, network } of due.filter((one) => one.checkedAt === null))
        await this.check({ fan, network: network as NetworkId });
      const groups = NETWORKS.flatMap((network) => {
        const of = due
          .filter((one) => one.checkedAt !== null && one.network === network)
          .map((one) => one.fan);
        return [...inPieces(of, FANS_A_JOB)].map((some) => ({
          name: `${network}|${some[0] ?? ''}`,
          payload: { network, fans: some, at: now } satisfies AskJob,
        }));
      });
      await jobs.addMany('follows.ask', groups);
    }
    const ripe = new Map(
      (await settling.ripe(now, RIPE)).map((one) => [`${one.network}|${one.fan}`, one]),
    );
    await jobs.addMany(
      'follows.ask',
      [...ripe].map(([name, one]) => ({
        name,
        payload: { network: one.network as NetworkId, fans: [one.fan], at: now } satisfies AskJob,
      })),
    );
    for (const one of await asks.abandoned(RIPE)) {
      const { fan, network, only } = one;
      await this.check({ fan, network: network as NetworkId, ...(only ? { only } : {}) });
      await asks.chased(one);
    }
    await jobs.add('follows.settle', 'all', {});
    const hours = Math.floor(now.getTime() / WHOLE_EVERY_MS);
    const next = new Date(now.getTime() + SWEEP_EVERY_MS);
    return {
      at: next,
      payload: { from: Math.floor(next.getTime() / WHOLE_EVERY_MS) > hours ? new Date(0) : now },
    };
  }

  private check(job: CheckJob, at?: Date): Promise<string> {
    return this.parts.jobs.add('follows.check', `${job.fan}|${job.network}`, job, {
      priority: -1,
      ...(at ? { at } : {}),
    });
  }

  /**
   * Asks about what these fans hold on a network under `confirmed`, or held until lately, many at
   * once, and says when each is to be asked about again: in twelve hours, or in a quarter of an
   * hour where an outage or a limit left no answer. What is not asked when `signal` ends it stays
   * due, and a job that is done a second time, or whose fans were handed out in another one too,
   * goes on with the others. Throws what the store throws.
   */
  async ask({ network, fans: handed, at }: AskJob, signal?: AbortSignal): Promise<void> {
    const { asking, points, registry, clock, fans: people } = this.parts;
    const now = clock.now();
    const kind = asking.kind(network);
    const done = at ? await people.identities.checkedSince(handed, network, at) : new Set<string>();
    const fans = handed.filter((fan) => !done.has(fan));
    const [deeds, accounts] = await Promise.all([points.deeds(fans), registry.verified(network)]);
    const byDeed = new Map(accounts.map((one) => [deedOf(kind, one), one]));
    const [asked, unheard]: [string[], string[]] = [[], []];
    const rest = [...fans];
    const one = async (): Promise<void> => {
      for (let fan = rest.pop(); fan !== undefined && !signal?.aborted; fan = rest.pop()) {
        const mine: VerifiedAccount[] = [];
        for (const [deed, state] of deeds.get(fan) ?? []) {
          const account = byDeed.get(deed);
          if (account && isAskedAbout(state, now)) mine.push(account);
        }
        const again = mine.length > 0 ? await this.answers(fan, network, mine) : [];
        if (again.length === mine.length && again.length > 0) unheard.push(fan);
        else asked.push(fan);
        // Only some were answered: those are not asked about twice.
        if (again.length > 0 && again.length < mine.length)
          await this.check({ fan, network, only: again }, new Date(now.getTime() + AGAIN_MS));
      }
    };
    const ended = await Promise.allSettled(Array.from({ length: AT_ONCE }, one));
    if (asked.length > 0)
      await people.identities.checked(
        asked,
        network,
        now,
        new Date(now.getTime() + CHECK_EVERY_MS),
      );
    if (unheard.length > 0)
      await people.identities.checked(unheard, network, now, new Date(now.getTime() + AGAIN_MS));
    for (const each of ended) if (each.status === 'rejected') throw each.reason;
    signal?.throwIfAborted();
  }

  /** Asks, and answers which accounts an outage or a limit left without an answer. */
  private async answers(
    fan: string,
    network: NetworkId,
    accounts: VerifiedAccount[],
  ): Promise<string[]> {
    try {
      return passing(await this.parts.asking.askLinked(fan, network, accounts));
    } catch (error) {
      // Refused for a reason that a later asking meets again: nothing to repeat now.
      if (error instanceof VillageError && error.status < 500) return [];
      throw error;
    }
  }

  /**
   * Settles what was left half-way, and gives what waited for its day. What fails is due again
   * later and keeps nobody else waiting; the first failure is thrown when all is tried. Ends early
   * when `signal` says so: the rest waits on.
   */
  async settle(signal?: AbortSignal): Promise<void> {
    const { doubts, settling, clock } = this.parts;
    const failures: unknown[] = [];
    const each = async <T>(
      claim: (now: Date) => Promise<T[]>,
      act: (one: T) => Promise<unknown>,
    ): Promise<void> => {
      for (
        let found = await claim(clock.now());
        found.length > 0;
        found = await claim(clock.now())
      ) {
        for (const done of await Promise.allSettled(found.map(act)))
          if (done.status === 'rejected') failures.push(done.reason);
        signal?.throwIfAborted();
      }
    };
    await each(
      (now) => doubts.claimLost(now, SETTLED_AT_ONCE),
      (one) => settling.lost(one),
    );
    await each(
      (now) => doubts.claimDue(now, SETTLED_AT_ONCE),
      (one) => settling.due(one),
    );
    if (failures.length > 0) throw failures[0] as Error;
  }
}
