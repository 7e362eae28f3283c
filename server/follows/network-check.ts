import type { Fans } from '../fans/service.js';
import type { Answer, NetworkId, TokenSet } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { DeedState, Points } from '../points/service.js';
import type { VerifiedAccount } from '../registry/service.js';
import type { Answers } from './answers.js';
import type { CheckLease, Steps } from './check-leases.js';
import { noAnswer, type CheckResult } from './check-result.js';
import { accountDeed } from './deeds.js';

/** Hears how far a check is, after each batch of answers. */
export type OnProgress = (steps: Steps) => void;
/** What one check is about, and what it is made with. */
export interface CheckInput {
  fan: string;
  network: NetworkId;
  accounts: VerifiedAccount[];
  identity: NonNullable<Awaited<ReturnType<Fans['identities']['usable']>>>['identity'];
  tokens: TokenSet;
  lease: CheckLease;
  onProgress: OnProgress | undefined;
}
/** What a check is built of. */
export interface NetworkCheckParts {
  fans: Fans;
  networks: Networks;
  points: Points;
  answers: Answers;
}

/**
 * One check of a network about accounts, under its lease. Answers come in batches and are applied
 * meanwhile: what comes while earlier ones are written is written next, together, so that the
 * network is not kept waiting for the store.
 */
export class NetworkCheck {
  private readonly results = new Map<string, CheckResult>();
  private readonly accounts: ReadonlyMap<string, VerifiedAccount>;
  private states: ReadonlyMap<string, DeedState> = new Map();
  private steps: Steps;
  private waiting: Answer[] = [];
  private writing: Promise<void> | null = null;
  private failure: Error | null = null;
  private isTokenRefused = false;

  constructor(
    private readonly parts: NetworkCheckParts,
    private readonly input: CheckInput,
  ) {
    this.accounts = new Map(input.accounts.map((account) => [account.accountId, account]));
    this.steps = { done: 0, total: input.accounts.length, awarded: 0 };
  }

  /**
   * Makes the check, once; answers its results and ends the lease. Throws what the store throws.
   */
  async run(): Promise<Map<string, CheckResult>> {
    const { identity, tokens, lease } = this.input;
    try {
      await this.readStates();
      await this.askNetwork();
      await this.writing;
      if (this.isTokenRefused) await this.parts.fans.identities.distrust(identity, tokens);
    } finally {
      await lease.release(this.steps).catch(() => undefined);
    }
    return this.results;
  }

  /**
   * Reads how the deeds stand before the network is asked: what it answers is then known to be
   * newer than these turns, by any clock.
   */
  private async readStates(): Promise<void> {
    const { points, networks } = this.parts;
    const deeds = this.input.accounts.map((account) => accountDeed(networks, account));
    this.states = await points.turns(this.input.fan, deeds);
  }

  private async askNetwork(): Promise<void> {
    const { network, tokens, identity } = this.input;
    await this.parts.networks.adapter(network).check({
      tokens,
      person: identity.networkId,
      accounts: [...this.accounts.keys()],
      onAnswers: (answers) => {
        this.hear(answers);
      },
    });
  }

  private hear(answers: Answer[]): void {
    // A store that is away ends the check: calls whose answers nobody can keep are not spent.
    if (this.failure) throw this.failure;
    this.waiting.push(...answers);
    this.writing ??= this.writeWaiting();
    this.writing.catch((error: unknown) => {
      this.failure = error instanceof Error ? error : new Error(String(error));
    });
  }

  private async writeWaiting(): Promise<void> {
    while (this.waiting.length > 0) {
      const answers = this.waiting;
      this.waiting = [];
      await this.write(answers);
    }
    this.writing = null;
  }

  private async write(answers: Answer[]): Promise<void> {
    const { fan, network, identity, lease, onProgress } = this.input;
    this.steps = { ...this.steps, done: this.steps.done + answers.length };
    this.isTokenRefused ||= answers.some(({ reason }) => reason === 'token_revoked');
    if (!(await lease.renew(this.steps))) {
      this.drop(answers);
      return;
    }
    const { link } = identity;
    const { accounts, states } = this;
    const scope = { fan, network, link, round: lease.round, accounts, states };
    for (const [account, result] of await this.parts.answers.apply(scope, answers))
      this.results.set(account, result);
    this.steps = { ...this.steps, awarded: this.countAwarded() };
    onProgress?.(this.steps);
  }

  /**
   * Drops answers whose lease was lost. Whoever holds it now may check other accounts: these are to
   * be checked again.
   */
  private drop(answers: Answer[]): void {
    for (const { account, askedAt } of answers)
      if (this.accounts.has(account)) this.results.set(account, noAnswer(askedAt, 'busy'));
  }

  private countAwarded(): number {
    const isAward = ({ outcome }: CheckResult): boolean => (outcome?.entry?.delta ?? 0) > 0;
    return [...this.results.values()].filter(isAward).length;
  }
}
