import type { FollowResult } from './results.js';
import type {
  CheckAnswer,
  FollowAnswer,
  TakingAnswer,
  TakingLimitsAnswer,
  TakingListAnswer,
} from './schema.js';
import { BY_LIMIT, type TakeBackLimits } from './take-back-limit.js';
import type { TakeBackState } from './take-backs.js';

/** What came of following or undoing, as the API tells it. */
export function presentFollow({ waitsUntil, ...result }: FollowResult): FollowAnswer {
  return { ...result, ...(waitsUntil ? { waitsUntil: waitsUntil.toISOString() } : {}) };
}

/** The notice that a page shows of what came of following: a name of `follows.notice`. */
export function followNotice({ waitsUntil, awarded, unlocked, verdict }: FollowResult): string {
  if (waitsUntil) return 'waits';
  if (awarded) return unlocked.length > 0 ? 'unlocked' : 'awarded';
  if (verdict === 'yes') return 'already';
  return verdict === 'no' ? 'no' : 'unknown';
}

/** The same of undoing. */
export const undoNotice = (result: FollowResult): string =>
  result.verdict === 'no' ? 'undone' : followNotice(result);

/** The jobs of a check that was asked for, the first one by itself. */
export const presentCheck = (job: string, more: string[]): CheckAnswer => ({
  job,
  ...(more.length > 0 ? { jobs: [job, ...more] } : {}),
});

/** A network whose take-backs staff look at, as the API tells it. */
export function presentTaking({ network, stop, release, ripe }: TakeBackState): TakingAnswer {
  return {
    network,
    stopped: stop && { ...stop, at: stop.at.toISOString() },
    released: release && { ...release, at: release.at.toISOString() },
    waiting: ripe,
  };
}

/** All networks and their limits. */
export const presentTakingList = (
  states: TakeBackState[],
  limits: TakingLimitsAnswer,
): TakingListAnswer => ({ items: states.map(presentTaking), limits });

/** Something wrong with a form of the page: on a network's form, or else on that of the limits. */
export interface WrongForm {
  message: string;
  network?: string;
  /** The reason that was typed there. */
  reason?: string;
}

/** The ids of the people that the page of take-backs names. */
export const peopleIn = (states: TakeBackState[]): string[] => [
  ...new Set(
    states
      .flatMap(({ log, release }) => [...log.map(({ by }) => by), ...(release ? [release.by] : [])])
      .filter((by) => by !== BY_LIMIT),
  ),
];

/** The view of the page of take-backs. `names` are the people in it, by id. */
export function takingView(
  states: TakeBackState[],
  limits: TakeBackLimits,
  names: ReadonlyMap<string, string>,
  wrong: WrongForm | null,
): object {
  return {
    wrong: wrong && !wrong.network ? wrong.message : null,
    percent: Math.round(limits.share * 10_000) / 100,
    least: limits.least,
    networks: states.map(({ network, stop, release, ripe, log }) => {
      const isWrong = wrong?.network === network;
      return {
        network,
        stop,
        release: release && { ...release, by: names.get(release.by) },
        ripe,
        wrong: isWrong ? wrong.message : null,
        reason: isWrong ? wrong.reason : '',
        log: log.map(({ at, act, reason, by }) => ({
          at,
          act: act.split('.').at(-1),
          reason,
          // The limit itself is nobody who could be named.
          by: by === BY_LIMIT ? null : names.get(by),
        })),
      };
    }),
  };
}
