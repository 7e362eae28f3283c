import { VillageError } from '../errors.js';
import { isLost } from '../fans/service.js';
import type { Card } from '../networks/cards.js';
import type { NetworkId, Verdict } from '../networks/network.js';
import type { Bus } from '../platform/bus.js';
import { within } from '../platform/clock.js';
import type { Jobs } from '../platform/jobs.js';
import { awardOf, type DeedState, type Outcome } from '../points/service.js';
import type { VerifiedAccount } from '../registry/service.js';
import {
  AGAIN_MS,
  Asking,
  heldUnder,
  noAnswer,
  passing,
  type Applied,
  type AskingParts,
} from './asking.js';
import type { Progress } from './asks.js';
import { Beside } from './beside.js';
import { Brakes, type BrakesParts } from './brakes.js';
import { deedOf } from './deeds.js';
import type { Unlocked, Unlocks } from './needs.js';
import { Settling } from './settling.js';
import { CHECK_EVERY_MS, Sweep, type CheckJob } from './sweep.js';

export { deedOf } from './deeds.js';
export type { CheckJob } from './sweep.js';
export interface FollowAnswer {
  verdict: Verdict;
  awarded: 0 | 1;
  turn: number;
  points: number;
  medal: string | null;
  unlocked: Unlocked[];
  /** Where to follow, when the network says no. */
  open?: string;
  /** The job that asks again, when no answer came. */
  job?: string;
  /** From when a give held back by a limit will be given. */
  waitsUntil?: Date;
}
export interface FollowState {
  deed: string;
  turn: number;
  held: boolean;
  card: string | null;
  mode: 'off' | 'hub' | 'confirmed';
  linked: boolean;
}
export type FollowParts = AskingParts & BrakesParts & { jobs: Jobs; bus: Bus };
/** Which account of an athlete: on this network the one of this id, or the only one. */
export interface Which {
  network: NetworkId;
  account?: string | undefined;
}

/** How long a request waits for a network before it answers 202. */
const WAIT_MS = 2000;
/**
 * Three gives a day, so the seventh turn of a deed is the first that may ever have waited for its
 * day.
 */
const FIRST_WAITING_TURN = 7;
/** How often an account is asked about again that its network does not know. */
const UNKNOWN_TRIES = 3;

/**
 * What fans did on networks: asked of the networks, doubted, settled in the ledger. The only road
 * from a follow to a point.
 */
export class Follows {
  private unlocks: Unlocks | null = null;
  private readonly beside: Beside;
  private readonly asking: Asking;
  private readonly settling: Settling;
  /** Asking again and settling, by itself. */
  readonly sweep: Sweep;
  /** The brake on mass loss, as staff see it. */
  readonly brakes: Brakes;

  constructor(private readonly parts: FollowParts) {
    this.beside = new Beside(parts);
    this.asking = new Asking({ ...parts, beside: this.beside });
    this.settling = new Settling({ ...parts, asking: this.asking });
    this.sweep = new Sweep({ ...parts, asking: this.asking, settling: this.settling });
    this.brakes = new Brakes(parts);
  }

  /** Who tells what an award opened. */
  onUnlock(unlocks: Unlocks): void {
    this.unlocks = unlocks;
    this.beside.onUnlock(unlocks);
  }

  /**
   * The verified account that is meant: the one of this id, else the only one. Throws
   * `which_account` with the list, `not_verified`, `account_not_found`.
   */
  private async account(athlete: string, { network, account }: Which): Promise<VerifiedAccount> {
    const there = (await this.parts.registry.verifiedOf(athlete)).filter(
      (one) => one.network === network,
    );
    const [found, second] =
      account === undefined ? there : there.filter((one) => one.accountId === account);
    if (second) {
      const accounts = there.map((one) => ({
        id: one.accountId,
        network,
        handle: one.handle,
        url: one.url,
      }));
      throw new VillageError('which_account', { network }, { accounts });
    }
    if (found) return found;
    const known = (await this.parts.registry.publicOf(athlete)).some(
      (one) => one.network === network && (account === undefined || one.accountId === account),
    );
    throw known
      ? new VillageError('not_verified', { network })
      : new VillageError('account_not_found', { account: account ?? network });
  }

  /**
   * The fan says "I follow": under `hub` that is the deed, under `confirmed` the network is asked
   * now. The same again answers the same with `awarded: 0`. Throws `account_not_found`,
   * `which_account`, `not_verified`, `card_off`, `not_linked`, `own_account`.
   */
  async follow(
    reader: { id: string; roles: readonly string[] },
    athlete: string,
    which: Which,
    options: { turn?: number | undefined; language: string },
  ): Promise<FollowAnswer> {
    const { network } = which;
    const account = await this.account(athlete, which);
    const card = await this.parts.cards.require(network, this.asking.kind(network));
    const owned = (): Promise<boolean> => this.parts.registry.owns(reader.id, account.athlete.id);
    if (card.mode === 'hub') {
      const outcome = await this.clicked(reader.id, account, card, options.turn);
      // The ledger asks at every give whose account it is: only what came to nothing is asked about
      // again. Else the account, or its card, changed under our hands.
      if (outcome.dropped)
        throw (await owned())
          ? new VillageError('own_account')
          : new VillageError('not_verified', { network });
      if (outcome.limited)
        await this.asking.hold(reader.id, account, card, outcome, 'hub_click', null);
      // An older turn than the present one gives nothing: the answer is how the deed stands (LEDGER
      // 4).
      return this.answer(
        outcome.turn % 2 === 1 || outcome.limited ? 'yes' : 'no',
        outcome,
        options.language,
      );
    }
    // No call is spent on asking a network about somebody's own account.
    if (await owned()) throw new VillageError('own_account');
    return this.confirmed(reader.id, account, options, (applied) =>
      applied.verdict === 'no' ? { ...applied, open: account.url } : applied,
    );
  }

  /**
   * The act on the hub's own page. What an undo before it has left half-way is settled first, so
   * that the later act is the one that counts.
   */
  private async clicked(
    fan: string,
    account: VerifiedAccount,
    card: Card,
    seen: number | undefined,
  ): Promise<Outcome> {
    const { points, doubts, clock } = this.parts;
    const beside = await this.beside.deedsFor(account.athlete.id);
    const give = (turn: number | undefined): Promise<Outcome> =>
      points.record(
        this.asking.give(fan, account, card, {
          cause: 'hub_click',
          askedAt: clock.now(),
          seen: turn,
          beside,
        }),
      );
    const outcome = await give(seen);
    const undone =
      outcome.turn >= FIRST_WAITING_TURN
        ? await doubts.undone(fan, deedOf(this.asking.kind(account.network), account))
        : null;
    if (!undone || undone.turn > outcome.turn) return outcome;
    await this.settling.due(undone);
    return give(undefined);
  }

  /**
   * The fan says "no more": under `hub` the point goes at once, under `confirmed` the network is
   * asked and its `no` is enough. Throws `still_following` with `open` when the network says yes.
   */
  async unfollow(
    reader: { id: string; roles: readonly string[] },
    athlete: string,
    which: Which,
    options: { turn?: number | undefined; language: string },
  ): Promise<FollowAnswer> {
    const { network } = which;
    const account = await this.account(athlete, which);
    const deed = deedOf(this.asking.kind(network), account);
    const { points, doubts, evidence, clock } = this.parts;
    const last = async (): Promise<DeedState | undefined> =>
      (await points.turns(reader.id, [deed])).get(deed);
    const stale = (state: DeedState | undefined): boolean =>
      options.turn !== undefined && options.turn !== (state?.turn ?? 0);
    const stands = (state: DeedState | undefined): Promise<FollowAnswer> =>
      this.present(reader.id, state?.turn ?? 0, heldUnder(state) === null ? 'no' : 'yes');
    let state = await last();
    if (!stale(state) && heldUnder(state) === null) {
      const undone = await doubts.undo(reader.id, deed);
      if (undone && undone !== 'cancelled') await this.settling.due(undone);
      if (undone) return stands(await last());
      // What waited may have come between the two looks.
      state = await last();
    }
    if (!state || stale(state) || heldUnder(state) === null) return stands(state);
    const { turn, card } = state;
    const take = (askedAt: Date, document?: string): Promise<Outcome> =>
      points.record(
        this.asking.take(reader.id, deed, turn + 1, {
          cause: 'undo',
          askedAt,
          card,
          evidence: document ?? null,
        }),
      );
    if (heldUnder(state) === 'hub')
      return this.answer('no', await take(clock.now()), options.language);
    const applied = await this.asked(reader.id, account);
    if (applied.verdict === 'yes')
      throw new VillageError('still_following', { network }, { open: account.url });
    if (applied.verdict !== 'no')
      return {
        ...(await this.present(reader.id, turn, applied.verdict)),
        job: await this.again(reader.id, network),
      };
    const document = evidence.document(reader.id, network, [
      { account: account.accountId, verdict: 'no', askedAt: applied.askedAt },
    ]);
    await evidence.keep(document);
    const outcome = await take(applied.askedAt, document._id);
    // The no that was just heard is settled by this very turn.
    await doubts.ended(reader.id, deed, outcome.turn);
    return this.answer('no', outcome, options.language);
  }

  private async confirmed(
    fan: string,
    account: VerifiedAccount,
    options: { turn?: number | undefined; language: string },
    shape: (answer: FollowAnswer) => FollowAnswer,
  ): Promise<FollowAnswer> {
    const { network } = account;
    const deed = deedOf(this.asking.kind(network), account);
    if (options.turn !== undefined) {
      const state = (await this.parts.points.turns(fan, [deed])).get(deed);
      if (options.turn !== (state?.turn ?? 0))
        return this.present(fan, state?.turn ?? 0, heldUnder(state) === null ? 'no' : 'yes');
    }
    const applied = await this.asked(fan, account);
    if (applied.verdict === 'unsupported') throw new VillageError('not_supported', { network });
    // The account, its card or the link changed while the network was asked.
    if (applied.outcome?.dropped) throw new VillageError('not_verified', { network });
    if (applied.verdict === 'unknown') {
      const state = (await this.parts.points.turns(fan, [deed])).get(deed);
      return {
        ...(await this.present(fan, state?.turn ?? 0, applied.verdict)),
        job: await this.again(fan, network),
      };
    }
    const answer = applied.outcome
      ? await this.answer(applied.verdict, applied.outcome, options.language)
      : await this.present(fan, applied.turn, applied.verdict);
    return shape(answer);
  }

  private async answer(
    verdict: Verdict,
    outcome: Outcome,
    language: string,
  ): Promise<FollowAnswer> {
    const { entry, before, related } = outcome;
    const gave = entry !== null && entry.delta > 0;
    return {
      verdict,
      awarded: gave ? 1 : 0,
      turn: outcome.turn,
      points: outcome.head.after.points,
      medal: outcome.head.after.medals['hub']?.[0] ?? null,
      unlocked: gave
        ? ((await this.unlocks?.openedBy(awardOf([{ entry, before, related }]), language)) ?? [])
        : [],
      ...(outcome.limited ? { waitsUntil: outcome.limited } : {}),
    };
  }

  private async present(fan: string, turn: number, verdict: Verdict): Promise<FollowAnswer> {
    const { after } = await this.parts.points.head(fan);
    return {
      verdict,
      awarded: 0,
      turn,
      points: after.points,
      medal: after.medals['hub']?.[0] ?? null,
      unlocked: [],
    };
  }

  private again(fan: string, network: NetworkId): Promise<string> {
    return this.parts.jobs.add(
      'follows.check',
      `${fan}|${network}`,
      { fan, network },
      { at: new Date(this.parts.clock.now().getTime() + 15_000) },
    );
  }

  /**
   * Asks about one account and waits two seconds at most; the asking itself goes on and is applied.
   */
  private async asked(fan: string, account: VerifiedAccount): Promise<Applied> {
    const none = noAnswer(this.parts.clock.now(), 'network_down');
    const answers = await within(this.asking.ask(fan, account.network, [account]), WAIT_MS);
    return answers?.get(account.accountId) ?? none;
  }

  /**
   * A fan linked a network: under `confirmed` all its verified accounts are asked about, in the
   * background. Satisfies `Linked`.
   */
  async linked(fan: string, network: string): Promise<void> {
    await this.parts.jobs.add('follows.check', `${fan}|${network}`, { fan, network });
  }

  /** Asks every linked network again about all verified accounts; answers the jobs. */
  async checkAll(fan: string): Promise<string[]> {
    const identities = await this.parts.fans.identities.linkedBy(fan);
    return Promise.all(
      identities.map((one) =>
        this.parts.jobs.add('follows.check', `${fan}|${one.network}`, {
          fan,
          network: one.network,
        }),
      ),
    );
  }

  /**
   * The job behind `linked` and `checkAll`: asks about all verified accounts, or about `only`
   * these. Answers when to ask again about those for which an outage or a limit left no answer, and
   * at most three times about those that the network says it does not know: a spoilt answer looks
   * like that, and an account that has vanished is not chased for ever. `tries` counts the askings
   * before this one.
   */
  async checkNetwork(
    fan: string,
    network: NetworkId,
    only?: string[],
    tries = 0,
  ): Promise<{ at: Date; payload: CheckJob } | null> {
    const { cards, clock, fans, registry } = this.parts;
    const now = clock.now();
    let again: string[] = [];
    const card = await cards.cached(network);
    const earns = card?.mode === 'confirmed' && card.deeds.includes(this.asking.kind(network));
    // Nobody earns for their own account: nothing is spent on asking about it.
    const own = await registry.ownedBy(fan);
    const held = earns ? null : (await this.parts.points.deeds([fan])).get(fan);
    const accounts = (await registry.verified(network)).filter(
      (one) =>
        (!only || only.includes(one.accountId)) &&
        // Where nothing new can be earned, what was earned is still asked about.
        (!held || heldUnder(held.get(deedOf(this.asking.kind(network), one))) === 'confirmed') &&
        !own.has(one.athlete.id),
    );
    if (accounts.length > 0) {
      const hear = (progress: { done: number; total: number; awarded: number }): void => {
        this.parts.bus.tell('follows:progress', { fan, network, ...progress });
      };
      again = passing(
        await this.asking.askLinked(fan, network, accounts, hear),
        tries < UNKNOWN_TRIES,
      );
    }
    // Asked about some of its accounts only, an identity is as due as it was.
    if (!only)
      await fans.identities.checked([fan], network, now, new Date(now.getTime() + CHECK_EVERY_MS));
    return again.length > 0
      ? {
          at: new Date(now.getTime() + AGAIN_MS),
          payload: { fan, network, only: again, tries: tries + 1 },
        }
      : null;
  }

  /**
   * For each of an athlete's verified accounts: does this fan hold its deed, and how could it be
   * earned?
   */
  async states(fan: string | null, accounts: VerifiedAccount[]): Promise<Map<string, FollowState>> {
    const deeds = accounts.map((one) => deedOf(this.asking.kind(one.network), one));
    const [turns, identities] = fan
      ? await Promise.all([
          this.parts.points.turns(fan, deeds),
          this.parts.fans.identities.linkedBy(fan),
        ])
      : [new Map<string, DeedState>(), []];
    const states = new Map<string, FollowState>();
    const cards = new Map<NetworkId, Card | null>();
    for (const network of new Set(accounts.map((one) => one.network)))
      cards.set(network, await this.parts.cards.cached(network));
    for (const [at, account] of accounts.entries()) {
      const deed = deeds[at] as string;
      const turn = turns.get(deed)?.turn ?? 0;
      const card = cards.get(account.network) ?? null;
      states.set(account.id, {
        deed,
        turn,
        held: turn % 2 === 1,
        card: card?.id ?? null,
        mode: card?.mode ?? 'off',
        linked: identities.some((one) => one.network === account.network && !isLost(one)),
      });
    }
    return states;
  }

  /** How far the long askings of a fan are, a network each. */
  async progress(fan: string): Promise<{ network: string; progress: Progress }[]> {
    const found = await Promise.all(
      (await this.parts.fans.identities.linkedBy(fan)).map(async (one) => ({
        network: one.network,
        progress: await this.parts.asks.progress(fan, one.network),
      })),
    );
    return found.filter(
      (one): one is { network: string; progress: Progress } => one.progress !== null,
    );
  }
}
