import { isLost, type Fans } from '../fans/service.js';
import type { Card, CardMode, Cards } from '../networks/cards.js';
import type { NetworkId } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { Audit } from '../platform/audit.js';
import type { Bus } from '../platform/bus.js';
import type { Clock } from '../platform/clock.js';
import type { Jobs } from '../platform/jobs.js';
import { isGive, type DeedState, type Points } from '../points/service.js';
import type { Registry, VerifiedAccount } from '../registry/service.js';
import { Answers } from './answers.js';
import { RelatedDeeds } from './related.js';
import { CheckJobs, type CheckJob } from './check-jobs.js';
import type { CheckLeases, Progress } from './check-leases.js';
import { Checks } from './checks.js';
import { LedgerCommands } from './commands.js';
import { Confirm } from './confirm.js';
import { turnOf } from './deed-states.js';
import { accountDeed } from './deeds.js';
import type { Doubts } from './doubts.js';
import type { Evidence } from './evidence.js';
import type { FollowAct } from './follow-act.js';
import type { Unlocks } from './needs.js';
import { Results, type FollowResult } from './results.js';
import { Settling } from './settling.js';
import { Sweep } from './sweep.js';
import type { TakeBackLimit } from './take-back-limit.js';
import { TakeBacks } from './take-backs.js';
import { Undo } from './undo.js';

/** How an account's deed stands for a fan, and how it could be earned. */
export interface FollowState {
  deed: string;
  turn: number;
  held: boolean;
  /** The card in force, and how deeds are confirmed under it. */
  card: string | null;
  mode: CardMode;
  /** Whether the fan has linked the network, with a permission that still holds. */
  linked: boolean;
}
/** What the room is built of. */
export interface FollowParts {
  fans: Fans;
  cards: Cards;
  networks: Networks;
  registry: Registry;
  points: Points;
  checkLeases: CheckLeases;
  doubts: Doubts;
  evidence: Evidence;
  takeBackLimit: TakeBackLimit;
  audit: Audit;
  jobs: Jobs;
  bus: Bus;
  clock: Clock;
}
/**
 * What fans did on networks: checked there, doubted, settled in the ledger. The only road from a
 * follow to a point.
 */
export class Follows {
  private readonly related: RelatedDeeds;
  private readonly results: Results;
  private readonly checkJobs: CheckJobs;
  private readonly confirmation: Confirm;
  private readonly undoing: Undo;
  /** Checks again and settles, by itself. */
  readonly sweep: Sweep;
  /** Take-backs and their limit, as staff see them. */
  readonly takeBacks: TakeBacks;

  constructor(private readonly parts: FollowParts) {
    this.related = new RelatedDeeds(parts);
    this.results = new Results(parts);
    const commands = new LedgerCommands(parts);
    const answers = new Answers({ ...parts, commands, related: this.related });
    const checks = new Checks({ ...parts, answers });
    const settling = new Settling({ ...parts, commands });
    this.checkJobs = new CheckJobs({ ...parts, checks });
    const shared = { ...parts, commands, checks, checkJobs: this.checkJobs, settling };
    this.confirmation = new Confirm({ ...shared, related: this.related, results: this.results });
    this.undoing = new Undo({ ...shared, results: this.results });
    this.sweep = new Sweep(shared);
    this.takeBacks = new TakeBacks(parts);
  }

  /** Sets who tells what an award opened. */
  onUnlock(unlocks: Unlocks): void {
    this.results.onUnlock(unlocks);
    this.related.onUnlock(unlocks);
  }

  /** The fan says "I follow"; see `Confirm`. */
  confirm(act: FollowAct): Promise<FollowResult> {
    return this.confirmation.run(act);
  }

  /** The fan says "I follow no more"; see `Undo`. */
  undo(act: FollowAct): Promise<FollowResult> {
    return this.undoing.run(act);
  }

  /**
   * Has all verified accounts of a network checked that a fan has just linked, in the background.
   * Satisfies `Linked` of fans.
   */
  async linked(fan: string, network: string): Promise<void> {
    await this.checkJobs.add({ fan, network: network as NetworkId });
  }

  /** Has every linked network of a fan checked again, in the background; answers the jobs. */
  checkAll(fan: string): Promise<string[]> {
    return this.checkJobs.addAll(fan);
  }

  /**
   * Checks all verified accounts of a network, or `only` these; see `CheckJobs.run`. Answers what
   * to check again, and when.
   */
  checkNetwork(
    fan: string,
    network: NetworkId,
    only?: string[],
    tries?: number,
  ): Promise<{ at: Date; payload: CheckJob } | null> {
    return this.checkJobs.run({ fan, network, only, tries });
  }

  /** How each of these verified accounts stands for a fan, by the account's record. */
  async states(fan: string | null, accounts: VerifiedAccount[]): Promise<Map<string, FollowState>> {
    const { points, fans, networks } = this.parts;
    const deeds = accounts.map((account) => accountDeed(networks, account));
    const [turns, identities] = fan
      ? await Promise.all([points.turns(fan, deeds), fans.identities.linkedBy(fan)])
      : [new Map<string, DeedState>(), []];
    const cards = await this.cardsOf(accounts);
    return new Map(
      accounts.map((account) => {
        const deed = accountDeed(networks, account);
        const turn = turnOf(turns.get(deed));
        const card = cards.get(account.network) ?? null;
        const state: FollowState = {
          deed,
          turn,
          held: isGive(turn),
          card: card?.id ?? null,
          mode: card?.mode ?? 'off',
          linked: identities.some(
            (identity) => identity.network === account.network && !isLost(identity),
          ),
        };
        return [account.id, state];
      }),
    );
  }

  private async cardsOf(accounts: VerifiedAccount[]): Promise<Map<NetworkId, Card | null>> {
    const cards = new Map<NetworkId, Card | null>();
    for (const { network } of accounts)
      if (!cards.has(network)) cards.set(network, await this.parts.cards.cached(network));
    return cards;
  }

  /** How far the last long checks of a fan are, a network each. */
  async progress(fan: string): Promise<{ network: string; progress: Progress }[]> {
    const { fans, checkLeases } = this.parts;
    const identities = await fans.identities.linkedBy(fan);
    const found = await Promise.all(
      identities.map(async ({ network }) => ({
        network,
        progress: await checkLeases.progress(fan, network),
      })),
    );
    return found.filter(
      (each): each is { network: string; progress: Progress } => each.progress !== null,
    );
  }
}
