import { VillageError } from '../errors.js';
import type { Card, Cards } from '../networks/cards.js';
import type { Networks } from '../networks/service.js';
import type { Clock } from '../platform/clock.js';
import {
  isGive,
  LAST_FREE_TURN,
  type DeedState,
  type Outcome,
  type Points,
} from '../points/service.js';
import type { Registry, VerifiedAccount } from '../registry/service.js';
import type { RelatedDeeds } from './related.js';
import type { CheckJobs } from './check-jobs.js';
import type { CheckResult } from './check-result.js';
import type { Checks } from './checks.js';
import type { LedgerCommands } from './commands.js';
import { accountDeed } from './deeds.js';
import { turnOf } from './deed-states.js';
import type { Doubts } from './doubts.js';
import { isLate, requireAccount, type FollowAct } from './follow-act.js';
import type { FollowResult, Results } from './results.js';
import type { Settling } from './settling.js';

/** What `Confirm` is built of. */
export interface ConfirmParts {
  registry: Registry;
  cards: Cards;
  networks: Networks;
  points: Points;
  doubts: Doubts;
  clock: Clock;
  related: RelatedDeeds;
  checks: Checks;
  checkJobs: CheckJobs;
  commands: LedgerCommands;
  results: Results;
  settling: Settling;
}

/**
 * The fan says "I follow" (LEDGER 4).
 * - It needs a verified account that is not the fan's own, a card in force that lets its deed earn,
 *   under `confirmed` a link, and the deed at the turn that the caller last saw.
 * - Under `hub` the act on the hub's own page is the deed, and recorded at once.
 * - Under `confirmed` the network is asked: its `yes` gives, its `no` says where to follow, no
 *   answer changes nothing and is asked for again.
 * - The same again answers the same with `awarded: 0`.
 */
export class Confirm {
  constructor(private readonly parts: ConfirmParts) {}

  /**
   * Records the act, or asks the network about it, and answers what came of it. Throws
   * `account_not_found`, `which_account`, `not_verified`, `card_off`, `not_linked`, `own_account`,
   * `not_supported`.
   */
  async run(act: FollowAct): Promise<FollowResult> {
    const { registry, cards, networks } = this.parts;
    const account = await requireAccount(registry, act);
    const { network } = account;
    const card = await cards.require(network, networks.adapter(network).accountDeed);
    return card.mode === 'hub' ? this.recordAct(act, account, card) : this.askNetwork(act, account);
  }

  /** Under `hub`: records the act. A give above a limit waits for its day. */
  private async recordAct(
    act: FollowAct,
    account: VerifiedAccount,
    card: Card,
  ): Promise<FollowResult> {
    const { doubts, commands, results } = this.parts;
    const outcome = await this.give(act, account, card);
    const { turn, limited } = outcome;
    // The ledger refuses fans their own account: whose it is, is only asked about a give that came
    // to nothing. Else the account or its card changed under our hands.
    if (outcome.dropped)
      throw (await this.isOwn(act, account))
        ? new VillageError('own_account')
        : new VillageError('not_verified', { network: account.network });
    if (limited) {
      const give = { fan: act.fan, account, card, cause: 'hub_click' } as const;
      await doubts.wait(commands.waiting(give, turn + 1, limited));
    }
    const isHeld = isGive(turn);
    return results.afterCommand(isHeld || limited ? 'yes' : 'no', outcome, act.language);
  }

  /**
   * Gives the deed, unless it has moved on since the caller saw it. What an undo before it left
   * half-way is settled first, so that the later act is the one that counts.
   */
  private async give(act: FollowAct, account: VerifiedAccount, card: Card): Promise<Outcome> {
    const { points, doubts, networks, clock, commands, settling } = this.parts;
    const { fan } = act;
    const related = await this.parts.related.deedsFor(account.athlete.id);
    const record = (seen: number | undefined): Promise<Outcome> =>
      points.record(
        commands.give({
          fan,
          account,
          card,
          cause: 'hub_click',
          askedAt: clock.now(),
          seen,
          related,
        }),
      );
    const outcome = await record(act.turn);
    if (outcome.turn <= LAST_FREE_TURN) return outcome;
    const undone = await doubts.findUndone(fan, accountDeed(networks, account));
    if (!undone || undone.turn > outcome.turn) return outcome;
    await settling.settleDue(undone);
    return record(undefined);
  }

  /** Under `confirmed`: asks the network, whose answer the check has applied when it is here. */
  private async askNetwork(act: FollowAct, account: VerifiedAccount): Promise<FollowResult> {
    const { checks, results } = this.parts;
    const { fan, language } = act;
    // No call is spent on asking a network about a fan's own account.
    const [isOwn, state] = await Promise.all([
      this.isOwn(act, account),
      act.turn === undefined ? undefined : this.stateOf(act, account),
    ]);
    if (isOwn) throw new VillageError('own_account');
    if (isLate(act, state)) return results.standing(fan, state);
    const checked = await checks.checkNow(fan, account);
    const { verdict, outcome, turn } = checked;
    if (verdict === 'unknown') return this.checkLater(act, account);
    requireGivable(checked, account);
    const result = outcome
      ? await results.afterCommand(verdict, outcome, language)
      : await results.unchanged(fan, turn, verdict);
    return verdict === 'no' ? { ...result, open: account.url } : result;
  }

  /** No answer came: nothing changes, and a job checks again. */
  private async checkLater(act: FollowAct, account: VerifiedAccount): Promise<FollowResult> {
    const { checkJobs, results } = this.parts;
    const turn = turnOf(await this.stateOf(act, account));
    return {
      ...(await results.unchanged(act.fan, turn, 'unknown')),
      job: await checkJobs.addSoon(act.fan, account.network),
    };
  }

  private async stateOf(
    { fan }: FollowAct,
    account: VerifiedAccount,
  ): Promise<DeedState | undefined> {
    const deed = accountDeed(this.parts.networks, account);
    return (await this.parts.points.turns(fan, [deed])).get(deed);
  }

  private isOwn({ fan }: FollowAct, account: VerifiedAccount): Promise<boolean> {
    return this.parts.registry.owns(fan, account.athlete.id);
  }
}

/**
 * Throws `not_supported` where the network cannot tell, `not_verified` where the account, its card
 * or the link changed while it was asked.
 */
function requireGivable({ verdict, outcome }: CheckResult, { network }: VerifiedAccount): void {
  if (verdict === 'unsupported') throw new VillageError('not_supported', { network });
  if (outcome?.dropped) throw new VillageError('not_verified', { network });
}
