import { inPieces } from '../platform/pieces.js';
import type { Fans } from '../fans/service.js';
import type { Points } from '../points/service.js';
import type { Registry } from '../registry/service.js';
import type { Asking } from './asking.js';
import type { Brake } from './brake.js';
import type { DoubtRecord, Doubts } from './doubts.js';
import type { Evidence } from './evidence.js';

export interface SettlingParts {
  asking: Asking;
  brake: Brake;
  doubts: Doubts;
  evidence: Evidence;
  fans: Fans;
  points: Points;
  registry: Registry;
}

/** Fans whose doubts are looked at together. */
const AT_ONCE = 20;

/**
 * Brings doubts to their end (LEDGER 4). Every step may be done twice, by whoever: turns are
 * counted from the ledger.
 */
export class Settling {
  constructor(private readonly parts: SettlingParts) {}

  /** A give whose day has come; undone meanwhile, the turn after it as well. */
  async due(doubt: DoubtRecord): Promise<void> {
    const { asking, doubts, points } = this.parts;
    const wish = asking.waited(doubt);
    const outcome = wish && (await points.record(wish));
    if (outcome?.limited && !doubt.undone) {
      await doubts.waitOn(doubt, outcome.limited);
      return;
    }
    if (await doubts.settled(doubt)) return;
    // Undone before it was settled: it is taken back, if it came at all.
    if (wish)
      await points.record(
        asking.take(doubt.fan, doubt.deed, doubt.turn + 1, {
          cause: 'undo',
          askedAt: wish.askedAt,
          card: wish.card,
          link: wish.link,
        }),
      );
    await doubts.settled(doubt, true);
  }

  /** A second no that was counted and not settled: its process died between the two. */
  async lost(doubt: DoubtRecord): Promise<void> {
    const { asking, doubts, evidence, points } = this.parts;
    const { fan, deed, turn, network } = doubt;
    const state = (await points.turns(fan, [deed])).get(deed);
    if (state?.turn === turn - 1) {
      const askedAt = doubt.askedAt ?? state.askedAt;
      const document = evidence.document(fan, network, [
        { account: deed.split(':')[2] ?? '', verdict: 'no', askedAt },
      ]);
      await evidence.keep(document);
      await points.record(
        asking.take(fan, deed, turn, {
          cause: 'network_no',
          askedAt,
          card: state.card,
          evidence: document._id,
        }),
      );
    }
    await doubts.settled(doubt);
  }

  /** First no's that are to be asked about again, each answered to one caller alone. */
  async ripe(now: Date, limit: number): Promise<DoubtRecord[]> {
    const stopped = [...(await this.parts.brake.stops()).keys()];
    return this.live(await this.parts.doubts.claimRipe(now, limit, stopped));
  }

  /**
   * First no's that are to be asked about again: those that still can be. One whose turn the ledger
   * has already, whose account is not verified any more or whose network the fan has unlinked is
   * over: nobody will ever answer it.
   */
  private async live(found: DoubtRecord[]): Promise<DoubtRecord[]> {
    const { doubts, fans, points, registry } = this.parts;
    const byFan = new Map<string, DoubtRecord[]>();
    for (const one of found) byFan.set(one.fan, [...(byFan.get(one.fan) ?? []), one]);
    const live: DoubtRecord[] = [];
    // So many at a time: what a fan waits for goes over the same connections.
    for (const piece of inPieces([...byFan], AT_ONCE)) {
      const some = piece.map(async ([fan, list]) => {
        const deeds = list.map((one) => one.deed);
        const [turns, identities] = await Promise.all([
          points.turns(fan, deeds),
          fans.identities.linkedBy(fan),
        ]);
        const still: DoubtRecord[] = [];
        for (const one of list) {
          const account = await registry.verifiedAccount(one.network, one.deed.split(':')[2] ?? '');
          const linked = identities.some((identity) => identity.network === one.network);
          if (turns.get(one.deed)?.turn === one.turn - 1 && account && linked) still.push(one);
          else await doubts.ended(fan, one.deed, one.turn);
        }
        return still;
      });
      live.push(...(await Promise.all(some)).flat());
    }
    return live;
  }
}
