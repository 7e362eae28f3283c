import { VillageError } from '../errors.js';
import type { Fans } from '../fans/service.js';
import type { Card, CardMode, Cards } from '../networks/cards.js';
import type { Answer, NetworkId, Reason, Verdict } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { Clock } from '../platform/clock.js';
import { inPieces } from '../platform/pieces.js';
import type { Cause, DeedState, Outcome, Points, Command } from '../points/service.js';
import type { Registry, VerifiedAccount } from '../registry/service.js';
import type { Asks } from './asks.js';
import type { Beside } from './beside.js';
import { deedOf } from './deeds.js';
import type { DoubtRecord, Doubts, Heard } from './doubts.js';
import type { Evidence } from './evidence.js';

export interface AskingParts {
  fans: Fans;
  cards: Cards;
  networks: Networks;
  registry: Registry;
  points: Points;
  asks: Asks;
  doubts: Doubts;
  evidence: Evidence;
  clock: Clock;
}
type Hear = (progress: { done: number; total: number; awarded: number }) => void;

/** How long an asking waits for another process that asks the same. */
const WAIT_MS = 2000;
const BATCH = 500;

/** The card as an entry names it: version and how deeds were confirmed under it. */
export const cardText = (card: Card): string => `${card.id}:${card.mode}`;
/** How a held deed was confirmed when it was given; null when it is not held. */
export const heldUnder = (state: DeedState | undefined): string | null =>
  state && state.turn % 2 === 1 ? (state.card.split(':')[1] ?? null) : null;

/** The card that each reason for a give needs; what is not named gives nothing. */
const NEEDS: Partial<Record<Cause, CardMode>> = { hub_click: 'hub', network_yes: 'confirmed' };

/**
 * For so long a deed that was taken back is asked about as if it were held: what a fan did again
 * while we were away is found.
 */
const RECENT_MS = 3 * 86_400_000;
/**
 * Whether asking again, by itself, is about a deed in this state: held under `confirmed`, or so
 * until lately.
 */
export function isAskedAbout(state: DeedState | undefined, now: Date): boolean {
  if (!state?.card.endsWith(':confirmed')) return false;
  return state.turn % 2 === 1 || Math.abs(now.getTime() - state.askedAt.getTime()) < RECENT_MS;
}

/** Limits of networks pass within a quarter of an hour. */
export const AGAIN_MS = 15 * 60_000;
/** Reasons for no answer that pass by themselves. */
const PASSING: ReadonlySet<Applied['reason']> = new Set<Applied['reason']>([
  'rate_limited',
  'network_down',
  'error',
  'token_revoked',
  'busy',
]);
/**
 * The accounts that an outage or a limit left without an answer, so that asking again soon may
 * bring one; with those `unknown` to it, if asked for.
 */
export const passing = (answers: ReadonlyMap<string, Applied>, unknown = false): string[] =>
  [...answers]
    .filter(
      ([, { verdict, reason }]) =>
        verdict === 'unknown' && (PASSING.has(reason) || (unknown && reason === 'not_found')),
    )
    .map(([account]) => account);

/**
 * What became of one answer: why there is none, the turn the deed stands at, and the entry if one
 * was written.
 */
export interface Applied {
  verdict: Verdict;
  /** `busy`: another process asks just now. */
  reason: Reason | 'busy' | null;
  askedAt: Date;
  turn: number;
  outcome: Outcome | null;
}
/** Nothing came back, or nobody could be asked. */
export const noAnswer = (askedAt: Date, reason: Applied['reason'] = 'error'): Applied => ({
  verdict: 'unknown',
  reason,
  askedAt,
  turn: 0,
  outcome: null,
});

/**
 * Asking networks about deeds, one asking at a time a fan and network, and what their answers mean
 * for the ledger.
 */
export class Asking {
  private readonly running = new Map<
    string,
    { accounts: Set<string>; done: Promise<Map<string, Applied>> }
  >();

  constructor(private readonly parts: AskingParts & { beside: Beside }) {}

  /** The deed that following an account of this network is. */
  kind(network: NetworkId): 'follow' | 'like' {
    return this.parts.networks.adapter(network).accountDeed;
  }

  /**
   * A wish to give an account's deed. Every give is made here, so every give is guarded by
   * `stands`.
   */
  give(
    fan: string,
    account: VerifiedAccount,
    card: Card,
    more: Pick<Command, 'askedAt'> & {
      cause: Cause;
      link?: string | null;
      evidence?: string | null;
      seen?: number | undefined;
      beside?: Command['beside'] | undefined;
    },
  ): Command {
    const { seen, link = null, evidence = null, cause, askedAt, beside } = more;
    return {
      fan,
      deed: deedOf(this.kind(account.network), account),
      want: 'give',
      ...{ cause, askedAt, link, evidence, card: cardText(card) },
      ...(seen === undefined ? {} : { seen }),
      ...(beside === undefined ? {} : { beside }),
      facts: {
        account: account.accountId,
        athlete: account.athlete.id,
        disciplines: account.athlete.disciplines,
      },
      stands: () => this.stands(fan, account, cardText(card), cause, link),
    };
  }

  /**
   * The wish of a give that waited, guarded by what it was decided under; null when that is not
   * known.
   */
  waited({ fan, deed, turn, network, wish }: DoubtRecord): Command | null {
    if (!wish) return null;
    const { account, athlete, disciplines, card, link, accountRecord, epoch } = wish;
    const cause = wish.cause as Cause;
    return {
      ...{
        fan,
        deed,
        want: { turn },
        cause,
        askedAt: this.parts.clock.now(),
        link,
        evidence: null,
        card,
      },
      facts: { account, athlete, disciplines },
      stands: () =>
        this.stands(
          fan,
          { id: accountRecord, network: network as NetworkId, epoch, athlete: { id: athlete } },
          card,
          cause,
          link,
        ),
    };
  }

  /**
   * The wish to take back one even turn. It names the card of the give before it, and no card that
   * holds now can hinder it.
   */
  take(
    fan: string,
    deed: string,
    turn: number,
    how: Pick<Command, 'cause' | 'askedAt' | 'card'> & {
      link?: string | null;
      evidence?: string | null;
    },
  ): Command {
    const { link = null, evidence = null, ...rest } = how;
    // An even turn keeps the facts of turn 1.
    return {
      fan,
      deed,
      want: { turn },
      ...rest,
      link,
      evidence,
      facts: { account: deed.split(':')[2] ?? '', athlete: '', disciplines: [] },
    };
  }

  /**
   * The one guard that no path awards past, asked when the ledger decides (LEDGER 4): the card is
   * still the one in force, it lets this deed earn, in the way that the give was confirmed; link
   * and epoch stand; the account is not the fan's own. All are read from the store, nothing from a
   * cache.
   */
  private async stands(
    fan: string,
    account: Pick<VerifiedAccount, 'id' | 'network' | 'epoch'> & { athlete: { id: string } },
    card: string,
    cause: Cause,
    link: string | null,
  ): Promise<boolean> {
    const [earns, now, linked] = await Promise.all([
      this.parts.registry.mayEarn(fan, account),
      this.parts.cards.current(account.network),
      link === null || this.parts.fans.identities.linkStands(fan, link),
    ]);
    const allows =
      now !== null &&
      cardText(now) === card &&
      now.deeds.includes(this.kind(account.network)) &&
      now.mode === NEEDS[cause];
    return earns && allows && linked && (now.mode !== 'confirmed' || link !== null);
  }

  /** A give above a limit waits for its day. */
  async hold(
    fan: string,
    account: VerifiedAccount,
    card: Card,
    outcome: Outcome,
    cause: Cause,
    link: string | null,
  ): Promise<void> {
    if (!outcome.limited) return;
    await this.parts.doubts.wait(
      fan,
      account.network,
      deedOf(this.kind(account.network), account),
      outcome.turn + 1,
      outcome.limited,
      {
        account: account.accountId,
        accountRecord: account.id,
        epoch: account.epoch,
        athlete: account.athlete.id,
        disciplines: account.athlete.disciplines,
        card: cardText(card),
        link,
        cause,
      },
    );
  }

  /**
   * Asks a network about accounts under the one lease of fan and network, and applies each batch as
   * it comes. A second caller in this process joins a running ask that covers what it wants. Throws
   * `not_linked`, also when the network dropped the fan's permission.
   */
  async ask(
    fan: string,
    network: NetworkId,
    accounts: VerifiedAccount[],
    hear?: Hear,
  ): Promise<Map<string, Applied>> {
    const key = `${fan}|${network}`;
    const now = this.running.get(key);
    if (now) {
      const covered = accounts.every((one) => now.accounts.has(one.accountId));
      const answers = await now.done.catch(() => null);
      const joined = covered && answers ? await this.joined(fan, answers, accounts) : null;
      return joined ?? this.ask(fan, network, accounts, hear);
    }
    const done = this.run(fan, network, accounts, hear).finally(() => {
      this.running.delete(key);
    });
    this.running.set(key, { accounts: new Set(accounts.map((one) => one.accountId)), done });
    return done;
  }

  /** Asks; a network that is not linked, or whose permission is gone, answers nothing. */
  askLinked(
    fan: string,
    network: NetworkId,
    accounts: VerifiedAccount[],
    hear?: Hear,
  ): Promise<Map<string, Applied>> {
    return this.ask(fan, network, accounts, hear).catch((error: unknown) => {
      if (error instanceof VillageError && error.id === 'not_linked')
        return new Map<string, Applied>();
      throw error;
    });
  }

  /**
   * What a running ask found, for one who joined it: what it gave is its own caller's to tell. Null
   * when it is too old for the joiner: it heard a yes, and the deed is not held all the same,
   * because it was taken back after the network had been asked.
   */
  private async joined(
    fan: string,
    answers: Map<string, Applied>,
    accounts: VerifiedAccount[],
  ): Promise<Map<string, Applied> | null> {
    const mine = accounts.map((one) => ({
      deed: deedOf(this.kind(one.network), one),
      found: answers.get(one.accountId),
    }));
    const counts = ({ verdict, outcome, turn }: Applied): boolean =>
      verdict === 'yes' &&
      (outcome !== null || turn % 2 === 1) &&
      !outcome?.limited &&
      !outcome?.dropped;
    const yes = mine.filter(({ found }) => found && counts(found)).map(({ deed }) => deed);
    const states = await this.parts.points.turns(fan, yes);
    if (yes.some((deed) => heldUnder(states.get(deed)) === null)) return null;
    return new Map(
      [...answers].map(([id, one]) => [
        id,
        { ...one, outcome: one.outcome && { ...one.outcome, entry: null } },
      ]),
    );
  }

  private async run(
    fan: string,
    network: NetworkId,
    accounts: VerifiedAccount[],
    hear?: Hear,
  ): Promise<Map<string, Applied>> {
    const usable = await this.parts.fans.identities.usable(fan, network);
    if (!usable) throw new VillageError('not_linked', { network });
    const applied = new Map<string, Applied>();
    const { tokens, identity } = usable;
    if (!tokens)
      return new Map(accounts.map((one) => [one.accountId, noAnswer(this.parts.clock.now())]));
    const ids = accounts.map((one) => one.accountId);
    const lease = await this.parts.asks.take(fan, network, ids, WAIT_MS);
    if (!lease) return new Map(ids.map((id) => [id, noAnswer(this.parts.clock.now(), 'busy')]));
    const byId = new Map(accounts.map((one) => [one.accountId, one]));
    let progress = { done: 0, total: accounts.length, awarded: 0 };
    let distrusted = false;
    // What comes while earlier answers are written is written next, together: the network is not
    // kept waiting for the store.
    let waiting: Answer[] = [];
    let writing: Promise<void> | null = null;
    let failure: Error | null = null;
    const write = async (): Promise<void> => {
      while (waiting.length > 0) {
        const answers = waiting;
        waiting = [];
        progress = { ...progress, done: progress.done + answers.length };
        distrusted ||= answers.some((one) => one.reason === 'token_revoked');
        // An answer whose lease was lost is dropped. Whoever holds it now may ask about other
        // accounts: these are to be asked about again.
        if (!(await lease.renew(progress))) {
          for (const { account, askedAt } of answers)
            if (byId.has(account)) applied.set(account, noAnswer(askedAt, 'busy'));
          continue;
        }
        for (const [id, one] of await this.apply(
          { fan, network, link: identity.link, round: lease.round, states, accounts: byId },
          answers,
        ))
          applied.set(id, one);
        progress = {
          ...progress,
          awarded: [...applied.values()].filter((one) => (one.outcome?.entry?.delta ?? 0) > 0)
            .length,
        };
        hear?.(progress);
      }
      writing = null;
    };
    let states = new Map<string, DeedState>();
    try {
      // Read before the network is asked: what it answers is then known to be newer than these
      // turns, by any clock.
      states = await this.parts.points.turns(
        fan,
        accounts.map((one) => deedOf(this.kind(network), one)),
      );
      await this.parts.networks.adapter(network).check({
        tokens,
        person: identity.networkId,
        accounts: ids,
        onAnswers: (answers) => {
          // A store that is away ends the asking: calls whose answers nobody can keep are not
          // spent.
          if (failure) throw failure;
          waiting.push(...answers);
          writing ??= write();
          writing.catch((error: unknown) => {
            failure = error instanceof Error ? error : new Error(String(error));
          });
        },
      });
      await (writing as Promise<void> | null);
      if (distrusted) await this.parts.fans.identities.distrust(identity, tokens);
    } finally {
      await lease.release(progress).catch(() => undefined);
    }
    return applied;
  }

  /** What a batch of answers means for the ledger (LEDGER 4). `unknown` changes nothing. */
  private async apply(
    { fan, network, link, round, states, accounts }: Asked,
    answers: Answer[],
  ): Promise<Map<string, Applied>> {
    const { points, doubts, cards, evidence } = this.parts;
    const kind = this.kind(network);
    const known = answers.filter((one) => accounts.has(one.account));
    const card = await cards.cached(network);
    const earns = card?.mode === 'confirmed' && card.deeds.includes(kind);
    const applied = new Map<string, Applied>();
    const gives: { answer: Answer; account: VerifiedAccount; seen: number }[] = [];
    const held = new Map<string, Heard>();
    const denied = new Map<string, Heard & { answer: Answer; card: string }>();
    for (const answer of known) {
      const account = accounts.get(answer.account) as VerifiedAccount;
      const deed = deedOf(kind, account);
      const state = states.get(deed);
      const { verdict, reason, askedAt } = answer;
      const turn = state?.turn ?? 0;
      applied.set(answer.account, { verdict, reason, askedAt, turn, outcome: null });
      const under = heldUnder(state);
      if (verdict === 'yes' && under !== null) held.set(deed, { turn, askedAt, round });
      // The ledger gives only while the turn is still the one that stood before the network was
      // asked: a late answer gives nothing.
      else if (verdict === 'yes' && earns) gives.push({ answer, account, seen: turn });
      // A network's answer never touches a deed held under `hub`.
      else if (verdict === 'no' && state && under === 'confirmed')
        denied.set(deed, { answer, card: state.card, turn, askedAt, round });
    }
    const [lost] = await Promise.all([
      doubts.no(fan, network, denied),
      doubts.yes(fan, network, held),
    ]);
    const takes = [...denied].filter(([deed]) => lost.has(deed));
    if (gives.length === 0 && takes.length === 0) return applied;
    const document = evidence.document(fan, network, [
      ...gives.map((one) => one.answer),
      ...takes.map(([, one]) => one.answer),
    ]);
    const kept = evidence.keep(document);
    kept.catch(() => undefined);
    const backed = { link, evidence: document._id };
    const [first] = gives;
    // A first link gives much at once, and is told apart.
    const beside =
      first && gives.length === 1
        ? await this.parts.beside.deedsFor(first.account.athlete.id)
        : undefined;
    const wishes: { id: string; gives: VerifiedAccount | null; wish: Command }[] = [
      ...gives.map(({ account, answer: { askedAt }, seen }) => ({
        id: account.accountId,
        gives: account,
        wish: this.give(fan, account, card as Card, {
          cause: 'network_yes',
          askedAt,
          seen,
          beside,
          ...backed,
        }),
      })),
      ...takes.map(([deed, { answer, askedAt, card: under, turn }]) => ({
        id: answer.account,
        gives: null,
        wish: this.take(fan, deed, turn + 1, {
          cause: 'network_no',
          askedAt,
          card: under,
          ...backed,
        }),
      })),
    ];
    for (const part of inPieces(wishes, BATCH)) {
      const outcomes = await points.recordMany(
        fan,
        part.map((one) => one.wish),
      );
      for (const [at, outcome] of outcomes.entries()) {
        const { id, gives: account, wish } = part[at] as (typeof part)[number];
        applied.set(id, { ...(applied.get(id) as Applied), turn: outcome.turn, outcome });
        if (account && outcome.limited)
          await this.hold(fan, account, card as Card, outcome, 'network_yes', link);
        if (!account) await doubts.ended(fan, wish.deed, outcome.turn);
      }
    }
    await kept;
    return applied;
  }
}

/**
 * One asking: whom, by which link, its place among the askings, and how the deeds stood before the
 * network was asked.
 */
interface Asked {
  fan: string;
  network: NetworkId;
  link: string;
  round: number;
  states: ReadonlyMap<string, DeedState>;
  accounts: ReadonlyMap<string, VerifiedAccount>;
}
