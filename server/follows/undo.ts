import { VillageError } from '../errors.js';
import type { Networks } from '../networks/service.js';
import type { Clock } from '../platform/clock.js';
import type { DeedState, Outcome, Points } from '../points/service.js';
import type { Registry, VerifiedAccount } from '../registry/service.js';
import type { CheckJobs } from './check-jobs.js';
import type { Checks } from './checks.js';
import type { LedgerCommands } from './commands.js';
import { accountDeed } from './deeds.js';
import { heldUnder, isHeld } from './deed-states.js';
import type { Doubts } from './doubts.js';
import type { Evidence } from './evidence.js';
import { isLate, requireAccount, type FollowAct } from './follow-act.js';
import type { FollowResult, Results } from './results.js';
import type { Settling } from './settling.js';

/** What `Undo` is built of. */
export interface UndoParts {
  registry: Registry;
  networks: Networks;
  points: Points;
  doubts: Doubts;
  evidence: Evidence;
  clock: Clock;
  checks: Checks;
  checkJobs: CheckJobs;
  commands: LedgerCommands;
  results: Results;
  settling: Settling;
}

/**
 * The fan says "I follow no more" (LEDGER 4).
 * - It needs a verified account, and the deed at the turn that the caller last saw.
 * - What still waits for its day is taken off; a deed that is not held stays as it is.
 * - The card of the deed's last give decides, not the one in force now: under `hub` the point goes
 *   at once; under `confirmed` the network is asked, its `no` takes back at once, its `yes` is
 *   `still_following`, no answer changes nothing and is asked for again.
 */
export class Undo {
  constructor(private readonly parts: UndoParts) {}

  /**
   * Takes the deed back where that may be, and answers how it stands. Throws `account_not_found`,
   * `which_account`, `not_verified`, `not_linked`, `still_following`.
   */
  async run(act: FollowAct): Promise<FollowResult> {
    const { registry, networks, results } = this.parts;
    const account = await requireAccount(registry, act);
    const deed = accountDeed(networks, account);
    let state = await this.stateOf(act.fan, deed);
    if (!isHeld(state) && !isLate(act, state)) {
      const wasWaiting = await this.undoWaiting(act.fan, deed);
      // What waited may have been given between the two looks.
      state = await this.stateOf(act.fan, deed);
      if (wasWaiting) return results.standing(act.fan, state);
    }
    if (!isHeld(state) || isLate(act, state)) return results.standing(act.fan, state);
    return heldUnder(state) === 'hub'
      ? this.takeBackAtOnce(act, deed, state)
      : this.askNetwork(act, account, state);
  }

  /** Takes off a give that waits; one whose day has come is settled, and the undo behind it. */
  private async undoWaiting(fan: string, deed: string): Promise<boolean> {
    const undone = await this.parts.doubts.undo(fan, deed);
    if (undone && undone !== 'cancelled') await this.parts.settling.settleDue(undone);
    return undone !== null;
  }

  /** Under `hub`: the fan's word is enough. */
  private async takeBackAtOnce(
    act: FollowAct,
    deed: string,
    held: DeedState,
  ): Promise<FollowResult> {
    const outcome = await this.takeBack(act.fan, deed, held, { askedAt: this.parts.clock.now() });
    return this.parts.results.afterCommand('no', outcome, act.language);
  }

  /**
   * Under `confirmed`: the network's `no` takes back at once, its `yes` refuses; anything else
   * changes nothing, and a job checks again.
   */
  private async askNetwork(
    act: FollowAct,
    account: VerifiedAccount,
    held: DeedState,
  ): Promise<FollowResult> {
    const { checks, checkJobs, results } = this.parts;
    const { fan } = act;
    const { network } = account;
    const { verdict, askedAt } = await checks.checkNow(fan, account);
    if (verdict === 'yes')
      throw new VillageError('still_following', { network }, { open: account.url });
    if (verdict !== 'no')
      return {
        ...(await results.unchanged(fan, held.turn, verdict)),
        job: await checkJobs.addSoon(fan, network),
      };
    return this.takeBackDenied(act, account, held, askedAt);
  }

  /** Takes back on the network's `no`, which is kept as evidence. */
  private async takeBackDenied(
    act: FollowAct,
    account: VerifiedAccount,
    held: DeedState,
    askedAt: Date,
  ): Promise<FollowResult> {
    const { evidence, doubts, results, networks } = this.parts;
    const { fan, language } = act;
    const deed = accountDeed(networks, account);
    const document = evidence.document(fan, account.network, [
      { account: account.accountId, verdict: 'no', askedAt },
    ]);
    await evidence.keep(document);
    const outcome = await this.takeBack(fan, deed, held, { askedAt, evidence: document._id });
    // The check has recorded this no as a doubt: it ends with the turn.
    await doubts.end(fan, deed, outcome.turn);
    return results.afterCommand('no', outcome, language);
  }

  private takeBack(
    fan: string,
    deed: string,
    { turn, card }: DeedState,
    how: { askedAt: Date; evidence?: string },
  ): Promise<Outcome> {
    const { points, commands } = this.parts;
    return points.record(commands.take({ fan, deed, turn: turn + 1, cause: 'undo', card, ...how }));
  }

  private async stateOf(fan: string, deed: string): Promise<DeedState | undefined> {
    return (await this.parts.points.turns(fan, [deed])).get(deed);
  }
}
