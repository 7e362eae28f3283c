import type { Card, Cards } from '../networks/cards.js';
import type { Answer, NetworkId } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import { inPieces } from '../platform/pieces.js';
import type { Command, DeedState, Outcome, Points } from '../points/service.js';
import type { VerifiedAccount } from '../registry/service.js';
import type { RelatedDeeds } from './related.js';
import type { CheckResult } from './check-result.js';
import type { LedgerCommands } from './commands.js';
import {
  decide,
  decidedAs,
  withLosses,
  type Decided,
  type Decision,
  type Move,
} from './decisions.js';
import { turnOf } from './deed-states.js';
import { accountDeed } from './deeds.js';
import type { Heard } from './doubt.js';
import type { Doubts } from './doubts.js';
import type { Evidence } from './evidence.js';

/** The check that answers belong to. */
export interface CheckScope {
  fan: string;
  network: NetworkId;
  /** The identity link that it is made by. */
  link: string;
  /** Its place among all checks of this fan and network. */
  round: number;
  /** The verified accounts it is about, by their id on the network. */
  accounts: ReadonlyMap<string, VerifiedAccount>;
  /** How their deeds stood before the network was asked. */
  states: ReadonlyMap<string, DeedState>;
}
/** What the meaning of answers is built of. */
export interface AnswersParts {
  points: Points;
  doubts: Doubts;
  cards: Cards;
  networks: Networks;
  evidence: Evidence;
  commands: LedgerCommands;
  related: RelatedDeeds;
}

/** Commands of one fan that the ledger is given at a time. */
const COMMANDS_AT_ONCE = 500;

/** The card under which a network's yes earns now, or null. For checking, never for giving. */
export async function earningCard(
  { cards, networks }: { cards: Cards; networks: Networks },
  network: NetworkId,
): Promise<Card | null> {
  const card = await cards.cached(network);
  const isEarning =
    card?.mode === 'confirmed' && card.deeds.includes(networks.adapter(network).accountDeed);
  return isEarning ? card : null;
}

/** What networks' answers mean for doubts and for the ledger. */
export class Answers {
  constructor(private readonly parts: AnswersParts) {}

  /**
   * Applies a batch of answers of one check: records what they deny and confirm, gives and takes
   * back what that means. `unknown` changes nothing (LEDGER 4).
   */
  async apply(scope: CheckScope, answers: Answer[]): Promise<Map<string, CheckResult>> {
    const decided = await this.decide(scope, answers);
    const results = new Map(
      decided.map(({ answer: { account, verdict, reason, askedAt }, deed }) => [
        account,
        { verdict, reason, askedAt, turn: turnOf(scope.states.get(deed)), outcome: null },
      ]),
    ) as Map<string, CheckResult>;
    const moves = [...decidedAs(decided, 'give'), ...decidedAs(decided, 'take')];
    if (moves.length === 0) return results;
    for (const [account, outcome] of await this.record(scope, moves)) {
      const result = results.get(account) as CheckResult;
      results.set(account, { ...result, turn: outcome.turn, outcome });
    }
    return results;
  }

  /** What each answer means, once what is denied and confirmed is recorded. */
  private async decide(scope: CheckScope, answers: Answer[]): Promise<Decided[]> {
    const { fan, network, accounts, states } = scope;
    const card = await earningCard(this.parts, network);
    const decided = answers.flatMap((answer): Decided[] => {
      const account = accounts.get(answer.account);
      if (!account) return [];
      const deed = accountDeed(this.parts.networks, account);
      return [{ answer, account, deed, decision: decide(answer.verdict, states.get(deed), card) }];
    });
    const heard = (
      items: Decided<Extract<Decision, { kind: 'hold' | 'doubt' }>>[],
    ): Map<string, Heard> =>
      new Map(
        items.map(({ deed, answer: { askedAt }, decision: { turn } }) => [
          deed,
          { turn, askedAt, round: scope.round },
        ]),
      );
    const [lost] = await Promise.all([
      this.parts.doubts.recordNo(fan, network, heard(decidedAs(decided, 'doubt'))),
      this.parts.doubts.recordYes(fan, network, heard(decidedAs(decided, 'hold'))),
    ]);
    return withLosses(decided, lost);
  }

  /** Gives and takes back, on the evidence of the answers; the ledger's outcome by account. */
  private async record(scope: CheckScope, moves: Decided<Move>[]): Promise<Map<string, Outcome>> {
    const { points, evidence } = this.parts;
    const document = evidence.document(
      scope.fan,
      scope.network,
      moves.map(({ answer }) => answer),
    );
    const kept = evidence.keep(document);
    kept.catch(() => undefined);
    const related = await this.relatedTo(moves);
    const outcomes = new Map<string, Outcome>();
    for (const piece of inPieces(moves, COMMANDS_AT_ONCE)) {
      const written = await points.recordMany(
        scope.fan,
        piece.map((move) => this.command(scope, move, document._id, related)),
      );
      for (const [index, outcome] of written.entries()) {
        const move = piece[index] as Decided<Move>;
        outcomes.set(move.answer.account, outcome);
        await this.followUp(scope, move, outcome);
      }
    }
    await kept;
    return outcomes;
  }

  /** What the ledger is asked to look up with a single give; a first link gives much at once. */
  private async relatedTo(moves: Decided<Move>[]): Promise<Command['related']> {
    const [give, another] = decidedAs(moves, 'give');
    return give && !another ? this.parts.related.deedsFor(give.account.athlete.id) : undefined;
  }

  private command(
    { fan, link }: CheckScope,
    { account, deed, answer: { askedAt }, decision }: Decided<Move>,
    evidence: string,
    related: Command['related'],
  ): Command {
    const { commands } = this.parts;
    if (decision.kind === 'take') {
      const { turn, card } = decision;
      return commands.take({ fan, deed, turn, cause: 'network_no', askedAt, card, link, evidence });
    }
    const { card, seen } = decision;
    return commands.give({
      fan,
      account,
      card,
      cause: 'network_yes',
      askedAt,
      link,
      evidence,
      seen,
      related,
    });
  }

  /** A give above a limit waits for its day; a doubt ends with the turn that it was about. */
  private async followUp(
    { fan, link }: CheckScope,
    { account, deed, decision }: Decided<Move>,
    { turn, limited }: Outcome,
  ): Promise<void> {
    const { commands, doubts } = this.parts;
    if (decision.kind === 'take') await doubts.end(fan, deed, turn);
    else if (limited) {
      const give = { fan, account, card: decision.card, cause: 'network_yes', link } as const;
      await doubts.wait(commands.waiting(give, turn + 1, limited));
    }
  }
}
