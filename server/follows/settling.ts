import type { Fans } from '../fans/service.js';
import { inPieces } from '../platform/pieces.js';
import { readDeed, type Points } from '../points/service.js';
import type { Registry } from '../registry/service.js';
import type { LedgerCommands } from './commands.js';
import type { DoubtRecord } from './doubt.model.js';
import type { Doubts } from './doubts.js';
import type { Evidence } from './evidence.js';
import type { TakeBackLimit } from './take-back-limit.js';

/** What settling is built of. */
export interface SettlingParts {
  commands: LedgerCommands;
  takeBackLimit: TakeBackLimit;
  doubts: Doubts;
  evidence: Evidence;
  fans: Fans;
  points: Points;
  registry: Registry;
}

/** Fans whose doubts are looked at together: more would crowd out what a fan waits for. */
const FANS_AT_ONCE = 20;

/**
 * Brings doubts to their end in the ledger (LEDGER 4). Every step may be done twice, by whoever:
 * turns are counted from the ledger.
 */
export class Settling {
  constructor(private readonly parts: SettlingParts) {}

  /**
   * Settles a give whose day has come; where it was undone meanwhile, the turn after it as well.
   */
  async settleDue(doubt: DoubtRecord): Promise<void> {
    const { commands, doubts, points } = this.parts;
    const { fan, deed, turn, undone } = doubt;
    const give = commands.waited(doubt);
    const outcome = give && (await points.record(give));
    if (outcome?.limited && !undone) {
      await doubts.postpone(doubt, outcome.limited);
      return;
    }
    if (await doubts.settle(doubt)) return;
    // Undone before it was settled: it is taken back, if it came at all.
    if (give) {
      const { askedAt, card, link } = give;
      await points.record(
        commands.take({ fan, deed, turn: turn + 1, cause: 'undo', askedAt, card, link }),
      );
    }
    await doubts.settle(doubt, true);
  }

  /** Settles a second no that was counted by a process that died before it took the deed back. */
  async settleLost(doubt: DoubtRecord): Promise<void> {
    const { commands, doubts, evidence, points } = this.parts;
    const { fan, deed, turn, network } = doubt;
    const state = (await points.turns(fan, [deed])).get(deed);
    if (state?.turn === turn - 1) {
      const askedAt = doubt.askedAt ?? state.askedAt;
      const document = evidence.document(fan, network, [
        { account: readDeed(deed).id, verdict: 'no', askedAt },
      ]);
      await evidence.keep(document);
      await points.record(
        commands.take({
          fan,
          deed,
          turn,
          cause: 'network_no',
          askedAt,
          card: state.card,
          evidence: document._id,
        }),
      );
    }
    await doubts.settle(doubt);
  }

  /**
   * Claims first no's about which the network is to be asked again, each for one caller alone; none
   * of networks where taking back is stopped.
   */
  async claimRipe(now: Date, limit: number): Promise<DoubtRecord[]> {
    const stopped = [...(await this.parts.takeBackLimit.stops()).keys()];
    const claimed = await this.parts.doubts.claimRipe(now, limit, stopped);
    const byFan = new Map<string, DoubtRecord[]>();
    for (const doubt of claimed) byFan.set(doubt.fan, [...(byFan.get(doubt.fan) ?? []), doubt]);
    const live: DoubtRecord[] = [];
    for (const fans of inPieces([...byFan], FANS_AT_ONCE)) {
      const kept = await Promise.all(fans.map(([fan, doubts]) => this.keepLive(fan, doubts)));
      live.push(...kept.flat());
    }
    return live;
  }

  /**
   * Those of a fan's doubts that a network can still answer. The others end: the ledger has their
   * turn already, their account is not verified any more, or the fan has unlinked the network.
   */
  private async keepLive(fan: string, doubts: DoubtRecord[]): Promise<DoubtRecord[]> {
    const { fans, points, registry } = this.parts;
    const [states, identities] = await Promise.all([
      points.turns(
        fan,
        doubts.map(({ deed }) => deed),
      ),
      fans.identities.linkedBy(fan),
    ]);
    const live: DoubtRecord[] = [];
    for (const doubt of doubts) {
      const { network, deed, turn } = doubt;
      const account = await registry.verifiedAccount(network, readDeed(deed).id);
      const isLinked = identities.some((identity) => identity.network === network);
      if (states.get(deed)?.turn === turn - 1 && account && isLinked) live.push(doubt);
      else await this.parts.doubts.end(fan, deed, turn);
    }
    return live;
  }
}
