import type { NetworkId } from '../networks/network.js';
import type { Jobs } from '../platform/jobs.js';
import { AGAIN_MS, deedOf, isAskedAbout, passing, type Asking, type AskingParts } from './asking.js';
import type { Settling } from './settling.js';

/** The payload of the job `follows.check`. */
export interface CheckJob {
  fan: string;
  network: NetworkId;
  only?: string[];
  /** How often these were asked about before. */
  tries?: number;
}
export type RoundsParts = AskingParts & { asking: Asking; settling: Settling; jobs: Jobs };

const CHECK_EVERY_MS = 12 * 3_600_000;

/** Asking again, and settling, by itself. */
export class Rounds {
  constructor(private readonly parts: RoundsParts) {}

  /**
   * Settles what was left half-way, gives what waited for its day, and asks again: about deeds held under `confirmed` by identities not
   * asked for twelve hours, about no's that are ripe, about askings that ended half-way. What fails is due again later and keeps nobody
   * else waiting; the first failure is thrown when all is tried.
   */
  async sweep(limit: number): Promise<void> {
    const { fans, doubts, settling, clock, asks, jobs } = this.parts;
    const now = clock.now();
    const failures: unknown[] = [];
    const each = async <T>(found: T[], act: (one: T) => Promise<unknown>): Promise<void> => {
      for (const one of found)
        await act(one).catch((error: unknown) => {
          failures.push(error);
        });
    };
    const check = (job: CheckJob): Promise<string> => jobs.add('follows.check', `${job.fan}|${job.network}`, job);
    await each(await doubts.claimLost(now, limit), (one) => settling.lost(one));
    await each(await doubts.claimDue(now, limit), (one) => settling.due(one));
    await each(await fans.identities.unasked(new Date(now.getTime() - 60_000), limit), (one) => check({ fan: one.fan, network: one.network as NetworkId }));
    await each(await asks.abandoned(limit), (one) => check({ ...one, network: one.network as NetworkId }));
    const due = new Map<string, { fan: string; network: NetworkId }>();
    for (const { fan, network } of [...(await settling.ripe(now, limit)), ...(await fans.identities.due(new Date(now.getTime() - CHECK_EVERY_MS), limit))])
      due.set(`${fan}|${network}`, { fan, network: network as NetworkId });
    await each([...due.values()], ({ fan, network }) => this.askHeld(fan, network));
    if (failures.length > 0) throw failures[0] as Error;
  }

  /**
   * Asks about what a fan holds on a network, or held until lately, and marks the identity as asked. What an outage or a limit left
   * without an answer is asked about again in a quarter of an hour.
   */
  async askHeld(fan: string, network: NetworkId): Promise<void> {
    const { asking, points, registry, fans, clock, jobs } = this.parts;
    const now = clock.now();
    const deeds = await points.deeds(fan);
    const accounts = (await registry.verified(network)).filter((account) => isAskedAbout(deeds.get(deedOf(asking.kind(network), account)), now));
    let again = accounts.map((one) => one.accountId);
    try {
      if (accounts.length > 0) again = passing(await asking.askLinked(fan, network, accounts));
    } finally {
      // Marked also when it failed: one whom nobody can ask keeps no other from being asked.
      await fans.identities.checked(fan, network, now);
      if (again.length > 0)
        await jobs.add('follows.check', `${fan}|${network}`, { fan, network, only: again } satisfies CheckJob, new Date(now.getTime() + AGAIN_MS));
    }
  }
}
