import type { Types } from 'mongoose';
import type { Written } from './award.js';
import type { Command, Outcome } from './command.js';

/** Commands of one fan that were submitted together and wait for a flush, or are in one. */
export interface Submission {
  fan: string;
  commands: Command[];
  /**
   * When they came, by the hub's clock in ms; earlier if the clock was set back since. None of
   * their entries bears an earlier instant.
   */
  since: number;
  /** Until when they are tried, in ms of a clock that is never set (`performance.now`). */
  until: number;
  /** The outcome of each command, null until it is known. */
  outcomes: (Outcome | null)[];
  /**
   * For each command every entry that was ever sent for it. Whichever of them is found in the store
   * later was ours.
   */
  attempts: Attempt[][];
  resolve: (outcomes: Outcome[]) => void;
  reject: (error: unknown) => void;
}

/** An entry to be sent for a command of a submission. */
export interface Attempt extends Written {
  submission: Submission;
  /** Which command of the submission it is for. */
  index: number;
  /** The record's id in the store, which tells it from an equal entry of another process. */
  id: Types.ObjectId;
}

/** The outcome of a command for which nothing is written. */
export interface Answer {
  submission: Submission;
  index: number;
  outcome: Outcome;
}

/** Whether every command has its outcome. */
export const isSettled = ({ outcomes }: Submission): boolean =>
  outcomes.every((outcome) => outcome !== null);

/** The commands that have no outcome yet. */
export const openCommands = ({ commands, outcomes }: Submission): Command[] =>
  commands.filter((_command, index) => !outcomes[index]);

/** Gives commands the outcomes that need no entry. */
export function answer(answers: readonly Answer[]): void {
  for (const { submission, index, outcome } of answers) submission.outcomes[index] = outcome;
}
