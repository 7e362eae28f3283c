import { VillageError } from '../errors.js';
import { isLost } from '../fans/service.js';
import type { Card } from '../networks/cards.js';
import type { NetworkId, Verdict } from '../networks/network.js';
import type { Bus } from '../platform/bus.js';
import { within } from '../platform/clock.js';
import type { Jobs } from '../platform/jobs.js';
import type { Cause, DeedState, Outcome } from '../points/service.js';
import type { VerifiedAccount } from '../registry/service.js';
import { Asking, cardText, deedOf, heldUnder, noAnswer, type Applied, type AskingParts } from './asking.js';
import type { Progress } from './asks.js';
import type { Doubts } from './doubts.js';
import type { Unlocked, Unlocks } from './needs.js';

export { deedOf } from './asking.js';
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
/** Which account of an athlete: on this network the one of this id, or the only one. */
export interface Which {
  network: NetworkId;
  account?: string | undefined;
}
/** The payload of the job `follows.check`. */
export interface CheckJob {
  fan: string;
  network: NetworkId;
  only?: string[];
}
export interface FollowParts extends AskingParts {
  jobs: Jobs;
  bus: Bus;
}

/** How long a request waits for a network before it answers 202. */
const WAIT_MS = 2000;
const CHECK_EVERY_MS = 12 * 3_600_000;
/** Limits of networks pass within a quarter of an hour. */
const AGAIN_MS = 15 * 60_000;
/** Reasons for no answer that pass by themselves. */
const PASSING: ReadonlySet<string | null> = new Set(['rate_limited', 'network_down', 'error', 'token_revoked']);

/** What fans did on networks: asked of the networks, doubted, settled in the ledger. The only road from a follow to a point. */
export class Follows {
  private unlocks: Unlocks | null = null;
  private readonly asking: Asking;

  constructor(private readonly parts: FollowParts) {
    this.asking = new Asking(parts);
  }

  /** Who tells what an award opened. */
  onUnlock(unlocks: Unlocks): void {
    this.unlocks = unlocks;
  }

  /** The verified account that is meant: the one of this id, else the only one. Throws `which_account` with the list, `not_verified`, `account_not_found`. */
  private async account(athlete: string, { network, account }: Which): Promise<VerifiedAccount> {
    const there = (await this.parts.registry.verifiedOf(athlete)).filter((one) => one.network === network);
    const [found, second] = account === undefined ? there : there.filter((one) => one.accountId === account);
    if (second) {
      const accounts = there.map((one) => ({ id: one.accountId, network, handle: one.handle, url: one.url }));
      throw new VillageError('which_account', { network }, { accounts });
    }
    if (found) return found;
    const known = (await this.parts.registry.publicOf(athlete)).some((one) => one.network === network && (account === undefined || one.accountId === account));
    throw known ? new VillageError('not_verified', { network }) : new VillageError('account_not_found', { account: account ?? network });
  }

  /**
   * The fan says "I follow": under `hub` that is the deed, under `confirmed` the network is asked now. The same again answers the same
   * with `awarded: 0`. Throws `account_not_found`, `which_account`, `not_verified`, `card_off`, `not_linked`, `own_account`.
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
    if (await this.parts.registry.owns(reader.id, account.athlete.id)) throw new VillageError('own_account');
    if (card.mode === 'hub') {
      const outcome = await this.parts.points.record(
        this.asking.wish(reader.id, account, card, { want: 'give', cause: 'hub_click', askedAt: this.parts.clock.now(), seen: options.turn }),
      );
      // The account, or its card, changed under our hands.
      if (outcome.dropped) throw new VillageError('not_verified', { network });
      if (outcome.limited) await this.asking.hold(reader.id, account, card, outcome, 'hub_click', null);
      return this.answer('yes', outcome, options.language);
    }
    return this.confirmed(reader.id, account, options, (applied) => (applied.verdict === 'no' ? { ...applied, open: account.url } : applied));
  }

  /**
   * The fan says "no more": under `hub` the point goes at once, under `confirmed` the network is asked and its `no` is enough.
   * Throws `still_following` with `open` when the network says yes.
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
    const state = (await this.parts.points.turns(reader.id, [deed])).get(deed);
    const stale = options.turn !== undefined && options.turn !== (state?.turn ?? 0);
    if (stale || heldUnder(state) === null) {
      if (!stale && (await this.parts.doubts.cancelWaiting(reader.id, deed))) return this.present(reader.id, state?.turn ?? 0, 'no');
      return this.present(reader.id, state?.turn ?? 0, heldUnder(state) === null ? 'no' : 'yes');
    }
    const card = (await this.parts.cards.of(network)) ?? ({ id: state?.card.split(':')[0] ?? '', mode: heldUnder(state) } as Card);
    const take = (askedAt: Date, evidence?: string): Promise<Outcome> =>
      this.parts.points.record(
        this.asking.wish(reader.id, account, card, { want: 'take', cause: 'undo', askedAt, evidence: evidence ?? null, seen: state?.turn }),
      );
    if (heldUnder(state) === 'hub') return this.answer('no', await take(this.parts.clock.now()), options.language);
    const applied = await this.asked(reader.id, account);
    if (applied.verdict === 'yes') throw new VillageError('still_following', { network }, { open: account.url });
    if (applied.verdict !== 'no') return { ...(await this.present(reader.id, state?.turn ?? 0, applied.verdict)), job: await this.again(reader.id, network) };
    const document = this.parts.evidence.document(reader.id, network, [{ account: account.accountId, ...applied }]);
    await this.parts.evidence.keep(document);
    return this.answer('no', await take(applied.askedAt, document._id), options.language);
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
      if (options.turn !== (state?.turn ?? 0)) return this.present(fan, state?.turn ?? 0, heldUnder(state) === null ? 'no' : 'yes');
    }
    const applied = await this.asked(fan, account);
    if (applied.verdict === 'unsupported') throw new VillageError('not_supported', { network });
    if (applied.verdict === 'unknown') {
      const state = (await this.parts.points.turns(fan, [deed])).get(deed);
      return { ...(await this.present(fan, state?.turn ?? 0, applied.verdict)), job: await this.again(fan, network) };
    }
    const answer = applied.outcome
      ? await this.answer(applied.verdict, applied.outcome, options.language)
      : await this.present(fan, applied.turn, applied.verdict);
    return shape(answer);
  }

  private async answer(verdict: Verdict, outcome: Outcome, language: string): Promise<FollowAnswer> {
    const gave = outcome.entry !== null && outcome.entry.delta > 0;
    return {
      verdict,
      awarded: gave ? 1 : 0,
      turn: outcome.turn,
      points: outcome.head.after.points,
      medal: outcome.head.after.medals['hub']?.[0] ?? null,
      unlocked: gave && outcome.entry ? ((await this.unlocks?.openedBy(outcome.entry.fan, [outcome.entry.deed], language)) ?? []) : [],
      ...(outcome.limited ? { waitsUntil: outcome.limited } : {}),
    };
  }

  private async present(fan: string, turn: number, verdict: Verdict): Promise<FollowAnswer> {
    const { after } = await this.parts.points.head(fan);
    return { verdict, awarded: 0, turn, points: after.points, medal: after.medals['hub']?.[0] ?? null, unlocked: [] };
  }

  private again(fan: string, network: NetworkId): Promise<string> {
    return this.parts.jobs.add('follows.check', `${fan}|${network}`, { fan, network }, new Date(this.parts.clock.now().getTime() + 15_000));
  }

  /** Asks about one account and waits two seconds at most; the asking itself goes on and is applied. */
  private async asked(fan: string, account: VerifiedAccount): Promise<Applied> {
    const none = noAnswer(this.parts.clock.now(), 'network_down');
    const answers = await within(this.asking.ask(fan, account.network, [account]), WAIT_MS);
    return answers?.get(account.accountId) ?? none;
  }

  /** A fan linked a network: under `confirmed` all its verified accounts are asked about, in the background. Satisfies `Linked`. */
  async linked(fan: string, network: string): Promise<void> {
    await this.parts.jobs.add('follows.check', `${fan}|${network}`, { fan, network });
  }

  /** Asks every linked network again about all verified accounts; answers the jobs. */
  async checkAll(fan: string): Promise<string[]> {
    const identities = await this.parts.fans.identities.of(fan);
    return Promise.all(identities.map((one) => this.parts.jobs.add('follows.check', `${fan}|${one.network}`, { fan, network: one.network })));
  }

  /**
   * The job behind `linked` and `checkAll`: asks about all verified accounts, or about `only` these. Answers when to ask again about
   * those for which an outage or a limit left no answer; an account that has vanished is not chased for ever.
   */
  async checkNetwork(fan: string, network: NetworkId, only?: string[]): Promise<{ at: Date; payload: CheckJob } | null> {
    const { cards, clock, fans, registry } = this.parts;
    const now = clock.now();
    let again: string[] = [];
    if ((await cards.of(network))?.mode === 'confirmed') {
      // Nobody earns for their own account: nothing is spent on asking about it.
      const own = await registry.ownedBy(fan);
      const accounts = (await registry.verified(network)).filter((one) => (!only || only.includes(one.accountId)) && !own.has(one.athlete.id));
      const hear = (progress: { done: number; total: number; awarded: number }): void => {
        this.parts.bus.tell('follows:progress', { fan, network, ...progress });
      };
      const answers = await this.asking.ask(fan, network, accounts, hear).catch((error: unknown) => {
        if (error instanceof VillageError && error.id === 'not_linked') return new Map<string, Applied>();
        throw error;
      });
      again = [...answers].filter(([, one]) => one.verdict === 'unknown' && PASSING.has(one.reason)).map(([account]) => account);
    }
    await fans.identities.checked(fan, network, now);
    return again.length > 0 ? { at: new Date(now.getTime() + AGAIN_MS), payload: { fan, network, only: again } } : null;
  }

  /**
   * Asks again: about deeds held under `confirmed` by identities not asked for twelve hours, about doubts that are ripe, and gives
   * what waited for its day. The worker calls it every minute; `limit` bounds one pass.
   */
  async sweep(limit = 200): Promise<void> {
    const { fans, doubts, clock } = this.parts;
    const now = clock.now();
    for (const one of await fans.identities.unasked(new Date(now.getTime() - 60_000), limit)) await this.linked(one.fan, one.network);
    const due = new Map<string, { fan: string; network: NetworkId }>();
    for (const one of await doubts.ripe(now, limit)) due.set(`${one.fan}|${one.network}`, { fan: one.fan, network: one.network as NetworkId });
    for (const one of await fans.identities.due(new Date(now.getTime() - CHECK_EVERY_MS), limit))
      due.set(`${one.fan}|${one.network}`, { fan: one.fan, network: one.network as NetworkId });
    for (const { fan, network } of due.values()) await this.askHeld(fan, network);
    for (const doubt of await doubts.claimDue(now, limit)) await this.settleWaiting(doubt);
  }

  /** Asks about what a fan holds on a network, and marks the identity as asked. */
  async askHeld(fan: string, network: NetworkId): Promise<void> {
    const held = await this.parts.points.held(fan);
    const accounts: VerifiedAccount[] = [];
    for (const account of await this.parts.registry.verified(network))
      if (heldUnder(held.get(deedOf(this.asking.kind(network), account))) === 'confirmed') accounts.push(account);
    if (accounts.length > 0)
      await this.asking.ask(fan, network, accounts).catch((error: unknown) => {
        if (!(error instanceof VillageError)) throw error;
      });
    await this.parts.fans.identities.checked(fan, network, this.parts.clock.now());
  }

  private async settleWaiting(doubt: Awaited<ReturnType<Doubts['claimDue']>>[number]): Promise<void> {
    const { wish } = doubt;
    const account = wish && (await this.parts.registry.verifiedAccount(doubt.network, wish.account));
    const card = await this.parts.cards.of(doubt.network as NetworkId);
    // Only if card, link and epoch are the ones it was decided under; else the wish is dropped.
    if (wish && account && card && account.epoch === wish.epoch && cardText(card) === wish.card) {
      await this.parts.points.record(
        this.asking.wish(doubt.fan, account, card, {
          want: { turn: doubt.turn },
          cause: wish.cause as Cause,
          askedAt: this.parts.clock.now(),
          link: wish.link,
        }),
      );
    }
    await this.parts.doubts.settled(doubt.fan, doubt.deed, doubt.turn);
  }

  /** For each of an athlete's verified accounts: does this fan hold its deed, and how could it be earned? */
  async states(fan: string | null, accounts: VerifiedAccount[]): Promise<Map<string, FollowState>> {
    const deeds = accounts.map((one) => deedOf(this.asking.kind(one.network), one));
    const [turns, identities] = fan
      ? await Promise.all([this.parts.points.turns(fan, deeds), this.parts.fans.identities.of(fan)])
      : [new Map<string, DeedState>(), []];
    const states = new Map<string, FollowState>();
    const cards = new Map<NetworkId, Card | null>();
    for (const network of new Set(accounts.map((one) => one.network))) cards.set(network, await this.parts.cards.of(network));
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

  /** Which accounts of these athletes a fan follows now, as `athlete:network`. Satisfies `FactSource` of locks, with the medals beside it. */
  async followed(fan: string, athletes: string[]): Promise<Set<string>> {
    const accounts = (await Promise.all([...new Set(athletes)].map((one) => this.parts.registry.verifiedOf(one)))).flat();
    const states = await this.states(fan, accounts);
    return new Set(accounts.filter((one) => states.get(one.id)?.held).map((one) => `${one.athlete.id}:${one.network}`));
  }

  /** How facts stood before a fan gained these deeds, for telling what they opened. The medal before is the one of a point less each. */
  async before<F extends { followed: ReadonlySet<string>; medals: ReadonlyMap<string, string> }>(fan: string, facts: F, gained: string[]): Promise<F> {
    const followed = new Set(facts.followed);
    const medals = new Map(facts.medals);
    for (const deed of gained) {
      const [, network = '', accountId = ''] = deed.split(':');
      const account = await this.parts.registry.verifiedAccount(network, accountId);
      if (account) followed.delete(`${account.athlete.id}:${network}`);
    }
    if (medals.size > 0) {
      const previous = (await this.parts.points.statement(fan, 1 + gained.length))[gained.length];
      for (const scope of medals.keys()) {
        const held = previous?.after.medals[scope]?.[0];
        if (held) medals.set(scope, held);
        else medals.delete(scope);
      }
    }
    return { ...facts, followed, medals };
  }

  /** How far the long askings of a fan are, a network each. */
  async progress(fan: string): Promise<{ network: string; progress: Progress }[]> {
    const found = await Promise.all(
      (await this.parts.fans.identities.of(fan)).map(async (one) => ({ network: one.network, progress: await this.parts.asks.progress(fan, one.network) })),
    );
    return found.filter((one): one is { network: string; progress: Progress } => one.progress !== null);
  }
}
