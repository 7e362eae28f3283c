import { readDeed } from '../points/service.js';
import { VillageError } from '../errors.js';
import type { NetworkId } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { Audit, AuditRecord } from '../platform/audit.js';
import type { Clock } from '../platform/clock.js';
import { may } from '../platform/rights.js';
import type { Registry } from '../registry/service.js';
import type { Doubts, RipeDoubts } from './doubts.js';
import { auditSubject, type TakeBackLimit, type TakeBackLimits } from './take-back-limit.js';
import type { TakeBackRelease, TakeBackStop } from './take-back.model.js';

/** Who acts: rights are checked here, not only in the screens. */
export interface Actor {
  id: string;
  roles: readonly string[];
}
/** Deeds of one account that a network denies, with the names of the account and its athlete. */
export interface DeniedDeed {
  deed: string;
  fans: number;
  /** Null for an account that is not verified any more. */
  athlete: string | null;
  handle: string | null;
}
/** A network as whoever decides about it sees it. */
export interface TakeBackState {
  network: NetworkId;
  stop: TakeBackStop | null;
  release: TakeBackRelease | null;
  /** What would be taken back. */
  ripe: Omit<RipeDoubts, 'most'> & { most: DeniedDeed[] };
  log: AuditRecord[];
}
/** What the people's side of take-backs is built of. */
export interface TakeBacksParts {
  takeBackLimit: TakeBackLimit;
  doubts: Doubts;
  registry: Registry;
  networks: Networks;
  clock: Clock;
  audit: Audit;
}

/** Take-backs and their limit, for the people who decide about them: organisers and admins. */
export class TakeBacks {
  constructor(private readonly parts: TakeBacksParts) {}

  private requireOrganiser(actor: Actor): void {
    if (!may(actor.roles, 'organise')) throw new VillageError('not_allowed');
  }

  /** Every network, whether taking back is stopped there, and what waits. Throws `not_allowed`. */
  async list(actor: Actor): Promise<TakeBackState[]> {
    this.requireOrganiser(actor);
    return Promise.all(this.parts.networks.all().map(({ id }) => this.stateOf(id)));
  }

  private async stateOf(network: NetworkId): Promise<TakeBackState> {
    const { takeBackLimit, doubts, clock, audit } = this.parts;
    const [{ stop, release }, ripe, log] = await Promise.all([
      takeBackLimit.stateOf(network),
      doubts.countRipe(network, clock.now()),
      audit.about(auditSubject(network), 10),
    ]);
    const most = await Promise.all(ripe.most.map((denied) => this.named(network, denied)));
    return { network, stop, release, ripe: { ...ripe, most }, log };
  }

  private async named(
    network: NetworkId,
    { deed, fans }: { deed: string; fans: number },
  ): Promise<DeniedDeed> {
    const account = await this.parts.registry.verifiedAccount(network, readDeed(deed).id);
    return {
      deed,
      fans,
      athlete: account?.athlete.name ?? null,
      handle: account?.handle ?? null,
    };
  }

  /**
   * Releases a stopped network: as many deeds as the person names and no more, and the network is
   * asked again about those first. Throws `not_allowed`, and `already_decided` when it is not
   * stopped any more or was stopped anew since they looked.
   */
  async release(
    actor: Actor,
    network: NetworkId,
    seen: { at: Date; deeds: number },
    reason: string,
  ): Promise<void> {
    this.requireOrganiser(actor);
    const { takeBackLimit, doubts, clock } = this.parts;
    const release = { by: actor.id, reason, deeds: seen.deeds };
    if (!(await takeBackLimit.release(network, seen.at, release)))
      throw new VillageError('already_decided', { state: 'free' });
    await doubts.wake(network, clock.now());
  }

  /** How much of a network's deeds an hour may take back. Throws `not_allowed`. */
  async limits(actor: Actor): Promise<TakeBackLimits> {
    this.requireOrganiser(actor);
    return this.parts.takeBackLimit.limits();
  }

  /** Sets the limits. Throws `not_allowed`. */
  async setLimits(actor: Actor, limits: TakeBackLimits): Promise<void> {
    this.requireOrganiser(actor);
    await this.parts.takeBackLimit.setLimits(limits, actor.id);
  }

  /** How many networks wait for a person to release them: a number on every page of staff. */
  async countStopped(): Promise<number> {
    return (await this.parts.takeBackLimit.stops()).size;
  }
}
