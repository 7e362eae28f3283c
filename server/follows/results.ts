import type { Verdict } from '../networks/network.js';
import { awardOf, type DeedState, type Outcome, type Points } from '../points/service.js';
import { isHeld, turnOf } from './deed-states.js';
import type { Unlocked, Unlocks } from './needs.js';

/** What came of following or undoing. */
export interface FollowResult {
  verdict: Verdict;
  awarded: 0 | 1;
  /** The turn that the deed stands at. */
  turn: number;
  points: number;
  medal: string | null;
  unlocked: Unlocked[];
  /** Where to follow, when the network says no. */
  open?: string;
  /** The job that checks again, when no answer came. */
  job?: string;
  /** From when a give held back by a limit will be given. */
  waitsUntil?: Date;
}

/** Tells what came of following or undoing, with the fan's points as they are now. */
export class Results {
  private unlocks: Unlocks | null = null;

  constructor(private readonly parts: { points: Points }) {}

  /** Sets who tells what an award opened. */
  onUnlock(unlocks: Unlocks): void {
    this.unlocks = unlocks;
  }

  /** The result of a command that the ledger has decided about. */
  async afterCommand(verdict: Verdict, outcome: Outcome, language: string): Promise<FollowResult> {
    const { entry, before, related, turn, limited } = outcome;
    const { points, medals } = outcome.head.after;
    const isAward = entry !== null && entry.delta > 0;
    return {
      verdict,
      awarded: isAward ? 1 : 0,
      turn,
      points,
      medal: medals['hub']?.[0] ?? null,
      unlocked: isAward
        ? ((await this.unlocks?.openedBy(awardOf([{ entry, before, related }]), language)) ?? [])
        : [],
      ...(limited ? { waitsUntil: limited } : {}),
    };
  }

  /** The result where nothing was written: how the deed stands. */
  standing(fan: string, state: DeedState | undefined): Promise<FollowResult> {
    return this.unchanged(fan, turnOf(state), isHeld(state) ? 'yes' : 'no');
  }

  /** The result where nothing was written and the network has its say. */
  async unchanged(fan: string, turn: number, verdict: Verdict): Promise<FollowResult> {
    const { points, medals } = (await this.parts.points.head(fan)).after;
    return {
      verdict,
      awarded: 0,
      turn,
      points,
      medal: medals['hub']?.[0] ?? null,
      unlocked: [],
    };
  }
}
