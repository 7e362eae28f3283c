import { VillageError } from '../errors.js';
import { NETWORKS, type NetworkId } from '../networks/network.js';
import type { Jobs } from '../platform/jobs.js';
import type { VerifiedAccount } from '../registry/service.js';
import { deedOf, heldUnder, type Applied, type Asking, type AskingParts } from './asking.js';

/** The payload of the job `follows.ask`: fans whose held deeds on a network are asked about. */
export interface AskJob {
  network: NetworkId;
  fans: string[];
}
/** The payload of the job `follows.sweep`: from when on identities that came due are still to be handed out. */
export interface SweepJob {
  from: Date;
}
export type SweepParts = AskingParts & { jobs: Jobs };

/** How long after an asking held deeds are asked about again. */
export const CHECK_EVERY_MS = 12 * 3_600_000;
/** Limits of networks pass within a quarter of an hour. */
export const AGAIN_MS = 15 * 60_000;
const SWEEP_EVERY_MS = 60_000;
/** Every so often whatever is due is handed out, also what a job that was given up has left. */
const WHOLE_EVERY_MS = 3_600_000;
/** Fans of one job: enough to share the reads, few enough that a killed worker repeats little. */
const FANS_A_JOB = 100;
/** Askings of one job that are under way at once. More would only queue before the store, and a fan's own check with them. */
const AT_ONCE = 8;
const RIPE = 1000;
/** Reasons for no answer that pass by themselves. */
const PASSING: ReadonlySet<string | null> = new Set(['rate_limited', 'network_down', 'error', 'token_revoked']);
/** Whether an outage or a limit left no answer, so that asking again soon may bring one. */
export const passes = (one: Applied): boolean => one.verdict === 'unknown' && PASSING.has(one.reason);

/** Asking again: finds what is due and hands it out as many small jobs, which any number of workers share. */
export class Sweep {
  constructor(
    private readonly parts: SweepParts,
    private readonly asking: Asking,
  ) {}

  /**
   * Hands out whose deeds are to be asked about: identities that came due since `from`, and doubts that are ripe. An identity is handed
   * out once each time it comes due, and no write is needed to know that. Answers from when on the next sweep hands out, and when that is.
   */
  async hand({ from }: SweepJob): Promise<{ at: Date; payload: SweepJob }> {
    const { fans, doubts, jobs, clock } = this.parts;
    const now = clock.now();
    for await (const due of fans.identities.due(from, now, NETWORKS.length * FANS_A_JOB)) {
      // Whom nobody has asked about yet: their job was never made, because a process died.
      for (const { fan, network } of due.filter((one) => one.checkedAt === null))
        await jobs.add('follows.check', `${fan}|${network}`, { fan, network }, { priority: -1 });
      const asks = NETWORKS.flatMap((network) => {
        const of = due.filter((one) => one.checkedAt !== null && one.network === network).map((one) => one.fan);
        return Array.from({ length: Math.ceil(of.length / FANS_A_JOB) }, (_x, n) => of.slice(n * FANS_A_JOB, (n + 1) * FANS_A_JOB)).map((some) => ({
          name: `${network}|${some[0] ?? ''}`,
          payload: { network, fans: some } satisfies AskJob,
        }));
      });
      await jobs.addMany('follows.ask', asks);
    }
    const ripe = new Map((await doubts.ripe(now, RIPE)).map((one) => [`${one.network}|${one.fan}`, one]));
    await jobs.addMany(
      'follows.ask',
      [...ripe].map(([name, one]) => ({ name, payload: { network: one.network as NetworkId, fans: [one.fan] } satisfies AskJob })),
    );
    await jobs.add('follows.give', 'all', {});
    const hours = Math.floor(now.getTime() / WHOLE_EVERY_MS);
    const next = new Date(now.getTime() + SWEEP_EVERY_MS);
    return { at: next, payload: { from: Math.floor(next.getTime() / WHOLE_EVERY_MS) > hours ? new Date(0) : now } };
  }

  /**
   * Asks about what these fans hold on a network under `confirmed`, many at once, and says when each is to be asked about again: in twelve
   * hours, or soon where an outage or a limit left no answer. What is not asked when `signal` ends it stays due. Throws what the store throws.
   */
  async ask({ network, fans }: AskJob, signal?: AbortSignal): Promise<void> {
    const { points, registry, clock, fans: people } = this.parts;
    const kind = this.asking.kind(network);
    const [held, accounts] = await Promise.all([points.held(fans), registry.verified(network)]);
    const byDeed = new Map(accounts.map((one) => [deedOf(kind, one), one]));
    const [asked, open]: [string[], string[]] = [[], []];
    const rest = [...fans];
    const one = async (): Promise<void> => {
      for (let fan = rest.pop(); fan !== undefined && !signal?.aborted; fan = rest.pop()) {
        const mine: VerifiedAccount[] = [];
        for (const [deed, state] of held.get(fan) ?? []) {
          const account = byDeed.get(deed);
          if (account && heldUnder(state) === 'confirmed') mine.push(account);
        }
        const answers = mine.length > 0 ? await this.answers(fan, network, mine) : [];
        (answers.some(passes) ? open : asked).push(fan);
      }
    };
    const done = await Promise.allSettled(Array.from({ length: AT_ONCE }, one));
    const now = clock.now();
    if (asked.length > 0) await people.identities.checked(asked, network, now, new Date(now.getTime() + CHECK_EVERY_MS));
    if (open.length > 0) await people.identities.checked(open, network, now, new Date(now.getTime() + AGAIN_MS));
    for (const each of done) if (each.status === 'rejected') throw each.reason;
    signal?.throwIfAborted();
  }

  private async answers(fan: string, network: NetworkId, accounts: VerifiedAccount[]): Promise<Applied[]> {
    try {
      return [...(await this.asking.ask(fan, network, accounts)).values()];
    } catch (error) {
      // Not linked any more, or refused for a reason that a later asking meets again: nothing to repeat now.
      if (error instanceof VillageError && error.status < 500) return [];
      throw error;
    }
  }
}
