/**
 * What is not settled about a deed (LEDGER 4).
 * - `asked`: the network said no once.
 * - `held`: it said yes, which outdates every no of an earlier check.
 * - `lost`: it said no twice, far enough apart; the even turn is being settled.
 * - `waiting`: a give above a limit waits for its day.
 * - `due`: its day has come; the odd turn is being settled.
 */
export type DoubtState = 'asked' | 'held' | 'lost' | 'waiting' | 'due';

/** What decides about the changes of a doubt. */
export interface Doubt {
  /**
   * The turn that is in doubt or waited for. A doubt ends with its turn: once the ledger has it,
   * there is nothing left to doubt.
   */
  turn: number;
  state: DoubtState;
  /**
   * When the network was asked for the first no; in state `lost`, for the second. It measures the
   * patience and orders nothing.
   */
  askedAt: Date | null;
  /**
   * The rounds (`CheckLease.round`) of the checks that brought the first no and the last yes. They
   * tell what came first, whatever clocks say (RELIABILITY F16).
   */
  noRound: number | null;
  yesRound: number | null;
  /** The fan undid a give whose day had come: the turn after it is to be settled too. */
  undone: boolean;
}

/** One answer of a network about a held deed. */
export interface Heard {
  /** The even turn that would take the deed back. */
  turn: number;
  askedAt: Date;
  /** The round of the check that brought the answer: later checks have higher ones. */
  round: number;
}

/** A doubt that a change may start from. */
export interface From {
  states: readonly DoubtState[];
  /** Its turn, compared with the one that the change is about. */
  turn: 'earlier' | 'same' | 'not later' | 'any';
  /** Only if the check is later than the last such answer; otherwise that answer wins. */
  after?: 'no' | 'yes';
  /** The fan has not undone the give. */
  unlessUndone?: true;
}

/** A change of a doubt: where it starts, and the state it leads to, null where the doubt ends. */
export interface DoubtChange {
  from: readonly From[];
  to: DoubtState | null;
  /** Whether it also begins a doubt where there is none. */
  begins?: true;
}

/**
 * Every change that a doubt may undergo. One that finds the doubt in another state has nothing to
 * do. All are made by compare-and-set, before the ledger is called.
 */
export const CHANGES = {
  /** A first no about this turn. It is ignored when a later check brought a yes. */
  deny: {
    from: [
      { states: ['asked', 'held', 'lost'], turn: 'earlier', after: 'yes' },
      { states: ['held'], turn: 'same', after: 'yes' },
    ],
    to: 'asked',
    begins: true,
  },
  /** A second no of a later check: it counts only when `isSecondNo` finds it late enough. */
  lose: { from: [{ states: ['asked'], turn: 'same', after: 'no' }], to: 'lost' },
  /** A yes outdates every no of an earlier check, but none whose loss is being settled. */
  confirm: {
    from: [
      { states: ['asked'], turn: 'not later', after: 'no' },
      { states: ['held'], turn: 'not later', after: 'yes' },
      { states: ['lost'], turn: 'earlier' },
    ],
    to: 'held',
    begins: true,
  },
  /** A limit holds a give back. One whose day has come is not held back a second time. */
  wait: {
    from: [
      { states: ['asked', 'held', 'lost', 'waiting'], turn: 'any' },
      { states: ['due'], turn: 'earlier' },
    ],
    to: 'waiting',
    begins: true,
  },
  /** The day of a give has come. `due` ones were left by a process that died: settling repeats. */
  fallDue: { from: [{ states: ['waiting', 'due'], turn: 'any' }], to: 'due' },
  /** A limit holds a due give back after all: a clock was set back over midnight. */
  postpone: { from: [{ states: ['due'], turn: 'same', unlessUndone: true }], to: 'waiting' },
  /** The fan undoes a give that still waits. */
  cancel: { from: [{ states: ['waiting'], turn: 'any' }], to: null },
  /** The fan undoes a give that is being settled: it is marked, for the turn after it to follow. */
  markUndone: { from: [{ states: ['due'], turn: 'any' }], to: 'due' },
  /** The ledger has the turn, and nothing is to follow it. */
  settle: { from: [{ states: ['lost', 'due'], turn: 'same', unlessUndone: true }], to: null },
  /** The ledger has the turn and the undo behind it. */
  settleUndone: { from: [{ states: ['lost', 'due'], turn: 'same' }], to: null },
  /** The ledger has this turn by another way, or nobody can be asked about it any more. */
  end: { from: [{ states: ['asked', 'held', 'lost'], turn: 'not later' }], to: null },
} as const satisfies Record<string, DoubtChange>;

/** The name of a change of a doubt. */
export type ChangeName = keyof typeof CHANGES;

const turnFits = (turn: number, from: From, about: number): boolean =>
  from.turn === 'any' ||
  (from.turn === 'same' && turn === about) ||
  (from.turn === 'earlier' && turn < about) ||
  (from.turn === 'not later' && turn <= about);

/** Whether a doubt may undergo a change that is about this turn, and comes of this round. */
export function mayChange(
  doubt: Omit<Doubt, 'askedAt'>,
  change: ChangeName,
  { turn, round = Infinity }: { turn: number; round?: number },
): boolean {
  const rounds = { no: doubt.noRound, yes: doubt.yesRound };
  return (CHANGES[change].from as readonly From[]).some(
    (from) =>
      from.states.includes(doubt.state) &&
      turnFits(doubt.turn, from, turn) &&
      (!from.after || (rounds[from.after] ?? -Infinity) < round) &&
      !(from.unlessUndone && doubt.undone),
  );
}

/**
 * Whether a no is the second one that takes a point back: of a later check than the first, and
 * asked at least `patience` ms after it.
 */
export const isSecondNo = (doubt: Doubt, heard: Heard, patience: number): boolean =>
  mayChange(doubt, 'lose', heard) &&
  doubt.askedAt !== null &&
  doubt.askedAt.getTime() <= heard.askedAt.getTime() - patience;

/**
 * How long the network is left alone after it was asked again about a no, `tries` times before:
 * twice as long each time, from a twelfth of the patience up to all of it. So a doubt costs some
 * twenty questions at most before it is forgotten.
 */
export const restAfter = (tries: number, patience: number): number =>
  Math.min(patience, (patience / 12) * 2 ** Math.min(tries, 10));
