import { VillageError } from '../errors.js';
import type { Fans } from '../fans/service.js';
import type { Card, Cards } from '../networks/cards.js';
import type { Answer, NetworkId, Reason, Verdict } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { Clock } from '../platform/clock.js';
import type { Cause, DeedState, Outcome, Points, Wish } from '../points/service.js';
import type { Registry, VerifiedAccount } from '../registry/service.js';
import type { Asks } from './asks.js';
import type { Doubts, Heard } from './doubts.js';
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

/** The one deed of an account (LEDGER 1): a like where the network can only tell Page likes, else a follow. */
export const deedOf = (kind: 'follow' | 'like', account: { network: string; accountId: string }): string => `${kind}:${account.network}:${account.accountId}`;
/** The card as an entry names it: version and how deeds were confirmed under it. */
export const cardText = (card: Card): string => `${card.id}:${card.mode}`;
/** How a held deed was confirmed when it was given; null when it is not held. */
export const heldUnder = (state: DeedState | undefined): string | null => (state && state.turn % 2 === 1 ? (state.card.split(':')[1] ?? null) : null);

/** What became of one answer: why there is none, the turn the deed stands at, and the entry if one was written. */
export interface Applied {
  verdict: Verdict;
  reason: Reason | null;
  askedAt: Date;
  turn: number;
  outcome: Outcome | null;
}
/** Nothing came back, or nobody could be asked. */
export const noAnswer = (askedAt: Date, reason: Reason = 'error'): Applied => ({ verdict: 'unknown', reason, askedAt, turn: 0, outcome: null });

/** Asking networks about deeds, one asking at a time a fan and network, and what their answers mean for the ledger. */
export class Asking {
  private readonly running = new Map<string, { accounts: Set<string>; done: Promise<Map<string, Applied>> }>();

  constructor(private readonly parts: AskingParts) {}

  /** The deed that following an account of this network is. */
  kind(network: NetworkId): 'follow' | 'like' {
    return this.parts.networks.of(network).accountDeed;
  }

  /** A wish about an account's deed, guarded by card, link and epoch. */
  wish(
    fan: string,
    account: VerifiedAccount,
    card: Card,
    more: Pick<Wish, 'want' | 'cause' | 'askedAt'> & { link?: string | null; evidence?: string | null; seen?: number | undefined },
  ): Wish {
    const { seen, link = null, evidence = null, ...rest } = more;
    return {
      fan,
      deed: deedOf(this.kind(account.network), account),
      ...rest,
      link,
      evidence,
      card: cardText(card),
      ...(seen === undefined ? {} : { seen }),
      facts: { account: account.accountId, athlete: account.athlete.id, disciplines: account.athlete.disciplines },
      stands: () => this.stands(fan, account, card, link),
    };
  }

  /** Whether card, link and the account's epoch are still those a give was decided under, and the account is not the fan's own: as the store has it now. */
  private async stands(fan: string, account: VerifiedAccount, card: Card, link: string | null): Promise<boolean> {
    const [earns, now, linked] = await Promise.all([
      this.parts.registry.mayEarn(fan, account),
      this.parts.cards.of(account.network),
      link === null || this.parts.fans.identities.linkStands(fan, link),
    ]);
    return earns && now?.id === card.id && linked;
  }

  /** A give above a limit waits for its day. */
  async hold(fan: string, account: VerifiedAccount, card: Card, outcome: Outcome, cause: Cause, link: string | null): Promise<void> {
    if (!outcome.limited) return;
    await this.parts.doubts.wait(fan, account.network, deedOf(this.kind(account.network), account), outcome.turn + 1, outcome.limited, {
      account: account.accountId,
      accountRecord: account.id,
      epoch: account.epoch,
      athlete: account.athlete.id,
      disciplines: account.athlete.disciplines,
      card: cardText(card),
      link,
      cause,
    });
  }

  /**
   * Asks a network about accounts under the one lease of fan and network, and applies each batch as it comes. A second caller in this
   * process joins a running ask that covers what it wants. Throws `not_linked`, also when the network dropped the fan's permission.
   */
  async ask(fan: string, network: NetworkId, accounts: VerifiedAccount[], hear?: Hear): Promise<Map<string, Applied>> {
    const key = `${fan}|${network}`;
    const now = this.running.get(key);
    if (now) {
      const covered = accounts.every((one) => now.accounts.has(one.accountId));
      const answers = await now.done.catch(() => null);
      // What the running ask gave is its own caller's to tell: whoever joins repeats.
      if (covered && answers) return new Map([...answers].map(([id, one]) => [id, { ...one, outcome: one.outcome && { ...one.outcome, entry: null } }]));
      return this.ask(fan, network, accounts, hear);
    }
    const done = this.run(fan, network, accounts, hear).finally(() => {
      this.running.delete(key);
    });
    this.running.set(key, { accounts: new Set(accounts.map((one) => one.accountId)), done });
    return done;
  }

  private async run(fan: string, network: NetworkId, accounts: VerifiedAccount[], hear?: Hear): Promise<Map<string, Applied>> {
    const usable = await this.parts.fans.identities.usable(fan, network);
    if (!usable) throw new VillageError('not_linked', { network });
    const applied = new Map<string, Applied>();
    const { tokens, identity } = usable;
    const lease = tokens && (await this.parts.asks.take(fan, network, WAIT_MS));
    if (!lease) return new Map(accounts.map((one) => [one.accountId, noAnswer(this.parts.clock.now())]));
    const byId = new Map(accounts.map((one) => [one.accountId, one]));
    let progress = { done: 0, total: accounts.length, awarded: 0 };
    let distrusted = false;
    // What comes while earlier answers are written is written next, together: the network is not kept waiting for the store.
    let waiting: Answer[] = [];
    let writing: Promise<void> | null = null;
    let failure: Error | null = null;
    const write = async (): Promise<void> => {
      while (waiting.length > 0) {
        const answers = waiting;
        waiting = [];
        progress = { ...progress, done: progress.done + answers.length };
        distrusted ||= answers.some((one) => one.reason === 'token_revoked');
        // An answer whose lease was lost is dropped: whoever holds it now asks again.
        if (!(await lease.renew(accounts.length > 1 ? progress : undefined))) continue;
        for (const [id, one] of await this.apply(fan, network, identity.link, answers, byId)) applied.set(id, one);
        progress = { ...progress, awarded: [...applied.values()].filter((one) => (one.outcome?.entry?.delta ?? 0) > 0).length };
        hear?.(progress);
      }
      writing = null;
    };
    try {
      await this.parts.networks.of(network).check({
        tokens,
        person: identity.networkId,
        accounts: accounts.map((one) => one.accountId),
        hear: (answers) => {
          // A store that is away ends the asking: calls whose answers nobody can keep are not spent.
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
  private async apply(fan: string, network: NetworkId, link: string, answers: Answer[], accounts: Map<string, VerifiedAccount>): Promise<Map<string, Applied>> {
    const { points, doubts, cards, evidence } = this.parts;
    const known = answers.filter((one) => accounts.has(one.account));
    const deeds = new Map(known.map((one) => [one.account, deedOf(this.kind(network), accounts.get(one.account) as VerifiedAccount)]));
    const [states, card] = await Promise.all([points.turns(fan, [...deeds.values()]), cards.of(network)]);
    const applied = new Map<string, Applied>(
      known.map((one) => [
        one.account,
        { verdict: one.verdict, reason: one.reason, askedAt: one.askedAt, turn: states.get(deeds.get(one.account) as string)?.turn ?? 0, outcome: null },
      ]),
    );
    const gives: { answer: Answer; account: VerifiedAccount }[] = [];
    const held = new Map<string, Heard>();
    const denied = new Map<string, Heard & { answer: Answer; account: VerifiedAccount }>();
    for (const answer of known) {
      const account = accounts.get(answer.account) as VerifiedAccount;
      const deed = deeds.get(answer.account) as string;
      const state = states.get(deed);
      const under = heldUnder(state);
      if (answer.verdict === 'yes' && state && under !== null) held.set(deed, { turn: state.turn, askedAt: answer.askedAt });
      // A deed that was taken back needs a yes asked later than that: a late answer gives nothing.
      else if (answer.verdict === 'yes' && card?.mode === 'confirmed' && (!state || answer.askedAt > state.askedAt)) gives.push({ answer, account });
      // A network's answer never touches a deed held under `hub`.
      else if (answer.verdict === 'no' && state && under === 'confirmed') denied.set(deed, { answer, account, turn: state.turn, askedAt: answer.askedAt });
    }
    const [lost] = await Promise.all([doubts.no(fan, network, denied), doubts.yes(fan, network, held)]);
    const takes = [...denied].filter(([deed]) => lost.has(deed)).map(([, one]) => one);
    if (card && (gives.length > 0 || takes.length > 0)) {
      const acts = [
        ...gives.map((one) => ({ ...one, want: 'give' as const, cause: 'network_yes' as const })),
        ...takes.map((one) => ({ ...one, want: { turn: one.turn + 1 }, cause: 'network_no' as const })),
      ];
      const document = evidence.document(
        fan,
        network,
        acts.map((one) => one.answer),
      );
      const kept = evidence.keep(document);
      kept.catch(() => undefined);
      for (let from = 0; from < acts.length; from += BATCH) {
        const part = acts.slice(from, from + BATCH);
        const outcomes = await points.recordMany(
          fan,
          part.map((one) => this.wish(fan, one.account, card, { want: one.want, cause: one.cause, askedAt: one.answer.askedAt, link, evidence: document._id })),
        );
        for (const [at, outcome] of outcomes.entries()) {
          const { account, cause } = part[at] as (typeof part)[number];
          applied.set(account.accountId, { ...(applied.get(account.accountId) as Applied), turn: outcome.turn, outcome });
          if (outcome.limited) await this.hold(fan, account, card, outcome, cause, link);
          if (cause === 'network_no') await doubts.settled(fan, deedOf(this.kind(network), account), outcome.turn);
        }
      }
      await kept;
    }
    return applied;
  }
}
